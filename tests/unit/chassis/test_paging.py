"""Cursors: what comes back is what was put in, and everything else is a 400."""

import base64
from datetime import UTC, datetime
from uuid import UUID

import orjson
import pytest

from chassis.paging import after, cursor
from contracts.envelope import new_id
from contracts.problem import ProblemError

ID = "01a20827-a698-767a-b244-db2be30a9f36"
"""The same in every process: it stands in the names of tests."""


def made(*parts: object) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(parts)).decode()


def test_a_key_comes_back_as_it_was():
    at, own = datetime.now(UTC), new_id()
    assert after(cursor(at, own), datetime, UUID) == [at, own]
    assert after(cursor("wells 2", own), str, UUID) == ["wells 2", own]
    assert after(cursor("17"), int) == [17]
    assert after(None, str, UUID) == [None, None]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("x", (str,)),
        ("ü", (str,)),
        (made(), (str,)),
        (made("a", "b"), (str,)),
        (made(1), (int,)),
        (made("1.5"), (int,)),
        (made("-1"), (int,)),
        (made("²"), (int,)),
        (made(str(2**31)), (int,)),
        (made("9" * 600), (int,)),
        (made("a\0"), (str,)),
        (made("a", "no id"), (str, UUID)),
        (made("yesterday", ID), (datetime, UUID)),
        (made("2026-01-01T00:00:00", ID), (datetime, UUID)),
        (made("0001-01-01T00:00:00+14:00", ID), (datetime, UUID)),
        (base64.urlsafe_b64encode(b'["\\ud800"]').decode(), (str,)),
        (base64.urlsafe_b64encode(b"[" * 700).decode(), (str,)),
    ],
)
def test_what_is_no_cursor_of_the_list_is_a_400(text, kinds):
    with pytest.raises(ProblemError) as caught:
        after(text, *kinds)
    assert (caught.value.problem.status, caught.value.problem.code) == (400, "bad_cursor")
