"""Shares have names of their own, and requests are answered in slots that are declared."""

from contracts.message import Request, registered
from contracts.shares import SHARES


def test_no_two_shares_have_one_name() -> None:
    names = [each.name for each in SHARES]
    assert "requests" in names
    assert len(set(names)) == len(names)


def test_every_request_is_answered_in_slots_that_are_listed() -> None:
    requests = [kind for kind in registered() if issubclass(kind, Request)]
    assert requests
    assert {kind.share for kind in requests} <= set(SHARES)
