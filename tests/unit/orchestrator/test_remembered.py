"""What is remembered of runs, and what is not."""

from dataclasses import replace

import pytest

from contracts.envelope import new_id
from orchestrator.domain import RunState
from orchestrator.remembered import _MOST, Remembered, Snapshot
from orchestrator.room import Others, Slots

from .walking import NOW, syncing


@pytest.fixture
def state() -> RunState:
    return syncing()


def test_a_run_that_is_alone_is_remembered_as_a_guess(state: RunState) -> None:
    remembered = Remembered()
    remembered.keep(state.run_id, Snapshot(state, 3, Others(), NOW))
    known = remembered.of(state.run_id)
    assert known is not None
    assert (known.state, known.revision, known.is_guess) == (state, 3, True)
    assert known.clock >= NOW


@pytest.mark.parametrize("others", [Others(held=Slots(syncs=1)), Others(waiting=Slots(builds=1))])
def test_a_run_beside_others_is_not_remembered_any_more(state: RunState, others: Others) -> None:
    remembered = Remembered()
    remembered.keep(state.run_id, Snapshot(state, 3, Others(), NOW))
    remembered.keep(state.run_id, Snapshot(state, 4, others, NOW))
    assert remembered.of(state.run_id) is None


def test_a_run_that_has_ended_is_forgotten(state: RunState) -> None:
    remembered = Remembered()
    remembered.keep(state.run_id, Snapshot(state, 3, Others(), NOW))
    remembered.keep(state.run_id, Snapshot(replace(state, status="failed"), 4, Others(), NOW))
    assert remembered.of(state.run_id) is None


def test_no_more_than_so_many_runs_are_remembered(state: RunState) -> None:
    remembered = Remembered()
    ids = [new_id() for _ in range(_MOST + 1)]
    for run_id in ids:
        remembered.keep(run_id, Snapshot(state, 1, Others(), NOW))
    assert remembered.of(ids[0]) is None
    assert all(remembered.of(run_id) for run_id in ids[1:])
