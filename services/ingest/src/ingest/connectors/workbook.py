"""One sheet of a workbook (XLSX, XLSB, XLS, ODS) as a UTF-8 CSV file, in the forms of Google Sheets."""

import csv
import mmap
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal
from xml.parsers import expat

import python_calamine as calamine

from ingest.connectors import BadSource, Notice, ods
from ingest.connectors.archives import check, unzipping
from ingest.connectors.sheets import cells
from ingest.connectors.sheets.grid import SAMPLE, Grid, Head, Merge, head, merged_below, told_below
from ingest.connectors.xlsx import Marks, Parts, marks, parts

Kind = Literal["xlsx", "xlsb", "xls", "ods"]

INFLATED = 2 << 30
"""Bytes of XML that a workbook may hold: twice a full sheet of a million rows and twenty columns."""
MOST_CELLS = 20_000_000
"""Cells between the first and the last that are filled: calamine takes some 100 bytes for each,
and a worker may take 3 GB."""
MOST_MERGES = 100_000
"""Merged ranges of a sheet."""
MOST_SHEETS = 1_000
SHOWN = 20
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""How files of the old Office begin, and every one that a password protects."""
_TABLE = "Upload a CSV file or a workbook."
_FEWER = "Delete cells far from the table, or save the sheet as CSV and upload that."
_AGAIN = "Open it in Excel or LibreOffice, save it again as XLSX and upload that."

Row = list[Any]


@dataclass(frozen=True)
class Written:
    """A sheet on this machine, with where its header stood."""

    sheet: str
    sheets: tuple[str, ...]
    """All that hold cells, hidden ones too."""
    header_row: int
    """Rows before the header; -1 without one."""
    warnings: tuple[Notice, ...]


def kind_of_zip(archive: zipfile.ZipFile) -> Kind | None:
    """The kind of workbook that a zip archive is, by its parts. Raises BadSource for other documents."""
    names = set(archive.namelist())
    if "xl/workbook.xml" in names:
        return "xlsx"
    if "xl/workbook.bin" in names:
        return "xlsb"
    if "mimetype" in names and "content.xml" in names:
        said = archive.read("mimetype")[:100].decode("ascii", "replace")
        if said.startswith("application/vnd.oasis.opendocument.spreadsheet"):
            return "ods"
        raise BadSource("not_csv", f"This is a document ({said}), not a table. {_TABLE}")
    for part, what in (
        ("word/document.xml", "a Word document"),
        ("ppt/presentation.xml", "slides"),
    ):
        if part in names:
            raise BadSource("not_csv", f"This is {what}, not a table. {_TABLE}")
    return None


def require_xls(path: Path) -> None:
    """Raises BadSource for a file that begins like an XLS and is none, or has a password."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if content.find("EncryptedPackage".encode("utf-16-le")) >= 0:
            raise _protected()
        if not any(content.find(name.encode("utf-16-le")) >= 0 for name in ("Workbook", "Book")):
            raise BadSource("not_csv", f"This is an old Office file, not a table. {_TABLE}")


def write(
    path: Path, kind: Kind, sheet: str | None, header_row: int | None, target: Path
) -> Written:
    """Write a sheet to `target`: UTF-8, commas, a header unless `header_row` is -1.

    Without `sheet`, the first that is visible and holds cells. Raises BadSource.
    """
    # calamine reads a file by its extension, and one without any from memory.
    named = target.with_suffix(f".{kind}")
    named.symlink_to(path.absolute())
    with _understood():
        if kind != "xls":
            with unzipping(path) as archive:
                check(archive, INFLATED)
                if kind == "ods":
                    _require_few_cells(ods.cells(archive, MOST_CELLS))
        with calamine.CalamineWorkbook.from_path(named) as book:
            names = _with_cells(book)
            if len(names) > MOST_SHEETS:
                raise BadSource(
                    "too_large",
                    f"The workbook has {len(names):,} sheets; {MOST_SHEETS:,} are read at most. "
                    "Save the sheet that you need as CSV and upload that.",
                )
            chosen, seen = _chosen(book, names, sheet, path if kind == "xlsx" else None)
            _require_size(chosen.name, chosen.height, chosen.width)
            merged = chosen.merged_cell_ranges or ()
            _require_few_merges(chosen.name, len(merged))
            merges = tuple(
                Merge(first[0], last[0] + 1, first[1], last[1] + 1) for first, last in merged
            )
            found = _Sheet(chosen, header_row, merges)
            found.write(target, seen)
    others = [name for name in names if name != chosen.name]
    warnings = [*found.head.warnings, *found.told(seen)]
    if others:
        listed = ", ".join(map(repr, others[:SHOWN])) + (", …" if len(others) > SHOWN else "")
        warnings.insert(
            0,
            Notice(
                code="sheet_chosen",
                message=f"The sheet {chosen.name!r} was read; the others were not: {listed}.",
            ),
        )
    return Written(chosen.name, names, found.head.row, tuple(warnings))


