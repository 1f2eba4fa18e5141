"""Which record is the header: titles above it, damaged ones, and files that have none."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

NONE = -1
"""The header row of a file without a header."""
LOOKED_AT = 60
"""Records in which the header must be found, and by which it is judged."""

_NUMBER = re.compile(r"[-+]?[$£€₹]? ?[-+]?(\d[\d, ]*\.?\d*|\.\d+)([eE][-+]?\d+)? ?%?")
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}")
_TIME = re.compile(r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?( ?[AaPp][Mm])?")
_MOMENT = re.compile(rf"({_DATE.pattern})[T ]({_TIME.pattern})Z?")
_KINDS = {"date": _DATE, "time": _TIME, "moment": _MOMENT, "number": _NUMBER}
_YEAR = re.compile(r"(19|20)\d\d")
_SAME = 0.9
"""Share of the cells of a column that make its kind."""

Row = Sequence[str]


@dataclass(frozen=True)
class Header:
    """Its row (records before it; NONE if there is none), and what was above it."""

    row: int
    titles: int = 0
    first_title: str = ""


def find(records: Sequence[Row], skip: int, width: int) -> Header:
    """Look for the header among the first records; `width` is how many cells most records have."""
    filled = [
        (index, record)
        for index, record in enumerate(records)
        if index >= skip and any(cell.strip() for cell in record)
    ][:LOOKED_AT]
    place = _after_titles(filled, records, width)
    row, record = filled[place]
    beneath = [other for _, other in filled[place + 1 :]]
    if place == 0 and len(record) == width and is_data(record, beneath):
        return Header(NONE)
    title = next((cell for cell in filled[0][1] if cell.strip()), "") if place else ""
    return Header(row, place, title)


def _after_titles(filled: Sequence[tuple[int, Row]], records: Sequence[Row], width: int) -> int:
    """Position in `filled` of the header: after titles of one cell, of other width, or apart."""
    if width < 2:
        return 0
    first = next((n for n, (_, record) in enumerate(filled) if _count(record) > 1), 0)
    whole = next((n for n, (_, one) in enumerate(filled) if n >= first and _fits(one, width)), None)
    if whole is None:
        return first
    if whole > first and not _is_header_below(filled[whole - 1][1], whole, filled, width):
        return whole - 1
    for place in range(whole, min(whole + 20, len(filled) - 1)):
        if _count(filled[place][1]) * 2 > width:
            break
        if _apart(filled[place], filled[place + 1], records, width):
            return place + 1
    return whole


def _apart(
    above: tuple[int, Row], below: tuple[int, Row], records: Sequence[Row], width: int
) -> bool:
    """A title in a few cells, a blank record, and then names over all columns."""
    between = records[above[0] + 1 : below[0]]
    return bool(between) and _count(below[1]) * 2 > width and _names(below[1])


def _fits(record: Row, width: int) -> bool:
    """As many cells as most records, not counting empty ones at the right beyond them."""
    return len(record) == width or (len(record) > width and not any(record[width:]))


def _is_header_below(above: Row, whole: int, filled: Sequence[tuple[int, Row]], width: int) -> bool:
    """The first record of full width is the header; else the one above it is, though damaged."""
    record = filled[whole][1]
    if not _names(record):
        return False
    beneath = [other for _, other in filled[whole + 1 :]]
    columns = ([row[index] for row in beneath if index < len(row)] for index in range(width))
    return _count(above) * 2 <= width or any(map(_kind_of, columns))


def _names(record: Row) -> bool:
    """No cell of it is a number, a date or a time, except years."""
    return all(kind(cell.strip()) is None or _YEAR.fullmatch(cell.strip()) for cell in record)


def is_data(first: Row, beneath: Sequence[Row]) -> bool:
    """The first record is a row like those beneath it, not their header.

    Some of its cells are dates, times or numbers above others of the same kind, and none is text
    above them. Numbers that count up (years, wavelengths, 0 1 2 3) are names of columns.
    """
    if not beneath:
        return False
    numbers: list[str] = []
    mixed = evidence = False
    for index, cell in enumerate(map(str.strip, first)):
        own, column = kind(cell), _kind_of([row[index] for row in beneath if index < len(row)])
        if cell and own is None:
            if column is not None:
                return False
            mixed = True
        if own == "number":
            numbers.append(cell)
        elif own is not None and own == column:
            return True
        evidence |= own is not None and own == column
    if mixed:
        evidence = evidence and not all(map(str.isdecimal, numbers))
    return evidence and not _counts_up([_value(number) for number in numbers], mixed=mixed)


def kind(cell: str) -> str | None:
    """What a cell that is no text looks like."""
    if not cell or not any(map(str.isdigit, cell)):
        return None
    return next((name for name, shape in _KINDS.items() if shape.fullmatch(cell)), None)


def _kind_of(column: Sequence[str]) -> str | None:
    cells = [cell.strip() for cell in column if cell.strip()]
    kinds = [kind(cell) for cell in cells]
    most = max(set(kinds), key=kinds.count, default=None)
    return most if kinds.count(most) >= _SAME * len(cells) else None


def _counts_up(numbers: Sequence[float], *, mixed: bool) -> bool:
    """Years, 0 1 2 3, or a scale (of five and more, where no name stands beside it)."""
    if all(number == int(number) and 1900 <= number <= 2100 for number in numbers):
        return True
    steps = {round(after - before, 9) for before, after in pairwise(numbers)}
    if not all(step > 0 for step in steps):
        return False
    return len(numbers) > (1 if mixed else 4) or (len(numbers) > 2 and len(steps) == 1)


def _value(cell: str) -> float:
    digits = re.sub(r"[^0-9.eE+-]", "", cell)
    try:
        return float(digits)
    except ValueError:
        return 0.0


def _count(record: Row) -> int:
    return sum(1 for cell in record if cell.strip())
