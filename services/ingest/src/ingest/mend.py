"""A damaged file made sound: every record is kept, repaired and told, or set aside with its line."""

import csv
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from operator import attrgetter
from pathlib import Path

from ingest import header
from ingest.cells import Cutter, Record, records
from ingest.connectors import BadSource, Notice
from ingest.dialect import Layout

SHOWN = 5
"""Line numbers that a warning lists."""
TOO_MANY = 10
"""A file of which more than a tenth is set aside was cut in the wrong way."""
LONGEST_FOOTER = 20
"""Records that notes below a table may have."""
TAIL = 1 << 15
"""Bytes at the end of a file that are searched for such notes."""
MENDED = Cutter(",", '"', '"')


@dataclass
class _Told:
    """Rows of which one thing is said, and the first of their lines."""

    code: str
    what: str
    """The warning after the number of rows; `{}` stands for their lines."""
    count: int = 0
    lines: list[int] = field(default_factory=list)

    def add(self, line: int) -> None:
        self.count += 1
        if len(self.lines) < SHOWN:
            self.lines.append(line)

    def notice(self) -> Notice:
        more = ", …" if self.count > len(self.lines) else ""
        lines = f"line{'s' * (self.count > 1)} {', '.join(map(str, self.lines))}{more}"
        said = self.what.format(lines)
        return Notice(code=self.code, message=f"{self.count} row{'s' * (self.count > 1)} {said}")


@dataclass(frozen=True)
class Mended:
    """A copy that reads the same for everybody, and what was done to get it."""

    path: Path
    layout: Layout
    rows: int
    """Rows in the copy: what must be read from it."""
    rejects: Path | None
    """Records that were set aside, as CSV with their lines and reasons; None when none was."""
    warnings: tuple[Notice, ...]


class _Mender:
    """Sorts records: rows as they are, rows that were repaired, and those set aside."""

    def __init__(self, width: int, aside: Callable[[Record, str], object], censored: bool) -> None:
        """`aside` takes what is no row of the table, with the reason.

        `censored`: no cell may be seen in a warning.
        """
        self._width = width
        self._censored = censored
        self._aside = aside
        self._waiting: list[Record] = []
        self._after_blank = False
        self._first_rejects: list[str] = []
        self.rows = 0
        self.blank = 0
        self.short = _Told(
            "short_rows",
            f"with fewer cells than the {width} columns ({{}}): the missing ones were left empty.",
        )
        self.long = _Told(
            "long_rows",
            f"with empty cells beyond the {width} columns ({{}}): these were dropped. See whether the "
            "other cells are in the right columns.",
        )
        self.repaired = _Told(
            "quotes_repaired",
            "with a quote that is not closed, or not doubled ({}): it was read as part of the text.",
        )
        self.rejected = _Told(
            "rows_rejected",
            f"with more cells than the {width} columns ({{}}) set aside, not in the table. To have "
            "them in it, correct them and upload the file again.",
        )

    def rows_of(self, found: Iterator[Record]) -> Iterator[list[str]]:
        """The rows to keep, all of one width. Raises BadSource `bad_rows`."""
        for record in found:
            if record.blank:
                self.blank += 1
                self._after_blank = True
            elif self._may_be_note(record):
                self._waiting.append(record)
                if len(self._waiting) > LONGEST_FOOTER:
                    yield from self._no_notes()
            else:
                if self._after_blank:
                    yield from self._no_notes()
                yield from self._row(record)
        self._check()
        for record in self._waiting:
            self._aside(record, "below the table")

    def _may_be_note(self, record: Record) -> bool:
        """Notes below a table have one cell and follow a blank record."""
        if not self._after_blank or self._width < 3:
            return False
        first, *others = record.cells
        return bool(first.strip()) and not any(cell.strip() for cell in others)

    def _no_notes(self) -> Iterator[list[str]]:
        """What waited is rows after all: a whole one follows."""
        waiting, self._waiting, self._after_blank = self._waiting, [], False
        for record in waiting:
            yield from self._row(record)

    def _row(self, record: Record) -> Iterator[list[str]]:
        cells, width = record.cells, self._width
        surplus = cells[width:]
        if any(cell.strip() for cell in surplus):
            self._reject(record)
            return
        if surplus:
            self.long.add(record.line)
        elif len(cells) < width:
            self.short.add(record.line)
        if record.damaged:
            self.repaired.add(record.line)
        self.rows += 1
        yield cells if len(cells) == width else (cells + [""] * width)[:width]

    def _reject(self, record: Record) -> None:
        cells = len(record.cells)
        self.rejected.add(record.line)
        if self.rejected.count <= SHOWN:
            self._first_rejects.append(
                f"line {record.line} has {cells} cells where there are {self._width} columns"
            )
        self._aside(record, f"{cells} cells for {self._width} columns")

    def _check(self) -> None:
        """A file of which too much does not fit was cut in the wrong way."""
        bad = self.rejected.count
        if bad * TOO_MANY <= self.rows + bad:
            return
        more = f" and {bad - SHOWN} more" if bad > SHOWN else ""
        raise BadSource(
            "bad_rows",
            f"{bad} row{'s' * (bad > 1)} cannot be read: {'; '.join(self._first_rejects)}{more}. "
            "Correct the file, or choose its delimiter and quote character.",
        )

    def warnings(self) -> Iterator[Notice]:
        """In plain words, with the lines that an editor shows."""
        for told in (self.short, self.long, self.repaired, self.rejected):
            if told.count:
                yield told.notice()
        if self._waiting:
            first = self._waiting[0]
            yield Notice(
                code="lines_after_table",
                message="Lines below the table were left out; the first of them "
                f"(line {first.line}){'' if self._censored else f': {first.cells[0]!r}'}.",
            )
        if self.blank:
            yield Notice(code="blank_rows", message=f"{self.blank} blank rows were left out.")


