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

from contracts.ingest import ColumnOption
from ingest import header
from ingest.cells import Cutter
from ingest.cells import records as cut
from ingest.connectors import BadSource, Found, Notice

SAMPLE = 1 << 18
DELIMITERS = (",", ";", "\t", "|")
NO_DELIMITER = "\x1f"
"""Unit separator: stands where a file has one column and commas are only prose."""
CELL_LIMIT = 1 << 26
_MOST = 0.98
"""Share of delimiters that have to be followed by a space."""


class CsvOptions(BaseModel):
    """What the user said about the file; what is absent is detected."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    delimiter: str | None = None
    quote: str | None = None
    encoding: str | None = None
    header_row: int | None = Field(default=None, ge=-1)
    """Records before the header, blank lines included; -1: there is no header."""
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
    """How to cut the file, with the header's cells and the number of columns to expect."""

    cutter: Cutter
    header_row: int
    """Records before the header; -1 in a file without one."""
    header: tuple[str, ...]
    width: int
    warnings: tuple[Notice, ...] = ()

    @property
    def delimiter(self) -> str:
        """As a person would say it: with the space after it, empty for a single column."""
        if self.cutter.delimiter == NO_DELIMITER:
            return ""
        return self.cutter.delimiter + (" " if self.cutter.spaced else "")

    @property
    def simple(self) -> bool:
        """DuckDB and the `csv` module can be told it."""
        return len(self.cutter.delimiter.encode()) == 1 and not self.cutter.spaced


@contextmanager
def records(path: Path, layout: Layout) -> Iterator[Any]:
    """Every record of the file through Python's own parser, a second opinion on DuckDB's (a `csv.reader`)."""
    before = csv.field_size_limit(CELL_LIMIT)
    cutter = layout.cutter
    plain = cutter.escape == cutter.quote
    try:
        with path.open("r", encoding="utf-8-sig", newline="") as file:
            yield csv.reader(
                file,
                delimiter=cutter.delimiter,
                quotechar=cutter.quote,
                doublequote=plain,
                escapechar=None if plain else cutter.escape,
            )
    finally:
        csv.field_size_limit(before)


def detect(path: Path, options: CsvOptions) -> Layout:
    """Look at the first 256 KB of UTF-8 text. Raises BadSource `no_header`, `empty_file`."""
    sample = _sample(path)
    if not sample.strip():
        raise BadSource("empty_file", "The file holds only blank space. Upload one with a header.")
    skip, said = _separator_line(sample)
    quote = options.quote or _quote(sample)
    delimiter = options.delimiter or said or _delimiter(sample, quote)
    spaced = _spaced(sample, delimiter, quote)
    delimiter = delimiter.rstrip(" ") or delimiter
    cutter = Cutter(delimiter, quote, _escape(sample, delimiter, quote), spaced)
    found = [record.cells for record in cut(io.StringIO(sample, newline=""), cutter)]
    widths = Counter(len(record) for record in found[skip:] if any(record))
    modal = max(widths, key=lambda width: (widths[width], width), default=1)
    warnings: list[Notice] = []
    row = options.header_row
    if row is None:
        where = header.find(found, skip, modal)
        row = where.row
        if where.titles:
            warnings.append(
                Notice(
                    code="lines_before_header",
                    message=f"{where.titles} lines before the header were left out, the first: "
                    f"{where.first_title!r}. If one is the header, choose its row.",
                )
            )
    if row == header.NONE:
        names: tuple[str, ...] = ()
        warnings.append(
            Notice(
                code="no_header",
                message="The first row looks like data, not like names: the columns are called "
                "column_1, column_2 and so on. If it is the header, choose row 0.",
            )
        )
    elif row >= len(found) or not any(found[row]):
        raise BadSource(
            "no_header", f"Row {row + 1} of the file is empty or absent: choose the header's row."
        )
    else:
        names = tuple(found[row])
    if delimiter == NO_DELIMITER:
        warnings.append(
            Notice(code="single_column", message="No delimiter was found: one column was read.")
        )
    # A header of one cell above wider rows is a title or a damaged header: the rows decide.
    surplus = names[modal:]
    names = names if any(surplus) else names[:modal]
    width = max(len(names), modal)
    return Layout(cutter, row, names, width, tuple(warnings))


def _sample(path: Path) -> str:
    with path.open("r", encoding="utf-8-sig", newline="") as file:
        text = file.read(SAMPLE)
        if not file.read(1):
            return text
    return text[: text.rfind("\n") + 1] or text


def _widths(sample: str, delimiter: str, quote: str) -> list[int]:
    """Cells of every record that is not blank, read quickly and forgivingly."""
    before = csv.field_size_limit(CELL_LIMIT)
    reader = csv.reader(
        io.StringIO(sample, newline=""),
        delimiter=delimiter,
        quotechar=quote,
        skipinitialspace=True,
    )
    try:
        return [len(row) for row in reader if any(row)]
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
        rows = _widths(sample, delimiter, quote)
        widths = Counter(rows)
        if not widths:
            continue
        widest = max(widest, *widths) if delimiter == "," else widest
        width = max(widths, key=lambda width: (widths[width], width))
        if width == 1:
            continue
        score = (round(widths[width] / len(rows), 2), rows[0] == width, width)
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


def _quote(sample: str) -> str:
    """An apostrophe, when cells stand between apostrophes and none between quotation marks."""
    around = rf"(?:^|[{re.escape(''.join(DELIMITERS))}] ?){{q}}[^\r\n]*?{{q}}(?=[,;\t|\r\n]|\Z)"
    if re.search(around.replace("{q}", '"'), sample, re.MULTILINE):
        return '"'
    enough = 2
    found = re.finditer(around.replace("{q}", "'"), sample, re.MULTILINE)
    return "'" if sum(1 for _ in zip(found, range(enough), strict=False)) == enough else '"'


def _spaced(sample: str, delimiter: str, quote: str) -> bool:
    """A space follows every delimiter (but for a few) outside quotes: it belongs to it."""
    if len(delimiter) > 1:
        return delimiter.endswith(" ")
    q = re.escape(quote)
    bare = re.sub(rf"{q}[^{q}]*{q}", quote, sample)
    cells = bare.count(delimiter)
    ends = len(re.findall(rf"{re.escape(delimiter)}(?=\r|\n|\Z)", bare))
    spaced = bare.count(delimiter + " ")
    return delimiter not in " \t" and spaced > 0 and spaced >= _MOST * (cells - ends)
