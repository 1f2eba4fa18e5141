"""How an organisation's slots are shared by its runs."""

import pytest

from orchestrator.room import Others, Slots, room


@pytest.mark.parametrize(
    ("cap", "held", "waiting", "own", "has_turn", "expected"),
    [
        (2, 0, 0, 0, False, 2),  # alone: all
        (2, 2, 0, 0, False, 0),  # nothing is free
        (2, 0, 1, 1, False, 1),  # one is left to the other that waits
        (2, 1, 1, 0, False, 1),  # down to an equal share
        (2, 0, 3, 1, False, 0),  # more runs than slots: it gives way
        (2, 1, 3, 0, True, 1),  # until it is its turn
        (2, 2, 3, 0, True, 0),  # which makes no room where there is none
        (4, 1, 1, 1, False, 2),
        (1, 2, 0, 0, False, -1),  # a cap that was lowered: nothing begins
    ],
)
def test_a_run_may_hold(cap, held, waiting, own, has_turn, expected) -> None:
    others = Others(Slots(syncs=held), Slots(syncs=waiting))
    allowed = room(Slots(cap, 1), others, Slots(syncs=own), has_turn)
    assert allowed.syncs == expected
    assert allowed.builds == 1