def has_notes_below(path: Path, layout: Layout) -> bool:
    """The last records are one-celled and follow a blank one: a source, a footnote."""
    if layout.width < 3:
        return False
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - TAIL, 0))
        lines = file.read().decode("utf-8", "replace").splitlines()
    signs = layout.cutter.delimiter + layout.cutter.quote + " "
    notes = 0
    for line in reversed(lines[-LONGEST_FOOTER:]):
        if not line.strip(signs):
            if notes:
                return True
        elif layout.cutter.delimiter in line.rstrip(signs):
            return False
        else:
            notes += 1
    return False


def mend(
    path: Path, layout: Layout, folder: Path, censored: Callable[[Record], str] | None = None
) -> Mended:
    """Write a sound copy into `folder`. Raises BadSource `bad_rows`.

    `censored` is what may be seen of a record that is set aside, where not all of it may.
    """
    target, rejects = folder / "mended.csv", folder / "rejects.csv"
    heads = layout.header_row + 1
    with (
        path.open("r", encoding="utf-8-sig", newline="") as source,
        target.open("w", encoding="utf-8", newline="") as file,
        rejects.open("w", encoding="utf-8", newline="") as aside,
    ):
        refused = csv.writer(aside)
        refused.writerow(("line", "reason", "text"))
        text_of = censored or attrgetter("text")
        mender = _Mender(
            layout.width,
            lambda record, reason: refused.writerow((record.line, reason, text_of(record))),
            censored is not None,
        )
        found = records(source, layout.cutter, layout.width, heads)
        for _ in zip(range(heads), found, strict=False):
            pass
        writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writerows(mender.rows_of(found))
    warnings = tuple(mender.warnings())
    kept = {"rows_rejected", "lines_after_table"} & {warning.code for warning in warnings}
    return Mended(
        target,
        replace(layout, cutter=MENDED, header_row=header.NONE),
        mender.rows,
        rejects if kept else None,
        warnings,
    )
