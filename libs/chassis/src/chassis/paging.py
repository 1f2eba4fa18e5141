"""Pages of lists: an opaque cursor that holds the sort key of the last row of a page."""

import base64
import binascii
import unicodedata
from collections.abc import Sequence

import orjson

from contracts.problem import problem


def cursor(*key: object) -> str:
    """The cursor after the row with this sort key (JSON values, UUIDs, times)."""
    # asyncpg's UUID is a class of its own, which orjson does not know.
    return base64.urlsafe_b64encode(orjson.dumps(key, default=str)).rstrip(b"=").decode()


def after(text: str | None, length: int) -> Sequence[str | None]:
    """The sort key out of a cursor, all None without one.

    Raises a 400 problem for a cursor that did not come from here.
    """
    if text is None:
        return [None] * length
    try:
        key = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, binascii.Error):
        key = None
    if (
        not isinstance(key, list)
        or len(key) != length
        or not all(isinstance(part, str) for part in key)
    ):
        raise problem(400, "bad_cursor", "The cursor is not one of ours; begin without a cursor.")
    return key


def name_key(name: str) -> str:
    """The form under which two names are the same: NFKC, case-folded, outer space gone."""
    return unicodedata.normalize("NFKC", name).casefold().strip()
