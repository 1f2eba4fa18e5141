"""Google's answers, read in pieces: one call over megabytes of JSON would hold up the whole process."""

import json
import re
from decimal import Decimal
from typing import Any

from ingest.connectors import Unavailable
from ingest.connectors.sheets.cells import Rows

SMALL = 4 << 20
"""Bytes of an answer that is read at once: titles and tabs, and what Google says of an error."""

_VALUES = re.compile(r'\s*\{[^\[\]{}]*"valueRanges"\s*:\s*\[\s*\{[^\[\]{}]*"values"\s*:\s*\[')
_BETWEEN = re.compile(r"\s*,?\s*")
_DECODER = json.JSONDecoder(parse_float=Decimal)


def small(body: bytes) -> Any:
    """An answer of a few bytes. Raises Unavailable for one that is none."""
    try:
        if len(body) <= SMALL:
            return json.loads(body, parse_float=Decimal)
    except (ValueError, RecursionError):
        pass
    raise _not_understood()


def values(body: bytes) -> Rows:
    """The rows of the one range of `values:batchGet`.

    To be called in a thread: others have their turn after each row. Raises Unavailable.
    """
    try:
        text = body.decode()
        begin = _VALUES.match(text)
        if begin is None:
            (found,) = small(body).get("valueRanges") or [{}]
            return found.get("values", [])
        rows: Rows = []
        at = begin.end()
        while not text.startswith("]", at := _after(text, at)):
            row, at = _DECODER.raw_decode(text, at)
            rows.append(row)
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise _not_understood() from error
    return rows


def _after(text: str, at: int) -> int:
    """Behind a comma and blanks."""
    found = _BETWEEN.match(text, at)
    return found.end() if found else at


def _not_understood() -> Unavailable:
    return Unavailable(
        "google_away", "Google Sheets sent an answer that is not understood. Try again later."
    )
