"""Submissions as rows: one UTF-8 CSV for the form and one for each repeat, typed without loss.

Which columns there are and which types hold is known after the last submission only, so rows lie
in a scratch file for each table until then; memory holds one submission.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import tzinfo
from itertools import zip_longest
from pathlib import Path
from typing import IO, Any, Self
from zoneinfo import ZoneInfo

from ingest import naming
from ingest.connectors import BadSource, InferredColumn, Notice
from ingest.connectors.kobo.cells import as_text, fitting, in_utc, is_zoned, validation
from ingest.connectors.kobo.shape import ID, INDEX, LEFT_OUT, PARENT, Field, TableForm

MAX_COLUMNS = 1500
"""PostgreSQL ends at 1600; the load id and what recipes add need room."""
SHOWN = 5
_SAID = {"_validation_status": validation, "_submission_time": in_utc}
"""What the server itself says, as it is meant."""

Stamp = tuple[int, str]
"""A submission's `_id`, and the hash of all that it says, repeats included."""


@dataclass(frozen=True)
class Written:
    """A table's rows as CSV for PostgreSQL: a header of physical names; unquoted empty is null."""

    form: TableForm
    path: Path
    columns: tuple[InferredColumn, ...]
    rows: int
    warnings: tuple[Notice, ...]


@dataclass
class _Column:
    """A column with what its cells have shown so far."""

    field: Field
    extra: bool = False
    """In the data, but not in the form."""
    filled: int = 0
    unfit: int = 0
    example: str = ""
    zoned: bool = False

    def look(self, cell: str) -> None:
        """Remember whether the cell fits the question's type."""
        kind = self.field.type
        if not (cell if kind == "text" else cell.strip()):
            return
        self.filled += 1
        if kind == "text":
            return
        if fitting(kind, cell) is None:
            self.unfit += 1
            self.example = self.example or cell
        elif kind == "timestamp" and not self.zoned:
            self.zoned = is_zoned(cell)


@dataclass
class _Table:
    """A table being gathered: its columns by path, its rows in a scratch file."""

    form: TableForm
    file: IO[str]
    columns: dict[str, _Column]
    repeats: Mapping[str, "_Table"]
    rows: int = 0

    def append(self, cells: Mapping[str, str]) -> None:
        """Add one row: cells by path, absent ones left out."""
        for path, cell in cells.items():
            self.columns[path].look(cell)
        line = [cells.get(path) for path in self.columns]
        self.file.write(json.dumps(line) + "\n")
        self.rows += 1

    def column(self, path: str) -> _Column:
        """The column of that path, made when the form does not know it."""
        if path not in self.columns:
            if len(self.columns) >= MAX_COLUMNS:
                raise _too_many(self.form)
            self.columns[path] = _Column(Field(path, path, "text"), extra=True)
        return self.columns[path]


def expected(form: TableForm) -> tuple[InferredColumn, ...]:
    """The columns of a table, before there are answers."""
    names = naming.names([one.display for one in form.fields], len(form.fields))
    return tuple(
        InferredColumn(
            display_name=names.display[index],
            physical_name=names.physical[index],
            type=one.type,
            nullable=True,
        )
        for index, one in enumerate(form.fields)
    )


