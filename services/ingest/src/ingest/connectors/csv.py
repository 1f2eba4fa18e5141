"""Delimited text: read once with DuckDB, every record counted twice, typed without loss."""

import hashlib
import json
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
from pydantic import SecretStr

from ingest import misfits, profile, rules
from ingest.cells import Record
from ingest.connectors import BadSource, Found, InferredColumn, Notice
from ingest.connectors.opening import as_plain
from ingest.dialect import CsvOptions, Dialect, Layout, detect
from ingest.encoding import CHUNK, Text, as_text
from ingest.masks import Masker, key_mark
from ingest.mend import Mended, has_notes_below, mend
from ingest.naming import names
from ingest.recount import Damaged
from ingest.scan import Scan, connect, scan, source_sql

CONNECTOR_VERSION = "csv-2"
MAX_COLUMNS = 1500
"""PostgreSQL ends at 1600; the load id and what recipes add need room."""


class Clean(Found):
    """A file whose rows PostgreSQL reads as they stand."""

    begins: int
    """Bytes before the first row."""
    delimiter: str


class Inspection(Found):
    """What a file holds, after every cell of it was looked at."""

    dialect: Dialect
    columns: tuple[InferredColumn, ...]
    rows: int
    bytes: int
    sha256: str
    warnings: tuple[Notice, ...]
    clean: Clean | None = None
    """Set where the same bytes need no second look to be loaded."""


class Preview(Found):
    """The inspection with the first rows, by display name, as JSON values."""

    inspection: Inspection
    rows: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class CsvFile:
    """An open file: inspected, ready to be written out or sampled."""

    connection: duckdb.DuckDBPyConnection
    inspection: Inspection
    scan: Scan
    plan: tuple[profile.Planned, ...]
    cut_by: str
    """What separates cells of the file itself."""
    clean_from: int | None
    """Bytes before the first data row, when the rest may go to PostgreSQL as it is."""
    rejects: Path | None
    """What was set aside, with lines and reasons; None when nothing was."""

    @property
    def delimiter(self) -> str:
        """What separates cells in the file that `write` makes."""
        return self.cut_by if self.clean_from is not None else ","

    def write(self, target: Path) -> None:
        """Write UTF-8 CSV whose header is the physical names and whose cells PostgreSQL reads."""
        physical = [column.physical_name for column in self.inspection.columns]
        if self.clean_from is not None:
            as_it_stands(self.scan.path, self.clean_from, self.delimiter, physical, target)
            return
        cells = ", ".join(
            f'{planned.cell()} AS "{name}"'
            for planned, name in zip(self.plan, physical, strict=True)
        )
        quoted = f', FORCE_QUOTE ("{physical[0]}")' if len(physical) == 1 else ""
        self.connection.execute(
            f"COPY (SELECT {cells} FROM {self.scan.source} WHERE {self.scan.holds}) "
            f"TO '{escaped(target)}' (FORMAT csv, HEADER true{quoted})"
        )

    def sample(self, limit: int) -> tuple[dict[str, Any], ...]:
        """The first rows as they would arrive."""
        cells = ", ".join(f"{planned.cell()} AS {planned.column}" for planned in self.plan)
        found = self.connection.execute(
            f"SELECT {cells} FROM {self.scan.source} WHERE {self.scan.holds} LIMIT {int(limit)}"
        ).fetchall()
        columns = self.inspection.columns
        return tuple(
            {
                column.display_name: profile.as_json(column.type, cell)
                for column, cell in zip(columns, row, strict=True)
            }
            for row in found
        )


@contextmanager
def opened(
    path: Path,
    options: CsvOptions,
    work: Path | None = None,
    *,
    mask_key: SecretStr | None = None,
    known: Collection[str] | None = None,
) -> Iterator[CsvFile]:
    """Inspect a local file and keep it open. Raises BadSource. Temporary files go to `work`.

    `mask_key` is needed where a column is hashed; `known` are the columns that readers see
    already, if any (see `rules.missing`).
    """
    rules.require_sound(options.columns)
    masker = Masker(mask_key, options.columns)
    with tempfile.TemporaryDirectory(prefix="csv-", dir=work) as folder:
        plain = as_plain(path, options, Path(folder))
        text = plain.as_given(as_text(plain.path, plain.options.encoding, Path(folder)))
        layout = detect(text.path, plain.options)
        if layout.width > MAX_COLUMNS:
            raise BadSource(
                "too_many_columns",
                f"The file has {layout.width} columns; a table holds {MAX_COLUMNS} at most.",
            )
        connection = connect(Path(folder), layout.width)
        try:
            masker.into(connection)
            file = _inspected(connection, text, layout, plain.options, Path(folder), masker, known)
            dialect = plain.shown(file.inspection.dialect)
            told = file.inspection.model_copy(update={"dialect": dialect})
            yield replace(file, inspection=told)
        finally:
            connection.close()


def inspect(
    path: Path,
    options: CsvOptions,
    work: Path | None = None,
    *,
    mask_key: SecretStr | None = None,
) -> Inspection:
    """What the file holds, every cell looked at; memory stays bounded. Raises BadSource."""
    with opened(path, options, work, mask_key=mask_key) as file:
        return _told(file, path)


def as_it_stands(
    path: Path, begins: int, delimiter: str, physical: Sequence[str], target: Path
) -> str:
    """Write the rows of a clean file under a header of physical names; the SHA-256 of all of it."""
    digest = hashlib.sha256()
    with path.open("rb") as source, target.open("wb") as file:
        digest.update(source.read(begins))
        file.write(delimiter.join(physical).encode() + b"\n")
        while chunk := source.read(CHUNK):
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()


