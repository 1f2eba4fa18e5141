"""From the cells of a tab to a table of text: which row is the header, which rows hold data."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ingest.connectors import BadSource, Notice
from ingest.connectors.google import cells
from ingest.connectors.google.cells import Rows, Scalar
from ingest.connectors.google.spreadsheet import Merge

SAMPLE = 200
"""Rows that tell how wide the table is."""
SHOWN = 5


@dataclass(frozen=True)
class Grid:
    """A tab, read as it is shown and by value; rows and their ends may be absent."""

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
        return str(_at(self.seen, row, column))

    def value(self, row: int, column: int) -> Scalar:
        """The value, `""` for a blank cell."""
        return _at(self.raw, row, column)

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
        return self.dated is not None and isinstance(_at(self.dated, row, column), str)


@dataclass(frozen=True)
class Table:
    """A rectangle of text; a blank cell is `""`."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    warnings: tuple[Notice, ...]


def may_hold_dates(seen: Rows, raw: Rows) -> bool:
    """Whether some number is shown with other digits than its own."""
    return any(
        isinstance(value, cells.Number)
        and cells.is_number(value)
        and not cells.spelt(str(_at(seen, row, column)), value)
        for row, values in enumerate(raw)
        for column, value in enumerate(values)
    )


def disagree(seen: Rows, raw: Rows, dated: Rows | None) -> bool:
    """Whether readings of one tab look as if it was edited between them.

    Never so for a tab at rest whose texts have no format of their own.
    """
    return (
        len(seen) != len(raw)
        or _differ(raw, seen)
        or (dated is not None and (len(dated) != len(raw) or _differ(raw, dated)))
    )


def outline(raw: Rows) -> list[list[str | None]]:
    """The texts and where they stand; numbers may be recalculated at any time."""
    return [[value if isinstance(value, str) else None for value in row] for row in raw]


def table(grid: Grid, merges: Sequence[Merge], header_row: int | None = None) -> Table:
    """The table in a tab. `header_row`: rows before the header, when a person said so.

    Raises BadSource `empty_sheet`, `no_header`.
    """
    widths = [grid.width(row) for row in range(grid.height)]
    while widths and not widths[-1]:
        widths.pop()
    if not widths:
        raise BadSource(
            "empty_sheet", "The tab is empty. Write a header and rows into it, or choose another."
        )
    warnings: list[Notice] = []
    covered = _covered(merges)
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
    header = [_head(grid, row, column, covered) for column in range(width)]
    spread = [
        name for column, name in enumerate(header) if name.strip() and not grid.holds(row, column)
    ]
    if spread:
        names = ", ".join(map(repr, dict.fromkeys(spread)))
        warnings.append(
            Notice(
                code="merged_header",
                message=f"Merged cells in the header name each column below them: {names}.",
            )
        )
    columns = [_column(grid, range(row + 1, len(widths)), column) for column in range(width)]
    failed = {
        (row + 2 + below, column): grid.shown(row + 1 + below, column)
        for column in range(width)
        for below in range(len(widths) - row - 1)
        if grid.value(row + 1 + below, column) in cells.ERRORS
    }
    warnings += _told(header, failed, _merged_below(merges, row, len(widths), width))
    return Table(tuple(header), tuple(zip(*columns, strict=True)), tuple(warnings))


def _at(rows: Rows, row: int, column: int) -> Scalar:
    if row < len(rows) and column < len(rows[row]):
        return rows[row][column]
    return ""


def _length(seen: Rows, row: int, raw: Rows) -> int:
    return max(len(rows[row]) if row < len(rows) else 0 for rows in (seen, raw))


def _differ(raw: Rows, other: Rows) -> bool:
    return any(
        isinstance(value, str) and value != _at(other, row, column)
        for row, values in enumerate(raw)
        for column, value in enumerate(values)
    )


def _covered(merges: Sequence[Merge]) -> dict[int, list[Merge]]:
    """The merges that a row has a part in; those of whole columns only at their first rows."""
    found: dict[int, list[Merge]] = {}
    for merge in merges:
        for row in range(merge.first_row, min(merge.end_row, merge.first_row + SAMPLE)):
            found.setdefault(row, []).append(merge)
    return found


def _head(grid: Grid, row: int, column: int, covered: dict[int, list[Merge]]) -> str:
    """The text of a header's cell; that of a merge stands in its first cell."""
    for merge in covered.get(row, ()):
        if merge.first_column <= column < merge.end_column:
            return grid.shown(merge.first_row, merge.first_column)
    return grid.shown(row, column)


def _extent(grid: Grid, row: int, widths: Sequence[int], covered: dict[int, list[Merge]]) -> int:
    """Columns of a row, with those that a merge with a text reaches."""
    reached = [
        merge.end_column
        for merge in covered.get(row, ())
        if grid.holds(merge.first_row, merge.first_column)
    ]
    return max(widths[row], *reached, 0)


def _header_row(grid: Grid, widths: Sequence[int], covered: dict[int, list[Merge]]) -> int:
    """The first row with text in at least half of the table's columns; titles have it in fewer."""
    filled = [row for row in range(len(widths)) if widths[row]][:SAMPLE]
    common = Counter(widths[row] for row in filled)
    usual = max(common, key=lambda width: (common[width], width))
    for row in filled:
        own = sum(grid.holds(row, column) for column in range(widths[row]))
        heads = sum(
            _head(grid, row, column, covered).strip() != ""
            for column in range(_extent(grid, row, widths, covered))
        )
        if (own > 1 or usual == 1) and 2 * heads >= usual:
            return row
    return filled[0]


def _texts(grid: Grid, row: int, widths: Sequence[int]) -> Iterator[str]:
    return (grid.shown(row, column) for column in range(widths[row]))


def _column(grid: Grid, rows: range, column: int) -> list[str]:
    """The cells of a column as text. If one of its dates has a time, all are given one."""
    found = {
        row: moment
        for row in rows
        if isinstance(value := grid.value(row, column), cells.Number)
        and grid.is_dated(row, column)
        and (moment := cells.moment(grid.shown(row, column), value)) is not None
    }
    with_time = any(moment.time() != moment.min.time() for moment in found.values())
    return [
        cells.iso(found[row], with_time=with_time) if row in found else _text(grid, row, column)
        for row in rows
    ]


def _text(grid: Grid, row: int, column: int) -> str:
    value = grid.value(row, column)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "" if value in cells.ERRORS else grid.shown(row, column) or value
    if grid.is_dated(row, column):
        return grid.shown(row, column)
    return cells.number(grid.shown(row, column), value)


def _merged_below(merges: Sequence[Merge], header: int, height: int, width: int) -> int:
    return sum(header < merge.first_row < height and merge.first_column < width for merge in merges)


def _told(
    header: Sequence[str], failed: dict[tuple[int, int], str], merged: int
) -> Iterator[Notice]:
    if failed:
        some = ", ".join(
            f"{error} in row {row} of {header[column] or f'column {column + 1}'!r}"
            for (row, column), error in list(failed.items())[:SHOWN]
        )
        more = ", …" if len(failed) > SHOWN else ""
        yield Notice(
            code="formula_errors",
            message=f"{len(failed)} cells hold an error of a formula and were left empty: "
            f"{some}{more}.",
        )
    if merged:
        yield Notice(
            code="merged_cells",
            message=f"{merged} merged cells below the header hold their value in their first "
            "cell; the others are empty. Fill them in with a recipe.",
        )