class _Sheet:
    """A sheet that calamine holds: looked through once for its shape, then written."""

    def __init__(
        self, sheet: calamine.CalamineSheet, header_row: int | None, merges: Sequence[Merge]
    ) -> None:
        self._sheet = sheet
        self._merges = merges
        self._widths: list[int] = []
        self._last_time: dict[int, int] = {}
        """The last row of a column in which a date has a time."""
        first: list[list[Any]] = []
        filled = 0
        for row in sheet.iter_rows():
            width = _width(row)
            self._widths.append(width)
            if datetime in set(map(type, row)):
                self._last_time |= {
                    column: len(self._widths) - 1
                    for column, cell in enumerate(row)
                    if type(cell) is datetime
                }
            if filled <= SAMPLE or len(first) <= (header_row or 0):
                first.append([_text(cell) for cell in row[:width]])
                filled += width > 0
        while self._widths and not self._widths[-1]:
            self._widths.pop()
        if header_row == -1 and self._widths:
            self.head = Head(-1, ("",) * max(self._widths), ())
        else:
            self.head = head(Grid(first, first), self._widths, merges, header_row)

    def write(self, target: Path, seen: Marks | None) -> None:
        """Header and rows, each with as many cells as the table has columns."""
        width, height = len(self.head.names), len(self._widths)
        # If one date of a column has a time, all are given one.
        timed = frozenset(c for c, row in self._last_time.items() if row > self.head.row)
        zeros = _Zeros(seen)
        # A return in a cell is quoted only if it is part of the line ends.
        with target.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\r\n")
            if self.head.row >= 0:
                writer.writerow(self.head.names)
            for number, row in enumerate(self._sheet.iter_rows()):
                if number >= height:
                    break
                if number <= self.head.row:
                    continue
                zeros.apply(number, row)
                if timed:
                    row = _with_times(row, timed)  # noqa: PLW2901
                texts = [_text(cell) for cell in row[:width]]
                texts += [""] * (width - len(texts))
                writer.writerow(texts)

    def told(self, seen: Marks | None) -> Iterator[Notice]:
        """What a person should know of the cells below the header."""
        row, names = self.head.row, self.head.names
        first = {
            (at + 1, column): error
            for (at, column), error in (seen.first_errors.items() if seen else ())
            if at > row and column < len(names)
        }
        merged = merged_below(self._merges, row, len(self._widths), len(names))
        return told_below(names, seen.errors if seen and first else 0, first, merged)


class _Zeros:
    """Puts leading zeros before numbers that are shown with them; rows come in their order."""

    def __init__(self, seen: Marks | None) -> None:
        self._places = seen.padded() if seen else iter(())
        self._next = next(self._places, None)

    def apply(self, number: int, row: Row) -> None:
        """Make such numbers of the row text."""
        while self._next is not None and self._next[0] <= number:
            at, column, digits = self._next
            self._next = next(self._places, None)
            if at != number or column >= len(row):
                continue
            value = row[column]
            if type(value) in {int, float} and value == int(value) and value >= 0:
                row[column] = f"{int(value):0{digits}d}"


def _with_cells(book: calamine.CalamineWorkbook) -> tuple[str, ...]:
    return tuple(
        one.name for one in book.sheets_metadata if one.typ == calamine.SheetTypeEnum.WorkSheet
    )


def _chosen(
    book: calamine.CalamineWorkbook, names: Sequence[str], wanted: str | None, xlsx: Path | None
) -> tuple[calamine.CalamineSheet, Marks | None]:
    """The sheet with this name, else the first visible one that is not empty."""
    if wanted is not None and wanted not in names:
        listed = ", ".join(map(repr, names[:SHOWN])) or "none"
        raise BadSource(
            "no_such_sheet", f"The workbook has no sheet {wanted!r}. Choose one of: {listed}."
        )
    shown = [
        one.name
        for one in book.sheets_metadata
        if one.visible == calamine.SheetVisibleEnum.Visible and one.name in names
    ]
    known = _parts(xlsx) if xlsx else None
    for name in [wanted] if wanted is not None else shown or names:
        seen = _measured(xlsx, known, name) if xlsx and known else None
        sheet = book.get_sheet_by_name(name)
        if wanted is not None or any(map(_width, sheet.iter_rows())):
            return sheet, seen
    listed = ", ".join(map(repr, names[:SHOWN])) or "none"
    raise BadSource(
        "empty_sheet",
        f"No visible sheet of the workbook holds a cell (sheets: {listed}). Fill one, or choose a "
        "sheet by its name.",
    )