def sample(
    path: Path,
    options: CsvOptions,
    limit: int,
    work: Path | None = None,
    *,
    mask_key: SecretStr | None = None,
) -> Preview:
    """The inspection and the first `limit` rows. Raises BadSource."""
    with opened(path, options, work, mask_key=mask_key) as file:
        return Preview(inspection=_told(file, path), rows=file.sample(limit))


def fingerprint(
    sha256: str,
    options: CsvOptions,
    mask_key: SecretStr | None = None,
    version: str = CONNECTOR_VERSION,
) -> str:
    """Equal for equal content read in the same way by the same version of this connector.

    It tells whether masks have another key, and does not tell the key.
    """
    # Options that came later count only where they are used: what was loaded before is the same.
    unused = {name for name in ("escape", "sheet") if getattr(options, name) is None}
    said = json.dumps(options.model_dump(mode="json", exclude=unused), sort_keys=True)
    said += key_mark(options.columns, mask_key)
    return hashlib.sha256(f"{version}\n{sha256}\n{said}".encode()).hexdigest()


def escaped(path: Path) -> str:
    """A path inside an SQL literal."""
    return str(path).replace("'", "''")


def _told(file: CsvFile, given: Path) -> Inspection:
    """The inspection, with the way past a second one if the file was read as it was given."""
    if file.clean_from is None or file.scan.path != given:
        return file.inspection
    clean = Clean(begins=file.clean_from, delimiter=file.delimiter)
    return file.inspection.model_copy(update={"clean": clean})


def _inspected(
    connection: duckdb.DuckDBPyConnection,
    text: Text,
    layout: Layout,
    options: CsvOptions,
    folder: Path,
    masker: Masker,
    known: Collection[str] | None,
) -> CsvFile:
    named = names(layout.header, layout.width)
    forgotten = rules.missing(options.columns, named.display, known)
    ruled = [rules.rule(options.columns, name) for name in named.display]

    def censored(record: Record) -> str:
        # In a damaged record a cell may stand in its neighbour's place.
        return "" if record.damaged else masker.line(record.cells, ruled)

    mended: Mended | None = None
    try:
        if not layout.simple or has_notes_below(text.path, layout):
            raise Damaged
        scanned, candidates = _scanned(connection, text.path, layout, named.display, options)
    except Damaged:
        guarded = rules.guarded(options.columns)
        mended = mend(text.path, layout, folder, censored if guarded else None)
        try:
            scanned, candidates = _scanned(
                connection, mended.path, mended.layout, named.display, options, mended.rows
            )
        except Damaged as lost:
            raise BadSource(
                "rows_lost",
                f"The file cannot be read without losing rows ({lost}). Check its quotes and "
                "line ends, or save it again as CSV UTF-8.",
            ) from None
    try:
        decided, doubts = profile.decide(connection, scanned.source, candidates, scanned.aggregates)
    except misfits.Unfit as unfit:
        raise unfit.told(text.path, layout) from None
    kept = [
        index
        for index, planned in enumerate(decided)
        if not planned.rule.skip and (planned.filled or planned.spaces or index < named.last_named)
    ]
    if not kept:
        raise BadSource("no_columns", "Every column is left out by a rule: keep one at least.")
    plan = tuple(decided[index] for index in kept)
    columns = tuple(
        InferredColumn(
            display_name=named.display[index],
            physical_name=named.physical[index],
            type=decided[index].reading.type,
            nullable=decided[index].filled < scanned.rows,
        )
        for index in kept
    )
    warnings = [
        *text.warnings,
        *layout.warnings,
        *named.warnings(kept),
        *(mended.warnings if mended else ()),
        *scanned.warnings,
        *doubts,
        *forgotten,
    ]
    if not scanned.rows:
        warnings.append(
            Notice(code="no_rows", message="The file has a header and no rows: an empty table.")
        )
    inspection = Inspection(
        dialect=Dialect(
            delimiter=layout.delimiter,
            quote=layout.cutter.quote,
            escape=layout.cutter.escape,
            encoding=text.encoding,
            header_row=layout.header_row,
            footer_rows=mended.footer if mended else 0,
        ),
        columns=columns,
        rows=scanned.rows,
        bytes=text.bytes,
        sha256=text.sha256,
        warnings=tuple(warnings),
    )
    simple = (
        text.untouched
        and scanned.plain
        and 1 < len(kept) == layout.width
        and mended is None
        and layout.delimiter != ""
        and all(planned.as_it_stands for planned in plan)
    )
    clean_from = scanned.header_bytes if simple else None
    rejects = mended.rejects if mended else None
    return CsvFile(connection, inspection, scanned, plan, layout.delimiter, clean_from, rejects)


def _scanned(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    layout: Layout,
    display: Sequence[str],
    options: CsvOptions,
    mended: int | None = None,
) -> tuple[Scan, list[profile.Candidate]]:
    """Rule types out by the first rows, then read all. Raises Damaged."""
    try:
        first = source_sql(path, layout, "\n" if mended is not None else None, parallel="false")
        candidates = profile.candidates(connection, first, display, options)
    except duckdb.InvalidInputException:
        raise Damaged("its first rows do not fit each other") from None
    aggregates = profile.aggregates(candidates)
    return scan(connection, path, layout, aggregates, mended), candidates
