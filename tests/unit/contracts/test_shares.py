"""The list of shares holds every share that is declared, each under a name of its own."""

from contracts import shares
from contracts.message import Request, registered
from contracts.shares import SHARES, Cap, Rate, Slots


def test_every_declared_share_is_listed() -> None:
    declared = [each for each in vars(shares).values() if isinstance(each, Slots | Rate | Cap)]
    assert declared
    assert [each.name for each in declared if each not in SHARES] == []


def test_no_two_shares_have_one_name() -> None:
    names = [each.name for each in SHARES]
    assert len(set(names)) == len(names)


def test_every_request_is_answered_in_slots_that_are_listed() -> None:
    requests = [kind for kind in registered() if issubclass(kind, Request)]
    assert requests
    assert {kind.share for kind in requests} <= set(SHARES)