def _parts(path: Path) -> Parts:
    with unzipping(path) as archive:
        return parts(archive)


def _measured(path: Path, known: Parts, sheet: str) -> Marks:
    """The marks of a sheet that calamine can hold: it takes room for every cell in between."""
    with unzipping(path) as archive:
        found = marks(archive, known, sheet)
    _require_size(sheet, found.rows, found.columns)
    _require_few_merges(sheet, found.merges)
    return found


def _require_size(sheet: str, rows: int, columns: int) -> None:
    if rows * columns > MOST_CELLS:
        raise BadSource(
            "too_large",
            f"The sheet {sheet!r} reaches over {rows:,} rows and {columns:,} columns; "
            f"{MOST_CELLS:,} cells are read at most. {_FEWER}",
        )


def _require_few_cells(found: int) -> None:
    if found > MOST_CELLS:
        raise BadSource(
            "too_large",
            f"The sheets reach over more than {MOST_CELLS:,} cells together, which are read at most. "
            f"{_FEWER}",
        )


def _require_few_merges(sheet: str, merges: int) -> None:
    if merges > MOST_MERGES:
        raise BadSource(
            "too_many_merges",
            f"The sheet {sheet!r} has {merges:,} merged ranges; {MOST_MERGES:,} are read at most. "
            "Unmerge cells below the header, or save the sheet as CSV and upload that.",
        )


def _width(row: Row) -> int:
    """Cells up to the last one that is not blank."""
    for column in range(len(row), 0, -1):
        cell = row[column - 1]
        if type(cell) is not str or cell.strip():
            return column
    return 0


def _with_times(row: Row, timed: frozenset[int]) -> Row:
    return [
        cells.iso(datetime(cell.year, cell.month, cell.day), with_time=True)  # noqa: DTZ001
        if type(cell) is date and column in timed
        else cell
        for column, cell in enumerate(row)
    ]


def _text(cell: Any) -> str:
    """A cell in the normal form of its kind."""
    return _FORMS.get(type(cell), str)(cell)


def _number(value: float) -> str:
    """All digits of the double, no exponent, no `.0`."""
    if value.is_integer():
        return str(int(value))
    said = repr(value)
    return f"{Decimal(said):f}" if "e" in said else said


def _moment(value: datetime) -> str:
    return cells.iso(value, with_time=True)


def _clock(value: time) -> str:
    return value.isoformat("milliseconds" if value.microsecond else "seconds")


def _duration(value: timedelta) -> str:
    """Hours may be more than a day's."""
    milliseconds = round(value / timedelta(milliseconds=1))
    seconds, rest = divmod(abs(milliseconds), 1000)
    sign = "-" if milliseconds < 0 else ""
    fraction = f".{rest:03}" if rest else ""
    return f"{sign}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{fraction}"


_FORMS: dict[type, Callable[[Any], str]] = {
    bool: lambda cell: "true" if cell else "false",
    float: _number,
    datetime: _moment,
    date: date.isoformat,
    time: _clock,
    timedelta: _duration,
}


@contextmanager
def _understood() -> Iterator[None]:
    """What calamine says, for people."""
    try:
        yield
    except calamine.PasswordError:
        raise _protected() from None
    except (
        calamine.CalamineError,
        expat.ExpatError,
        KeyError,
        StopIteration,
        ValueError,
    ) as error:
        if "Cell limit" in str(error):
            raise BadSource("too_large", f"The sheet is too large ({error}). {_FEWER}") from None
        raise _damaged(error) from None
    except BaseException as error:
        # calamine's own faults: a class that is in no module, and no Exception.
        if type(error).__name__ != "PanicException":
            raise
        raise _damaged(error) from None


def _protected() -> BadSource:
    return BadSource(
        "encrypted_workbook",
        "The workbook is protected with a password. Save a copy without one and upload that.",
    )


def _damaged(error: BaseException) -> BadSource:
    return BadSource(
        "damaged_workbook", f"The workbook cannot be read ({str(error)[:100]}). {_AGAIN}"
    )
