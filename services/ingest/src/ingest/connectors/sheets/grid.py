"""The cells of a sheet by row and column, and its header: titles above it, merges over it."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ingest.connectors import BadSource, Notice
from ingest.connectors.sheets.cells import Rows, Scalar

SAMPLE = 200
"""Rows that tell how wide the table is."""
SHOWN = 5
_WIDEST = 8_192
"""Merges of one row: it has 16,384 columns."""


@dataclass(frozen=True)
class Merge:
    """Cells that are shown as one; ends are exclusive, all count from 0."""

    first_row: int
    end_row: int
    first_column: int
    end_column: int


@dataclass(frozen=True)
class Grid:
    """A sheet, read as it is shown and by value; rows and their ends may be absent."""

    seen: Rows
    raw: Rows
    dated: Rows | None = None
    """By value, with dates and times as shown: what differs from `raw` is one."""

    @property
    def height(self) -> int:
        """Rows, blank ones included."""
        return max(len(self.seen), len(self.raw))

    def shown(self, row: int, column: int) -> str:
        """The text on the screen."""
        return str(at(self.seen, row, column))

    def value(self, row: int, column: int) -> Scalar:
        """The value, `""` for a blank cell."""
        return at(self.raw, row, column)

    def width(self, row: int) -> int:
        """Cells of a row up to its last one that is not blank."""
        for column in reversed(range(_length(self.seen, row, self.raw))):
            if self.holds(row, column):
                return column + 1
        return 0

    def holds(self, row: int, column: int) -> bool:
        """Whether a cell is not blank."""
        return self.shown(row, column).strip() != "" or str(self.value(row, column)).strip() != ""

    def is_dated(self, row: int, column: int) -> bool:
        """Whether a number is shown as a date, a time or a duration."""
        return self.dated is not None and isinstance(at(self.dated, row, column), str)


@dataclass(frozen=True)
class Head:
    """The header: its row, and a name or `""` for each column of the table."""

    row: int
    names: tuple[str, ...]
    warnings: tuple[Notice, ...]


def head(
    grid: Grid, widths: Sequence[int], merges: Sequence[Merge], header_row: int | None
) -> Head:
    """Find the header. `widths`: of all rows, the last not blank; `grid` needs the first rows.

    `header_row`: rows before the header, when a person said so. Raises BadSource `empty_sheet`,
    `no_header`.
    """
    if not widths:
        raise BadSource(
            "empty_sheet", "The tab is empty. Write a header and rows into it, or choose another."
        )
    warnings: list[Notice] = []
    # Merges below the rows among which the header is looked for are nobody's.
    filled = [row for row in range(len(widths)) if widths[row]][:SAMPLE]
    covered = _covered(merges, filled[-1] if header_row is None and filled else header_row or 0)
    row = header_row
    if row is None:
        row = _header_row(grid, widths, covered)
        titles = [before for before in range(row) if widths[before]]
        if titles:
            first = next(filter(None, (cell.strip() for cell in _texts(grid, titles[0], widths))))
            warnings.append(
                Notice(
                    code="lines_before_header",
                    message=f"{len(titles)} rows before the header were left out, the first: "
                    f"{first!r}. If one is the header, choose its row.",
                )
            )
    elif row >= len(widths) or not widths[row]:
        raise BadSource(
            "no_header", f"Row {row + 1} of the tab is empty or absent: choose the header's row."
        )
    width = max(_extent(grid, row, widths, covered), *widths[row:])
    names = [_name(grid, row, column, covered) for column in range(width)]
    spread = [
        name for column, name in enumerate(names) if name.strip() and not grid.holds(row, column)
    ]
    if spread:
        listed = ", ".join(map(repr, dict.fromkeys(spread)))
        warnings.append(
            Notice(
                code="merged_header",
                message=f"Merged cells in the header name each column below them: {listed}.",
            )
        )
    return Head(row, tuple(names), tuple(warnings))


def told_below(
    names: Sequence[str], count: int, first: Mapping[tuple[int, int], str], merged: int
) -> Iterator[Notice]:
    """What to say of cells below the header: formulas that failed, and merged ones.

    `first` of `count` that failed: by row, as a person counts it, and column from 0.
    """
    if count:
        some = ", ".join(
            f"{error} in row {row} of {names[column] or f'column {column + 1}'!r}"
            for (row, column), error in list(first.items())[:SHOWN]
        )
        more = ", …" if count > min(SHOWN, len(first)) else ""
        yield Notice(
            code="formula_errors",
            message=f"{count} cells hold an error of a formula and were left empty: {some}{more}.",
        )
    if merged:
        yield Notice(
            code="merged_cells",
            message=f"{merged} merged cells below the header hold their value in their first "
            "cell; the others are empty. Fill them in with a recipe.",
        )


def merged_below(merges: Sequence[Merge], header: int, height: int, width: int) -> int:
    """Merges among the rows of the table."""
    return sum(header < merge.first_row < height and merge.first_column < width for merge in merges)


def at(rows: Rows, row: int, column: int) -> Scalar:
    """A cell, `""` where there is none."""
    if row < len(rows) and column < len(rows[row]):
        return rows[row][column]
    return ""


def _length(seen: Rows, row: int, raw: Rows) -> int:
    return max(len(rows[row]) if row < len(rows) else 0 for rows in (seen, raw))


class _Covered:
    """The merges that a row has a part in, by the columns at which they begin."""

    def __init__(self) -> None:
        self._rows: dict[int, list[Merge]] = {}

    def add(self, row: int, merge: Merge) -> None:
        """Merges come by rising first column."""
        self._rows.setdefault(row, []).append(merge)

    def of(self, row: int) -> Sequence[Merge]:
        """All of a row."""
        return self._rows.get(row, ())

    def at(self, row: int, column: int) -> Merge | None:
        """The one that holds a cell; merges of one sheet do not overlap."""
        merges = self.of(row)
        before = bisect_right(merges, column, key=lambda merge: merge.first_column)
        if before and column < merges[before - 1].end_column:
            return merges[before - 1]
        return None


def _covered(merges: Sequence[Merge], until: int) -> _Covered:
    """Those of the rows up to `until`; those of whole columns only at their first rows.

    Raises BadSource for more merges than a sheet has room for: they overlap.
    """
    found, count = _Covered(), 0
    for merge in sorted(merges, key=lambda merge: merge.first_column):
        end = min(merge.end_row, merge.first_row + SAMPLE, until + 1)
        count += max(0, end - merge.first_row)
        if count > SAMPLE * _WIDEST:
            raise BadSource(
                "damaged_workbook",
                "Merged ranges of the sheet overlap. Unmerge them, or save it as CSV and upload "
                "that.",
            )
        for row in range(merge.first_row, end):
            found.add(row, merge)
    return found


def _name(grid: Grid, row: int, column: int, covered: _Covered) -> str:
    """The text of a header's cell; that of a merge stands in its first cell."""
    merge = covered.at(row, column)
    if merge is not None:
        return grid.shown(merge.first_row, merge.first_column)
    return grid.shown(row, column)


def _extent(grid: Grid, row: int, widths: Sequence[int], covered: _Covered) -> int:
    """Columns of a row, with those that a merge with a text reaches."""
    reached = [
        merge.end_column
        for merge in covered.of(row)
        if grid.holds(merge.first_row, merge.first_column)
    ]
    return max(widths[row], *reached, 0)


def _header_row(grid: Grid, widths: Sequence[int], covered: _Covered) -> int:
    """The first row with text in at least half of the table's columns; titles have it in fewer."""
    filled = [row for row in range(len(widths)) if widths[row]][:SAMPLE]
    common = Counter(widths[row] for row in filled)
    usual = max(common, key=lambda width: (common[width], width))
    for row in filled:
        own = sum(grid.holds(row, column) for column in range(widths[row]))
        heads = sum(
            _name(grid, row, column, covered).strip() != ""
            for column in range(_extent(grid, row, widths, covered))
        )
        if (own > 1 or usual == 1) and 2 * heads >= usual:
            return row
    return filled[0]


def _texts(grid: Grid, row: int, widths: Sequence[int]) -> Iterator[str]:
    return (grid.shown(row, column) for column in range(widths[row]))
