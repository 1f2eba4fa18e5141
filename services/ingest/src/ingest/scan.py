"""One pass of DuckDB over a text file, with a second count of its records."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from ingest.connectors import Notice
from ingest.dialect import Layout
from ingest.infer import filled
from ingest.recount import Damaged, count_rows, header_bytes, line_ends

MEMORY = "512MB"
WIDE = 100
"""Columns from which on looking for common parts of the aggregates takes longer than it saves: it
takes the square of their number, 20 s for 1,500 columns."""
VERY_WIDE = 300
"""Columns of which two threads hold more rows at once than `MEMORY`."""
MEMORY_OF_VERY_WIDE = "1GB"
LONGEST_RECORD = 1 << 24


@dataclass(frozen=True)
class Scan:
    """A file that was read whole: where to read it again, and what was counted."""

    path: Path
    """What was read: the text, or a copy of it that was mended."""
    source: str
    """The table function, cells as text in columns `c0`, `c1`, …; holds no user's words."""
    holds: str
    """SQL: the record has a cell that is not blank."""
    rows: int
    aggregates: Mapping[str, Any]
    plain: bool
    """No quotes, blank, short or oddly ended records: COPY reads it as we did."""
    header_bytes: int
    warnings: tuple[Notice, ...]


def connect(folder: Path, width: int) -> duckdb.DuckDBPyConnection:
    """An own DuckDB in memory: bounded, two threads, spilling into `folder`, no extensions.

    Fit for files of `width` columns.
    """
    connection = duckdb.connect(
        config={
            "memory_limit": MEMORY if width < VERY_WIDE else MEMORY_OF_VERY_WIDE,
            "threads": 2 if width < VERY_WIDE else 1,
            "temp_directory": str(folder),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
    )
    connection.execute("SET TimeZone = 'UTC'")
    if width >= WIDE:
        connection.execute("SET disabled_optimizers = 'common_subexpressions'")
    return connection


def columns(layout: Layout) -> list[str]:
    """The names that cells have while they are text."""
    return [f"c{index}" for index in range(layout.width)]


def source_sql(path: Path, layout: Layout, newline: str | None, **options: str) -> str:
    """`read_csv` with everything said and nothing guessed; the header is skipped.

    Detection off: with it, one damaged record makes DuckDB read the whole file as one column.
    Strict: what does not parse is an error, never dropped in silence.
    """
    names = ", ".join(f"'{name}': 'VARCHAR'" for name in columns(layout))
    end = {"\n": "\\n", "\r\n": "\\r\\n", "\r": "\\r"}
    said = {
        "auto_detect": "false",
        "header": "false",
        "skip": str(layout.header_row + 1),
        "delim": _literal(layout.cutter.delimiter),
        "quote": _literal(layout.cutter.quote),
        "escape": _literal(layout.cutter.escape),
        "columns": f"{{{names}}}",
        "max_line_size": str(LONGEST_RECORD),
        "buffer_size": str(2 * LONGEST_RECORD),
        "strict_mode": "true",
        **({"new_line": _literal(end[newline])} if newline else {}),
        **options,
    }
    return (
        f"read_csv({_literal(str(path))}, "
        f"{', '.join(f'{name} = {value}' for name, value in said.items())})"
    )


def scan(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    layout: Layout,
    aggregates: Mapping[str, str],
    mended: int | None = None,
) -> Scan:
    """Read every record, compute the aggregates, and check that none was lost.

    Raises Damaged: the file has to be mended first. Of one that was, `mended` says the rows.
    """
    lines = line_ends(path, layout)
    newline = "\n" if mended is not None else lines.single
    if newline is None and not lines.quotes:
        raise Damaged("its line ends are mixed")
    holds = "(" + " OR ".join(filled(name) for name in columns(layout)) + ")"
    select = ", ".join(
        [
            "count(*) AS total",
            f"count_if({holds}) AS held",
            *(f"{expression} AS {name}" for name, expression in aggregates.items()),
        ]
    )
    source = source_sql(path, layout, newline)
    counted = _one(connection, f"SELECT {select} FROM {source}")
    total, held = counted.pop("total"), counted.pop("held")
    expected = count_rows(path, layout, lines) if mended is None else mended
    if total != expected:
        raise Damaged(f"{total} rows were read of {expected}")
    warnings: list[Notice] = []
    if total != held:
        warnings.append(
            Notice(code="blank_rows", message=f"{total - held} blank rows were left out.")
        )
    plain = bool(
        newline in {"\n", "\r\n"}
        and lines.records is not None
        and total == held
        and layout.cutter.quote == '"'
    )
    return Scan(
        path=path,
        source=source,
        holds=holds,
        rows=held,
        aggregates=counted,
        plain=plain,
        header_bytes=header_bytes(path, layout) if plain else 0,
        warnings=tuple(warnings),
    )


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> dict[str, Any]:
    try:
        cursor = connection.execute(query)
        (row,) = cursor.fetchall()
    except duckdb.InvalidInputException:
        raise Damaged("some rows do not fit the others, or their quotes are mixed up") from None
    # Of no rows at all, some counts are NULL.
    return {column[0]: cell or 0 for column, cell in zip(cursor.description, row, strict=True)}


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