class Spool:
    """Takes submissions one by one, gives tables at the end. Files lie in `folder`.

    Times that say their offset are shown by the clocks of `timezone`, an IANA name.
    """

    def __init__(self, form: TableForm, folder: Path, timezone: str = "UTC") -> None:
        for one in form.all():
            if len(one.fields) > MAX_COLUMNS:
                raise _too_many(one)
        self._folder = folder
        self._zone = ZoneInfo(timezone)
        self._open = ExitStack()
        self._count = 0
        self._tables: list[_Table] = []
        self._digest = hashlib.sha256(form.fingerprint().encode())
        self.stamps = folder / "stamps"
        self._stamps = self._open.enter_context(self.stamps.open("w", encoding="ascii"))
        self._root = self._table(form)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def add(self, submission: Mapping[str, Any]) -> Stamp:
        """Take a submission with its repeats; they must come by rising `_id`."""
        said: list[tuple[str, dict[str, str]]] = []
        number = int(submission[ID])
        self._take(self._root, submission, {}, str(number), said)
        digest = hashlib.blake2b(digest_size=16)
        for table, cells in said:
            digest.update(json.dumps([table, cells], sort_keys=True).encode())
        stamp = number, digest.hexdigest()
        line = f"{stamp[0]} {stamp[1]}\n"
        self._stamps.write(line)
        self._digest.update(line.encode())
        return stamp

    def finish(self) -> tuple[Written, ...]:
        """Decide names and types, write the files: the form's table first."""
        self._stamps.flush()
        return tuple(self._written(number, table) for number, table in enumerate(self._tables))

    def fingerprint(self) -> str:
        """Equal for equal columns and submissions; of what was added so far."""
        return self._digest.hexdigest()

    def _table(self, form: TableForm) -> _Table:
        columns = {one.path: _Column(one) for one in form.fields}
        file = (self._folder / f"rows-{len(self._tables)}.jsonl").open("w+", encoding="utf-8")
        table = _Table(form, self._open.enter_context(file), columns, {})
        self._tables.append(table)
        table.repeats = {one.path: self._table(one) for one in form.repeats}
        return table

    def _take(
        self,
        table: _Table,
        answers: Mapping[str, Any],
        head: Mapping[str, str],
        own_id: str,
        said: list[tuple[str, dict[str, str]]],
    ) -> None:
        cells: dict[str, str] = {**head, ID: own_id}
        said.append((table.form.path, cells))
        for path, value in answers.items():
            if value is None or path in LEFT_OUT or path in cells:
                continue
            repeat = table.repeats.get(path)
            if repeat is not None and _is_rows(value):
                for index, one in enumerate(value, start=1):
                    above = {PARENT: own_id, INDEX: str(index)}
                    self._take(repeat, one, above, f"{own_id}-{index}", said)
                continue
            if path not in table.columns and value in ({}, []):
                continue  # Servers announce features that a form does not use.
            cell = as_text(_SAID[path](value) if path in _SAID else value)
            if cell is not None:
                column = table.column(path).field
                cells[path] = cell if isinstance(value, dict | list) else column.shown(cell)
        table.append(cells)

    def _written(self, number: int, table: _Table) -> Written:
        columns = list(table.columns.values())
        names = naming.names([one.field.display for one in columns], len(columns))
        inferred = tuple(
            InferredColumn(
                display_name=names.display[index],
                physical_name=names.physical[index],
                type="text" if one.unfit else one.field.type,
                nullable=one.filled < table.rows,
            )
            for index, one in enumerate(columns)
        )
        path = self._folder / f"table-{number}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            file.write(",".join(one.physical_name for one in inferred) + "\n")
            for row in _lines(table.file):
                cells = (_cell(*pair, self._zone) for pair in zip_longest(inferred, row))
                file.write(",".join(cells) + "\n")
        warnings = [*names.warnings(range(len(columns))), *_warnings(columns, inferred, self._zone)]
        return Written(table.form, path, inferred, table.rows, tuple(warnings))


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, Mapping) for one in value)


def _lines(file: IO[str]) -> Iterator[list[str | None]]:
    file.flush()
    file.seek(0)
    for line in file:
        yield json.loads(line)


def _cell(column: InferredColumn, cell: str | None, zone: tzinfo) -> str:
    if cell is None or (column.type != "text" and not cell.strip()):
        return ""
    if column.type in {"text", "json"}:
        quoted = cell.replace('"', '""')
        return f'"{quoted}"'
    fits = fitting(column.type, cell, zone)
    assert fits is not None, "looked at while it was gathered"
    return fits


def _warnings(
    columns: list[_Column], inferred: tuple[InferredColumn, ...], zone: tzinfo
) -> Iterator[Notice]:
    named = list(zip(columns, (one.display_name for one in inferred), strict=True))
    for column, name in named:
        if column.unfit:
            yield Notice(
                code="kept_as_text",
                message=f"The question {name!r} asks for {column.field.type}, and "
                f"{column.unfit} of {column.filled} answers are not, for example "
                f"{column.example[:40]!r}: the column was kept as text.",
            )
    if extra := [name for column, name in named if column.extra]:
        more = ", …" if len(extra) > SHOWN else ""
        yield Notice(
            code="not_in_form",
            message="Answers that the form of today does not ask for were kept as text: "
            f"{', '.join(map(repr, extra[:SHOWN]))}{more}.",
        )
    if any(column.zoned and not column.unfit for column, _ in named):
        message = f"Times that say their offset are shown by the clocks of {zone}."
        yield Notice(code="times_by_local_clock", message=message)


def _too_many(form: TableForm) -> BadSource:
    where = f"The repeat {form.name!r}" if form.path else "The form"
    return BadSource(
        "too_many_columns", f"{where} has more questions than a table holds ({MAX_COLUMNS})."
    )
