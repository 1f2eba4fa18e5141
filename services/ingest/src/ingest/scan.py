"""One pass of DuckDB over a text file, with a second count of its records."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from ingest.connectors import BadSource, Notice
from ingest.dialect import Layout
from ingest.encoding import one_newline
from ingest.infer import filled
from ingest.recount import Lines, count_records, header_bytes, line_ends, line_numbers

MEMORY = "512MB"
LONGEST_RECORD = 1 << 24
SHOWN = 5


@dataclass(frozen=True)
class Scan:
    """A file that was read whole: where to read it again, and what was counted."""

    path: Path
    """What was read: the text, or a copy of it with its line ends repaired."""
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


def connect(folder: Path) -> duckdb.DuckDBPyConnection:
    """An own DuckDB in memory: bounded, two threads, spilling into `folder`, no extensions."""
    connection = duckdb.connect(
        config={
            "memory_limit": MEMORY,
            "threads": 2,
            "temp_directory": str(folder),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
    )
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def columns(layout: Layout) -> list[str]:
    """The names that cells have while they are text."""
    return [f"c{index}" for index in range(layout.width)]


def source_sql(path: Path, layout: Layout, newline: str | None, **options: str) -> str:
    """`read_csv` with everything said and nothing guessed; the header is skipped.

    Detection off: with it, one damaged record makes DuckDB read the whole file as one column.
    Strict, with rejects stored: what does not parse is counted, never dropped in silence.
    """
    names = ", ".join(f"'{name}': 'VARCHAR'" for name in columns(layout))
    end = {"\n": "\\n", "\r\n": "\\r\\n", "\r": "\\r"}
    said = {
        "auto_detect": "false",
        "header": "false",
        "skip": str(layout.header_row + 1),
        "delim": _literal(layout.delimiter),
        "quote": _literal(layout.quote),
        "escape": _literal(layout.escape),
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
    folder: Path,
) -> Scan:
    """Read every record, compute the aggregates, and check that none was lost.

    Raises BadSource `bad_rows` (with line numbers) and `rows_lost`.
    """
    lines = line_ends(path)
    if lines.single is None and not lines.quotes:
        path, lines = _normalised(path, folder)
    try:
        return _scan(connection, path, lines, layout, aggregates)
    except _Mismatch as first:
        if lines.single == "\n":
            raise first.as_bad_source() from None
    try:
        return _scan(connection, *_normalised(path, folder), layout, aggregates)
    except _Mismatch as second:
        raise second.as_bad_source() from None


class _Mismatch(Exception):
    """DuckDB and the second count see a different number of records, or it gave up."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def as_bad_source(self) -> BadSource:
        return BadSource(
            "rows_lost",
            f"The file cannot be read without losing rows ({self.reason}). Check its quotes and "
            "line ends, or save it again as CSV UTF-8.",
        )


def _scan(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    lines: Lines,
    layout: Layout,
    aggregates: Mapping[str, str],
) -> Scan:
    holds = "(" + " OR ".join(filled(name) for name in columns(layout)) + ")"
    select = ", ".join(
        [
            "count(*) AS total",
            f"count(*) FILTER ({holds}) AS held",
            *(f"{expression} AS {name}" for name, expression in aggregates.items()),
        ]
    )
    newline = lines.single
    connection.execute("DROP TABLE IF EXISTS refused; DROP TABLE IF EXISTS refused_in")
    stored = {
        "store_rejects": "true",
        "rejects_limit": "0",
        "rejects_table": "'refused'",
        "rejects_scan": "'refused_in'",
    }
    source = source_sql(path, layout, newline)
    counted = _one(
        connection, f"SELECT {select} FROM {source_sql(path, layout, newline, **stored)}"
    )
    warnings: list[Notice] = []
    short = _refused(connection, path, layout)
    if short:
        padded = {"null_padding": "true", "parallel": "false"}
        source = source_sql(path, layout, newline, **padded)
        counted = _one(connection, f"SELECT {select} FROM {source}")
        warnings.append(
            Notice(
                code="short_rows",
                message=f"{len(short)} rows have fewer cells than the {layout.width} columns "
                f"({_where(path, layout, short)}); the missing ones were left empty.",
            )
        )
    total, held = counted.pop("total"), counted.pop("held")
    if lines.records is None:
        expected = count_records(path, layout)
    else:
        expected = lines.records - layout.header_row - 1
    if total != expected:
        raise _Mismatch(f"{total} rows were read of {expected}")
    if total != held:
        warnings.append(
            Notice(code="blank_rows", message=f"{total - held} blank rows were left out.")
        )
    plain = bool(
        newline in {"\n", "\r\n"}
        and lines.records is not None
        and not short
        and total == held
        and layout.quote == '"'
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
        # Not fetchone: the rejects are written only when the result has been read to its end.
        (row,) = cursor.fetchall()
    except duckdb.InvalidInputException:
        raise _Mismatch("line ends or quotes are mixed up") from None
    return dict(zip([column[0] for column in cursor.description], row, strict=True))


def _refused(connection: duckdb.DuckDBPyConnection, path: Path, layout: Layout) -> list[int]:
    """Records that are too short; anything else that did not parse is an error."""
    found = connection.execute(
        "SELECT line, error_type::VARCHAR, any_value(error_message) FROM refused "
        "GROUP BY ALL ORDER BY 1"
    ).fetchall()
    bad = [row for row in found if row[1] != "MISSING COLUMNS"]
    if not bad:
        return [row[0] for row in found]
    places = line_numbers(path, layout, [row[0] for row in bad[:SHOWN]])
    told = "; ".join(
        f"line {places.get(line, line)} {_why(kind, text, layout)}"
        for line, kind, text in bad[:SHOWN]
    )
    more = f" and {len(bad) - SHOWN} more" if len(bad) > SHOWN else ""
    raise BadSource(
        "bad_rows",
        f"{len(bad)} row{'s' * (len(bad) > 1)} cannot be read: {told}{more}. Correct the file, or "
        "choose its delimiter and quote character.",
    )


def _why(kind: str, text: str, layout: Layout) -> str:
    if kind == "TOO MANY COLUMNS":
        return f"has {text.rpartition(' ')[2]} cells where there are {layout.width} columns"
    if kind == "LINE SIZE OVER MAXIMUM":
        return f"is longer than {LONGEST_RECORD >> 20} MB"
    return "holds a quote that is not closed, or not doubled"


def _where(path: Path, layout: Layout, found: list[int]) -> str:
    places = line_numbers(path, layout, found[:SHOWN])
    numbers = ", ".join(str(places.get(line, line)) for line in found[:SHOWN])
    return f"line{'s' * (len(found) > 1)} {numbers}{', …' * (len(found) > SHOWN)}"


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _normalised(path: Path, folder: Path) -> tuple[Path, Lines]:
    target = folder / "lines.csv"
    one_newline(path, target)
    return target, line_ends(target)
