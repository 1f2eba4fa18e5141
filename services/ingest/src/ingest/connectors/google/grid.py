"""From the cells of a tab to a table of text: which row is the header, which rows hold data."""

from collections.abc import Sequence
from dataclasses import dataclass

from ingest.connectors import Notice
from ingest.connectors.sheets import cells
from ingest.connectors.sheets.cells import Rows
from ingest.connectors.sheets.grid import Grid, Merge, at, head, merged_below, told_below


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
        and not cells.spelt(str(at(seen, row, column)), value)
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
    found = head(grid, widths, merges, header_row)
    row, width = found.row, len(found.names)
    columns = [_column(grid, range(row + 1, len(widths)), column) for column in range(width)]
    failed = {
        (row + 2 + below, column): grid.shown(row + 1 + below, column)
        for column in range(width)
        for below in range(len(widths) - row - 1)
        if grid.value(row + 1 + below, column) in cells.ERRORS
    }
    merged = merged_below(merges, row, len(widths), width)
    warnings = (*found.warnings, *told_below(found.names, len(failed), failed, merged))
    return Table(found.names, tuple(zip(*columns, strict=True)), warnings)


def _differ(raw: Rows, other: Rows) -> bool:
    return any(
        isinstance(value, str) and value != at(other, row, column)
        for row, values in enumerate(raw)
        for column, value in enumerate(values)
    )


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
