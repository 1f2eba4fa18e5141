"""How a text file is cut into cells: delimiter, quote, escape, and which record is the header."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from ingest.connectors import BadSource, ColumnType, Found, Notice

SAMPLE = 1 << 18
DELIMITERS = (",", ";", "\t", "|")
NO_DELIMITER = "\x1f"
"""Unit separator: stands where a file has one column and commas are only prose."""
CELL_LIMIT = 1 << 26


class ColumnOption(BaseModel):
    """A user's word on one column; `format` (strptime) is for dates and times."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: ColumnType | None = None
    format: str | None = None


class CsvOptions(BaseModel):
    """What the user said about the file; what is absent is detected."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    delimiter: str | None = None
    quote: str | None = None
    encoding: str | None = None
    header_row: int | None = Field(default=None, ge=0)
    """Records before the header, blank lines included."""
    types: str = "infer"
    """`infer`, or `text`: every column as text."""
    columns: dict[str, ColumnOption] = Field(default_factory=dict)


class Dialect(Found):
    """What was detected, or said; `delimiter` is empty for a file of one column."""

    delimiter: str
    quote: str
    escape: str
    encoding: str
    header_row: int


@dataclass(frozen=True)
class Layout:
    """The dialect with the header's cells and the number of columns to expect."""

    delimiter: str
    quote: str
    escape: str
    header_row: int
    header: tuple[str, ...]
    width: int
    warnings: tuple[Notice, ...]

    def reader(self) -> dict[str, Any]:
        """The same dialect in the words of the `csv` module."""
        return _reader(self.delimiter, self.quote, self.escape)


def detect(path: Path, options: CsvOptions) -> Layout:
    """Look at the first 256 KB of UTF-8 text. Raises BadSource `no_header`, `empty_file`."""
    sample = _sample(path)
    if not sample.strip():
        raise BadSource("empty_file", "The file holds only blank space. Upload one with a header.")
    skip, said = _separator_line(sample)
    quote = options.quote or '"'
    delimiter = options.delimiter or said or _delimiter(sample, quote)
    escape = _escape(sample, delimiter, quote)
    records = _records(sample, _reader(delimiter, quote, escape))
    widths = Counter(len(record) for record in records[skip:] if any(record))
    modal = max(widths, key=lambda width: (widths[width], width))
    warnings: list[Notice] = []
    row = options.header_row
    if row is None:
        row = _header_row(records, skip, modal)
        titles = [record for record in records[skip:row] if any(record)]
        if titles:
            warnings.append(
                Notice(
                    code="lines_before_header",
                    message=f"{len(titles)} lines before the header were left out, the first: "
                    f"{titles[0][0]!r}. If one is the header, choose its row.",
                )
            )
    if row >= len(records) or not any(records[row]):
        raise BadSource(
            "no_header", f"Row {row + 1} of the file is empty or absent: choose the header's row."
        )
    header = tuple(records[row])
    if delimiter == NO_DELIMITER:
        warnings.append(
            Notice(code="single_column", message="No delimiter was found: one column was read.")
        )
    # A header of one cell above wider rows is a title or a damaged header: the rows decide.
    width = max(len(header), modal)
    return Layout(delimiter, quote, escape, row, header, width, tuple(warnings))


@contextmanager
def records(path: Path, layout: Layout) -> Iterator[Any]:
    """Every record of the file through Python's own parser, a second opinion on DuckDB's (a `csv.reader`)."""
    before = csv.field_size_limit(CELL_LIMIT)
    try:
        with path.open("r", encoding="utf-8-sig", newline="") as file:
            yield csv.reader(file, **layout.reader())
    finally:
        csv.field_size_limit(before)


def _reader(delimiter: str, quote: str, escape: str) -> dict[str, Any]:
    return {
        "delimiter": delimiter,
        "quotechar": quote,
        "doublequote": escape == quote,
        "escapechar": None if escape == quote else escape,
        "skipinitialspace": True,
        "strict": False,
    }


def _sample(path: Path) -> str:
    with path.open("r", encoding="utf-8-sig", newline="") as file:
        text = file.read(SAMPLE)
        if not file.read(1):
            return text
    return text[: text.rfind("\n") + 1] or text


def _records(sample: str, reader: dict[str, Any]) -> list[list[str]]:
    before = csv.field_size_limit(CELL_LIMIT)
    try:
        return list(csv.reader(io.StringIO(sample, newline=""), **reader))
    finally:
        csv.field_size_limit(before)


def _separator_line(sample: str) -> tuple[int, str | None]:
    """Excel's own first line, `sep=;`."""
    match = re.match(r'"?sep=(.)"?\r?\n', sample, re.IGNORECASE)
    return (1, match.group(1)) if match else (0, None)


def _delimiter(sample: str, quote: str) -> str:
    """The one that cuts the most records into the same number (> 1) of cells."""
    best, best_score = NO_DELIMITER, (0.0, False, 0)
    widest = 1
    for delimiter in DELIMITERS:
        rows = [row for row in _records(sample, _reader(delimiter, quote, quote)) if any(row)]
        widths = Counter(len(row) for row in rows)
        if not widths:
            continue
        widest = max(widest, *widths) if delimiter == "," else widest
        width = max(widths, key=lambda width: (widths[width], width))
        if width == 1:
            continue
        score = (round(widths[width] / len(rows), 2), len(rows[0]) == width, width)
        if score > best_score:
            best, best_score = delimiter, score
    if best == NO_DELIMITER and widest == 1:
        return ","
    return best


def _escape(sample: str, delimiter: str, quote: str) -> str:
    r"""A backslash, when quotes inside cells are written `\"` and never doubled."""
    end = rf"{re.escape(delimiter)}\r\n"
    inside = rf"\\{re.escape(quote)}[^{end}{re.escape(quote)}]"
    doubled = rf"[^{end}\\]{re.escape(quote * 2)}"
    if re.search(inside, sample) and not re.search(doubled, sample):
        return "\\"
    return quote


def _header_row(records: list[list[str]], skip: int, modal: int) -> int:
    """The first record, after blank ones and one-celled titles above wider rows."""
    first = next(row for row in range(skip, len(records)) if any(records[row]))
    row = first
    while row < len(records) and modal > 1 and sum(map(bool, records[row])) <= 1:
        row += 1
    if row < len(records) and len(records[row]) == modal:
        return row
    return first
