"""One shape for relations that are put together: their columns by display name, types widened."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chassis.database import Connection
from contracts.tables import Column, Notice
from ingest.connectors import BadSource, ColumnType
from ingest.connectors.csv import MAX_COLUMNS
from ingest.infer import POSTGRES
from recipe.naming import physical_name
from warehouse.names import LOAD_ID, qualified, quoted


@dataclass(frozen=True)
class Rows:
    """A relation in the organisation's data schema; its load ids are not among the columns."""

    relation: str
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Shape:
    """The columns of the next version, and where the parts lack or widen one."""

    columns: tuple[Column, ...]
    missing: tuple[str, ...]
    """Of an older part; a batch has them no more."""
    widened: tuple[Column, ...]

    def select(self, part: Rows, *more: str) -> str:
        """SQL: the part's rows in this shape, each with its load id, and what else is wanted."""
        own = {column.name: column for column in part.columns}
        cells = [_cell(own.get(column.name), column) for column in self.columns]
        return ", ".join([*cells, LOAD_ID, *more])

    def outputs(self, table: str = "") -> str:
        """SQL: the columns of a relation that has this shape already, with the load id."""
        prefix = f"{table}." if table else ""
        names = [quoted(column.physical) for column in self.columns]
        return ", ".join(f"{prefix}{name}" for name in (*names, LOAD_ID))

    def warnings(self) -> Iterator[Notice]:
        """What a person should know of it."""
        if self.missing:
            listed = ", ".join(f"'{name}'" for name in self.missing)
            yield Notice(
                code="columns_missing",
                message=f"New rows have no {listed}: these cells are empty.",
            )
        for column in self.widened:
            yield Notice(
                code="column_widened",
                message=f"New values of '{column.name}' are of another type: the column is "
                f"{column.type} now.",
            )


async def common_shape(
    connection: Connection, schema: str, published: Rows | None, batches: Sequence[Rows]
) -> Shape:
    """The columns of all parts, met by their display names. Raises BadSource `too_many_columns`."""
    parts = [*([published] if published else []), *batches]
    empty = await _empty(connection, schema, parts, batches)
    columns: dict[str, Column] = {}
    taken: set[str] = set()
    typed: set[str] = set()
    missing: dict[str, None] = {}
    widened: dict[str, None] = {}
    for part in parts:
        own = {column.name: column for column in part.columns}
        missing |= dict.fromkeys(name for name in columns if name not in own)
        for name, column in own.items():
            known = columns.get(name)
            if known is None:
                physical = column.physical
                if physical in taken:
                    physical = physical_name(name, len(columns) + 1, taken)
                taken.add(physical)
                columns[name] = column.model_copy(update={"physical": physical})
            if (part.relation, name) in empty:
                continue
            if known is not None and known.type != column.type:
                wide = wider(known.type, column.type) if name in typed else column.type
                columns[name] = known.model_copy(update={"type": wide})
                if name in typed:
                    widened[name] = None
            typed.add(name)
    if len(columns) > MAX_COLUMNS:
        raise BadSource(
            "too_many_columns",
            f"Together with the columns that were there before there would be {len(columns)}; a "
            f"table holds {MAX_COLUMNS} at most.",
        )
    return Shape(
        columns=tuple(columns.values()),
        missing=tuple(missing),
        widened=tuple(columns[name] for name in widened),
    )


async def _empty(
    connection: Connection, schema: str, parts: Sequence[Rows], batches: Sequence[Rows]
) -> set[tuple[str, str]]:
    """Relation and name of columns that are text only because a batch has no value in them."""
    types: dict[str, set[ColumnType]] = {}
    for part in parts:
        for column in part.columns:
            types.setdefault(column.name, set()).add(column.type)
    empty: set[tuple[str, str]] = set()
    for batch in batches:
        doubtful = [c for c in batch.columns if c.type == "text" and len(types[c.name]) > 1]
        tests = ", ".join(
            f"EXISTS (SELECT FROM {table_of(schema, batch)} WHERE {quoted(c.physical)} IS NOT NULL)"
            for c in doubtful
        )
        found = await connection.fetchrow(f"SELECT {tests}") if doubtful else None
        for column, filled in zip(doubtful, found or (), strict=True):
            if not filled:
                empty.add((batch.relation, column.name))
    return empty


def wider(one: ColumnType, other: ColumnType) -> ColumnType:
    """The type in which values of both read as before: a date among timestamps would get a time."""
    if one == other:
        return one
    return "decimal" if {one, other} == {"integer", "decimal"} else "text"


def _cell(own: Column | None, wanted: Column) -> str:
    name, kind = quoted(wanted.physical), POSTGRES[wanted.type]
    if own is None:
        return f"NULL::{kind} AS {name}"
    return f"{quoted(own.physical)}::{kind} AS {name}"


def table_of(schema: str, part: Rows) -> str:
    """SQL: the part as a table."""
    return qualified(schema, part.relation)
