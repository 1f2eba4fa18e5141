"""Pages of lists: an opaque cursor that holds the sort key of the last row of a page."""

import base64
import binascii
import unicodedata
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from pydantic import TypeAdapter

from contracts.problem import FieldProblem, problem
from contracts.text import MAX_COUNT, Moment, text_fault


def cursor(*key: object) -> str:
    """The cursor after the row with this sort key (JSON values, UUIDs, times)."""
    # asyncpg's UUID is a class of its own, which orjson does not know.
    return base64.urlsafe_b64encode(orjson.dumps(key, default=str)).rstrip(b"=").decode()


def after(text: str | None, *kinds: type[Any]) -> Sequence[Any]:
    """The sort key out of a cursor as values of these kinds (str, int, UUID, datetime).

    All None without a cursor. Raises a 400 problem for one that is not of this list: what it holds
    comes from outside, and the database would refuse it.
    """
    if text is None:
        return [None] * len(kinds)
    try:
        key = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if not isinstance(key, list) or not all(isinstance(part, str) for part in key):
            raise ValueError("a sort key is a list of text")
        return [_KINDS[kind](part) for kind, part in zip(kinds, key, strict=True)]
    except (ValueError, OverflowError, binascii.Error) as error:
        raise problem(
            400,
            "bad_cursor",
            "The cursor is not one of this list; begin without a cursor.",
            (FieldProblem(field="cursor", code="bad_cursor", message="Not one of this list"),),
        ) from error


def _text(part: str) -> str:
    if text_fault(part):
        raise ValueError("text that cannot be stored")
    return part


def _number(part: str) -> int:
    if not (part.isascii() and part.isdecimal() and len(part) <= 10):
        raise ValueError("not a number")
    number = int(part)
    if number > MAX_COUNT:
        raise ValueError("too large a number")
    return number


_KINDS: dict[type, Callable[[str], object]] = {
    str: _text,
    int: _number,
    UUID: UUID,
    datetime: TypeAdapter(Moment).validate_python,
}


def name_key(name: str) -> str:
    """The form under which two names are the same: NFKC, case-folded, outer space gone."""
    return unicodedata.normalize("NFKC", name).casefold().strip()
