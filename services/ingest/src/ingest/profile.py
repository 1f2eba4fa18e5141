"""The type of every column, decided over every value; a sample only rules types out early."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import duckdb

from contracts.ingest import ColumnOption
from ingest import misfits
from ingest.connectors import BadSource, ColumnType, Notice
from ingest.dialect import CsvOptions
from ingest.infer import (
    READINGS,
    TEXT,
    ZONED,
    Reading,
    best,
    filled,
    in_words,
    kept_as_text,
)
from ingest.masks import masked_sql
from ingest.rules import rule
from ingest.said import said

SAMPLE_ROWS = 1000
SHOWN = 64
"""Characters of a cell that tell its shape: no reading is longer."""


@dataclass(frozen=True)
class Candidate:
    """A column with the readings that no value has ruled out."""

    column: str
    display: str
    readings: tuple[Reading, ...]
    rule: ColumnOption
    """What the user said of it."""
    seen: bool
    """A value was in the sample."""
    zoned: bool = False


@dataclass(frozen=True)
class Planned:
    """How one column is read, and how many of its cells are not blank."""

    column: str
    reading: Reading
    filled: int
    spaces: int
    """Cells of nothing but blank space."""
    rule: ColumnOption

    @property
    def as_it_stands(self) -> bool:
        """PostgreSQL reads every cell of the file itself as we would."""
        native = self.reading.native and self.rule.mask is None
        return native and (self.reading.type == "text" or not self.spaces)

    def cell(self) -> str:
        """SQL of the cell as PostgreSQL reads it; a blank one of a typed column is null."""
        if self.rule.mask is not None:
            return masked_sql(self.rule.mask, self.column)
        if self.reading.type == "text":
            return self.column
        return f"CASE WHEN {filled(self.column)} THEN {self.reading.value_sql(self.column)} END"


def candidates(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    display: Sequence[str],
    options: CsvOptions,
) -> list[Candidate]:
    """Try every reading on the first rows of `source`; what fails there is out."""
    columns = [f"c{index}" for index in range(len(display))]
    cells = ", ".join(f"left({column}, {SHOWN})" for column in columns)
    rows = connection.execute(f"SELECT {cells} FROM {source} LIMIT {SAMPLE_ROWS}").fetchall()
    found: list[Candidate] = []
    for index, (column, name) in enumerate(zip(columns, display, strict=True)):
        holds = rule(options.columns, name)
        if holds.skip or holds.mask is not None:
            readings = ()
        elif holds.type is not None:
            readings = said(holds.type, holds.format)
        else:
            readings = () if options.types == "text" else READINGS
        whole = Candidate(column, name, readings, holds, seen=False)
        found.append(_narrowed(whole, [row[index] for row in rows]))
    return found


def _narrowed(candidate: Candidate, cells: Iterable[str | None]) -> Candidate:
    """Drop the readings whose shape some cell lacks."""
    values = [cell for cell in cells if cell is not None and cell.strip()]
    if not values:
        return candidate
    return replace(
        candidate,
        readings=tuple(one for one in candidate.readings if all(map(one.may_fit, values))),
        seen=True,
        zoned=all(map(ZONED.may_fit, values)),
    )


def aggregates(all_of_them: Sequence[Candidate]) -> dict[str, str]:
    """Name and SQL of what the one pass must count. A column unseen in the sample comes later.

    Not `count(*) FILTER`: for each of them DuckDB keeps buffers for all columns, which those of a
    few hundred columns do not fit into a worker's memory.
    """
    counted: dict[str, str] = {}
    for candidate in all_of_them:
        counted[f"{candidate.column}_filled"] = f"count_if({filled(candidate.column)})"
        counted[f"{candidate.column}_spaces"] = f"count({candidate.column})"
        if candidate.seen:
            for index, reading in enumerate(candidate.readings):
                fits = reading.fits_sql(candidate.column)
                counted[f"{candidate.column}_{index}"] = f"count_if({fits})"
    return counted


def decide(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    all_of_them: Sequence[Candidate],
    counted: Mapping[str, Any],
) -> tuple[list[Planned], list[Notice]]:
    """The reading of every column. Raises `misfits.Unfit`, and BadSource `ambiguous_dates`."""
    plan: list[Planned] = []
    warnings: list[Notice] = []
    for candidate in all_of_them:
        cells = counted[f"{candidate.column}_filled"]
        spaces = counted[f"{candidate.column}_spaces"] - cells
        if candidate.rule.skip or candidate.rule.mask is not None:
            plan.append(Planned(candidate.column, TEXT, cells, spaces, candidate.rule))
            continue
        if candidate.seen:
            fitting = [
                reading
                for index, reading in enumerate(candidate.readings)
                if counted[f"{candidate.column}_{index}"] == cells
            ]
        elif not cells:
            fitting = []
        else:
            candidate, fitting = _late(connection, source, candidate, cells)  # noqa: PLW2901
        reading = _chosen(connection, source, candidate, fitting, cells, warnings)
        plan.append(Planned(candidate.column, reading, cells, spaces, candidate.rule))
    return plan, warnings


def as_json(type: ColumnType, cell: str | None) -> Any:
    """A cell as the HTTP interface shows it: no number that JavaScript would bend."""
    if cell is None or type in {"text", "date"}:
        return cell
    if type == "boolean":
        return cell.lower() == "true"
    if type == "integer":
        return int(cell) if abs(int(cell)) <= 2**53 else cell
    if type == "decimal":
        return (
            float(cell) if sum(map(str.isdigit, cell)) <= 15 and "e" not in cell.lower() else cell
        )
    if type == "timestamp":
        return datetime.fromisoformat(cell).isoformat()
    return json.loads(cell)


def _late(
    connection: duckdb.DuckDBPyConnection, source: str, candidate: Candidate, cells: int
) -> tuple[Candidate, list[Reading]]:
    """A column whose first values come after the sample: its own sample, then its own pass."""
    column = candidate.column
    some = connection.execute(
        f"SELECT left({column}, {SHOWN}) FROM {source} WHERE {filled(column)} LIMIT {SAMPLE_ROWS}"
    ).fetchall()
    candidate = _narrowed(candidate, (row[0] for row in some))
    if not candidate.readings:
        return candidate, []
    tests = ", ".join(f"count(*) FILTER ({one.fits_sql(column)})" for one in candidate.readings)
    (counts,) = connection.execute(f"SELECT {tests} FROM {source}").fetchall()
    pairs = zip(candidate.readings, counts, strict=True)
    return candidate, [reading for reading, count in pairs if count == cells]


def _chosen(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    candidate: Candidate,
    fitting: list[Reading],
    cells: int,
    warnings: list[Notice],
) -> Reading:
    wanted = candidate.rule.type
    if not cells:
        return said(wanted, None)[0] if wanted else TEXT
    reading, swapped = best(fitting)
    name = candidate.display
    if swapped is not None:
        both = " or ".join(f"{in_words(one.format)!r}" for one in swapped)
        told = f"The dates in {name!r} can be read with the day first or the month first ({both}): "
        if wanted:
            raise BadSource("ambiguous_dates", f"{told}choose the column's format.")
        warnings.append(
            Notice(
                code="ambiguous_dates",
                message=f"{told}kept as text. Choose the type and format of the column.",
            )
        )
        return TEXT
    if reading is None and wanted:
        raise misfits.found(connection, source, candidate.column, name, candidate.rule)
    if reading is None:
        if candidate.zoned:
            warnings.append(
                Notice(
                    code="time_zone",
                    message=f"The times in {name!r} carry a time zone and were kept as text. "
                    "Choose the type timestamp to have them in UTC.",
                )
            )
        return TEXT
    if not wanted and reading.type in {"integer", "decimal"} and kept_as_text(name):
        return TEXT
    return reading
