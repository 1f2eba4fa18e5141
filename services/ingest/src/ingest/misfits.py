"""Values that are not of the type that a person said: which they are, and in which lines."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import duckdb

from contracts.ingest import ColumnOption
from ingest.cells import records
from ingest.connectors import BadSource, ColumnType
from ingest.dialect import Layout
from ingest.infer import filled
from ingest.said import said

EXAMPLES = 5
LONGEST = 40
"""Characters of a value that a message shows."""


class Unfit(Exception):
    """A column has values that are not of the type that was said of it; it is not masked."""

    def __init__(self, column: str, display: str, type: ColumnType, cells: Sequence[str]) -> None:
        """`column` is its name in the scan, `cells` a few of the values."""
        super().__init__(display)
        self._index = int(column.removeprefix("c"))
        self._display = display
        self._type = type
        self._cells = cells

    def told(self, path: Path, layout: Layout) -> BadSource:
        """`wrong_type`, with the values and the line of the file in which each stands first."""
        lines: dict[str, int] = {}
        heads = layout.header_row + 1
        with path.open("r", encoding="utf-8-sig", newline="") as file:
            for record in islice(records(file, layout.cutter, layout.width, heads), heads, None):
                cell = record.cells[self._index] if self._index < len(record.cells) else ""
                if cell in self._cells:
                    lines.setdefault(cell, record.line)
                    if len(lines) == len(self._cells):
                        break
        places = {cell: f" in line {line}" for cell, line in lines.items()}
        first = sorted(self._cells, key=lambda cell: lines.get(cell, 0))
        shown = ", ".join(f"{cell[:LONGEST]!r}{places.get(cell, '')}" for cell in first)
        return BadSource(
            "wrong_type",
            f"The column {self._display!r} cannot be read as {self._type}: "
            f"{shown or 'some values'} do not fit. Choose another type, or correct the file.",
        )


def found(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    column: str,
    display: str,
    rule: ColumnOption,
) -> Unfit:
    """Some values that the likeliest reading of the type said does not take."""
    assert rule.type is not None
    readings = said(rule.type, rule.format)
    tests = ", ".join(f"count_if({one.fits_sql(column)})" for one in readings)
    (counts,) = connection.execute(f"SELECT {tests} FROM {source}").fetchall()
    likeliest = readings[counts.index(max(counts))]
    cells = connection.execute(
        f"SELECT DISTINCT {column} FROM {source} "
        f"WHERE {filled(column)} AND NOT {likeliest.fits_sql(column)} LIMIT {EXAMPLES}"
    ).fetchall()
    return Unfit(column, display, rule.type, [row[0] for row in cells])
