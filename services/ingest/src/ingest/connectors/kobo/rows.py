"""Submissions as rows: one UTF-8 CSV for the form and one for each repeat, typed without loss.

Which columns there are and which types hold is known after the last submission only, so rows lie
in a scratch file for each table until then; memory holds one submission.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Self

from ingest.connectors import BadSource
from ingest.connectors.kobo.cells import as_text, validation
from ingest.connectors.kobo.shape import ID, INDEX, LEFT_OUT, PARENT, Field, TableForm
from ingest.connectors.kobo.writing import Column, Ruling, Writer, Written

MAX_COLUMNS = 1500
"""PostgreSQL ends at 1600; the load id and what recipes add need room."""

Stamp = tuple[int, str]
"""A submission's `_id`, and the hash of all that it says, repeats included."""


@dataclass
class _Table:
    """A table being gathered: its columns by path, its rows in a scratch file."""

    form: TableForm
    file: IO[str]
    columns: dict[str, Column]
    repeats: Mapping[str, "_Table"]
    rows: int = 0

    def append(self, cells: Mapping[str, str]) -> None:
        """Add one row: cells by path, absent ones left out."""
        for path, cell in cells.items():
            self.columns[path].look(cell)
        line = [cells.get(path) for path in self.columns]
        self.file.write(json.dumps(line) + "\n")
        self.rows += 1

    def column(self, path: str) -> Column:
        """The column of that path, made when the form does not know it."""
        if path not in self.columns:
            if len(self.columns) >= MAX_COLUMNS:
                raise _too_many(self.form)
            self.columns[path] = Column(Field(path, path, "text"), extra=True)
        return self.columns[path]


class Spool:
    """Takes submissions one by one, gives tables at the end. Files lie in `folder`."""

    def __init__(self, form: TableForm, folder: Path) -> None:
        for one in form.all():
            if len(one.fields) > MAX_COLUMNS:
                raise _too_many(one)
        self._folder = folder
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

    def finish(self, ruling: Ruling | None = None) -> tuple[Written, ...]:
        """Decide names and types, write the files: the form's table first.

        Raises BadSource for rules that do not hold.
        """
        self._stamps.flush()
        writers = [
            Writer(table.form, list(table.columns.values()), table.rows) for table in self._tables
        ]
        ruling = ruling or Ruling({})
        forgotten = ruling.meet([name for writer in writers for name in writer.names.display])
        written = [
            writer.write(
                lambda table=table: _lines(table.file), self._folder / f"table-{n}.csv", ruling
            )
            for n, (writer, table) in enumerate(zip(writers, self._tables, strict=True))
        ]
        first = replace(written[0], warnings=(*written[0].warnings, *forgotten))
        return (first, *written[1:])

    def fingerprint(self) -> str:
        """Equal for equal columns and submissions; of what was added so far."""
        return self._digest.hexdigest()

    def _table(self, form: TableForm) -> _Table:
        columns = {one.path: Column(one) for one in form.fields}
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
            cell = as_text(validation(value) if path == "_validation_status" else value)
            if cell is not None:
                column = table.column(path).field
                cells[path] = cell if isinstance(value, dict | list) else column.shown(cell)
        table.append(cells)


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, Mapping) for one in value)


def _lines(file: IO[str]) -> Iterator[list[str | None]]:
    file.flush()
    file.seek(0)
    for line in file:
        yield json.loads(line)


def _too_many(form: TableForm) -> BadSource:
    where = f"The repeat {form.name!r}" if form.path else "The form"
    return BadSource(
        "too_many_columns", f"{where} has more questions than a table holds ({MAX_COLUMNS})."
    )
