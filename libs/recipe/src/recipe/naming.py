"""Physical names: what a column is called inside the database, whatever people call it.

The same function names the columns of ingested tables and of recipes' results, so a column keeps
its physical name on its way through. Names are already in dlt's snake_case normal form (dlt 1.x,
`snake_case` naming convention): normalising them again changes nothing.
"""

import re
import unicodedata
from collections.abc import Collection, Sequence

from anyascii import anyascii

MAX_BYTES = 63
"""PostgreSQL cuts longer identifiers silently (NAMEDATALEN - 1)."""

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_OTHER = re.compile(r"[^a-z0-9]+")
_RESERVED = "_dlt"
_SYSTEM = frozenset(("tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"))
"""Columns that every table of PostgreSQL has already."""


def physical_names(display_names: Sequence[str]) -> list[str]:
    """Physical names for all columns of one table, in order, all different.

    They are ASCII snake_case of at most 63 bytes: NFKC, transliterated, `name`, `name_2` on a
    clash, `column_3` (counted from 1) where nothing is left, `_2024` for a leading digit.
    """
    taken: set[str] = set()
    names: list[str] = []
    for position, display in enumerate(display_names, start=1):
        name = physical_name(display, position, taken)
        taken.add(name)
        names.append(name)
    return names


def physical_name(display: str, position: int, taken: Collection[str]) -> str:
    """The physical name of one column beside those already taken; `position` counts from 1."""
    stem = _snake(display) or f"column_{position}"
    name = _cut(stem, MAX_BYTES)
    count = 1
    while name in taken or name in _SYSTEM:
        count += 1
        suffix = f"_{count}"
        name = _cut(stem, MAX_BYTES - len(suffix)) + suffix
    return name


def _snake(display: str) -> str:
    plain = anyascii(unicodedata.normalize("NFKC", display))
    snake = _OTHER.sub("_", _CAMEL.sub("_", plain).lower()).strip("_")
    if snake[:1].isdigit():
        return f"_{snake}"
    # Unreachable while leading underscores are stripped, but the loader's own columns are sacred.
    return snake.lstrip("_") if snake.startswith(_RESERVED) else snake


def _cut(name: str, length: int) -> str:
    return name[:length].rstrip("_")
