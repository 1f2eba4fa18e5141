"""The next version of a table, in one statement: what is published and the batches that follow it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from chassis.database import Connection, Database
from contracts.tables import Column, Notice
from ingest.connectors import BadSource, ColumnType
from ingest.connectors.csv import MAX_COLUMNS
from ingest.infer import POSTGRES
from ingest.jobs import LOAD_ID, ORDER
from recipe.naming import physical_name
from warehouse import versions
from warehouse.access import as_org
from warehouse.names import data_schema, qualified, quoted

_PLACES = 1 << 40
"""More rows than a batch can have: the batch before this, the row's place in it behind."""
_MEMORY = "32MB"
"""Of a hash table: with PostgreSQL's 4 MB the keys of a million rows go to disk in pieces."""


@dataclass(frozen=True)
class Rows:
    """A relation in the organisation's data schema; its load ids are not among the columns."""

    relation: str
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Merged:
    """A version that was made and counted in SQL."""

    relation: str
    columns: tuple[Column, ...]
    rows: int
    bytes: int
    """Size on disk, TOAST included."""
    warnings: tuple[Notice, ...]


@dataclass(frozen=True)
class _Shape:
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


async def next_version(
    database: Database,
    org_id: UUID,
    relation: str,
    published: Rows | None,
    batches: Sequence[Rows],
    key: Sequence[str] = (),
) -> Merged:
    """`upsert` by a key, else `append`, in a transaction of its own. A cancel stops the statement."""
    async with database.organization(org_id) as connection, as_org(connection, org_id):
        if key:
            return await upsert(connection, org_id, relation, published, batches, key)
        return await append(connection, org_id, relation, published, batches)


async def append(
    connection: Connection,
    org_id: UUID,
    relation: str,
    published: Rows | None,
    batches: Sequence[Rows],
) -> Merged:
    """Make `relation` of all rows of the parts. Runs inside `as_org`, in a transaction.

    Columns are matched by display name: published ones come first, then those that batches add. A
    part that lacks one has nulls there. Where types differ the wider one is taken, in which no
    value reads differently: decimal for whole numbers and decimals, else text. Raises BadSource
    `rows_lost`, `too_many_columns`.
    """
    schema = data_schema(org_id)
    parts = [*([published] if published else []), *batches]
    shape = await _shape(connection, schema, published, batches)
    selects = [f"SELECT {shape.select(part)} FROM {_table(schema, part)}" for part in parts]
    await _make(connection, schema, relation, " UNION ALL ".join(selects))
    counts = ", ".join(f"(SELECT count(*) FROM {_table(schema, part)})" for part in parts)
    row = await connection.fetchrow(f"SELECT {counts}")
    assert row is not None
    return await _finish(connection, org_id, relation, shape, sum(row.values()), ())


async def upsert(
    connection: Connection,
    org_id: UUID,
    relation: str,
    published: Rows | None,
    batches: Sequence[Rows],
    key: Sequence[str],
) -> Merged:
    """As `append`, but of the rows with one key (display names of columns) only the last stays.

    The batches' rows come after the published ones and in the order in which they were loaded,
    so batches must have been loaded `ordered`. Published rows must be of different keys, as an
    upsert leaves them. Rows with a null in their key are like no other, and stay.
    """
    schema = data_schema(org_id)
    shape = await _shape(connection, schema, published, batches)
    by_name = {column.name: quoted(column.physical) for column in shape.columns}
    names = [by_name[name] for name in key]
    keyed = " AND ".join(f"{name} IS NOT NULL" for name in names)
    same = " AND ".join(f"old.{name} = new.{name}" for name in names)
    listed = ", ".join(names)
    batch = " UNION ALL ".join(
        f"SELECT {shape.select(part, f'{number * _PLACES} + {ORDER} AS {ORDER}')} "
        f"FROM {_table(schema, part)}"
        for number, part in enumerate(batches)
    )
    old = (
        f"SELECT {shape.select(published)} FROM {_table(schema, published)}"
        if published
        # No row, in the right shape.
        else f"SELECT {_outputs(shape)} FROM batch WHERE false"
    )
    parts_sql = (
        f"WITH batch AS NOT MATERIALIZED ({batch}), published AS NOT MATERIALIZED ({old}), "
        f"last AS (SELECT {listed}, max({ORDER}) AS {ORDER} FROM batch WHERE {keyed} "
        f"GROUP BY {listed}) "
    )
    await _make(
        connection,
        schema,
        relation,
        f"{parts_sql} SELECT {_outputs(shape)} FROM published AS old "
        f"WHERE NOT EXISTS (SELECT FROM last AS new WHERE {same}) "
        f"UNION ALL SELECT {_outputs(shape, 'batch')} FROM batch JOIN last USING ({ORDER}) "
        f"UNION ALL SELECT {_outputs(shape)} FROM batch WHERE NOT ({keyed})",
    )
    counted = await connection.fetchrow(
        f"{parts_sql} SELECT (SELECT count(*) FROM published) AS published, "
        "(SELECT count(*) FROM batch) AS batch, (SELECT count(*) FROM last) AS keys, "
        f"(SELECT count(*) FROM batch WHERE NOT ({keyed})) AS keyless, "
        f"(SELECT count(*) FROM published AS old WHERE EXISTS (SELECT FROM last AS new "
        f"WHERE {same})) AS replaced"
    )
    assert counted is not None
    inserted = counted["keys"] - counted["replaced"] + counted["keyless"]
    repeated = counted["batch"] - counted["keys"] - counted["keyless"]
    warnings = _about_keys(key, counted["keyless"], repeated)
    expected = counted["published"] + inserted
    return await _finish(connection, org_id, relation, shape, expected, warnings)


async def _make(connection: Connection, schema: str, relation: str, select: str) -> None:
    # Under the version's name, as its other writers are: whoever takes over can end the statement.
    await connection.execute(
        "SELECT set_config('application_name', $1, true), set_config('DateStyle', 'ISO', true), "
        "set_config('work_mem', $2, true)",
        relation,
        _MEMORY,
    )
    table = qualified(schema, relation)
    await connection.execute(f"CREATE TABLE {table} AS {select}")
    await connection.execute(f"ALTER TABLE {table} ALTER COLUMN {LOAD_ID} SET NOT NULL")


async def _finish(
    connection: Connection,
    org_id: UUID,
    relation: str,
    shape: _Shape,
    expected: int,
    warnings: Iterable[Notice],
) -> Merged:
    table = qualified(data_schema(org_id), relation)
    rows = await connection.fetchval(f"SELECT count(*) FROM {table}")
    assert rows is not None
    if rows != expected:
        raise BadSource(
            "rows_lost",
            f"{expected} rows were to be kept and {rows} are; nothing was changed. Report this.",
        )
    await versions.analyze(connection, org_id, relation)
    return Merged(
        relation=relation,
        columns=shape.columns,
        rows=rows,
        bytes=await versions.size(connection, org_id, relation),
        warnings=(*_about_columns(shape), *warnings),
    )


async def _shape(
    connection: Connection, schema: str, published: Rows | None, batches: Sequence[Rows]
) -> _Shape:
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
    return _Shape(
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
            f"EXISTS (SELECT FROM {_table(schema, batch)} WHERE {quoted(c.physical)} IS NOT NULL)"
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


def _outputs(shape: _Shape, table: str = "") -> str:
    prefix = f"{table}." if table else ""
    names = [quoted(column.physical) for column in shape.columns]
    return ", ".join(f"{prefix}{name}" for name in (*names, LOAD_ID))


def _table(schema: str, part: Rows) -> str:
    return qualified(schema, part.relation)


def _about_columns(shape: _Shape) -> Iterable[Notice]:
    if shape.missing:
        listed = ", ".join(f"'{name}'" for name in shape.missing)
        yield Notice(
            code="columns_missing",
            message=f"New rows have no {listed}: these cells are empty.",
        )
    for column in shape.widened:
        yield Notice(
            code="column_widened",
            message=f"New values of '{column.name}' are of another type: the column is "
            f"{column.type} now.",
        )


def _about_keys(key: Sequence[str], keyless: int, repeated: int) -> tuple[Notice, ...]:
    listed = ", ".join(f"'{name}'" for name in key)
    warnings: list[Notice] = []
    if keyless:
        warnings.append(
            Notice(
                code="key_empty",
                message=f"New rows with an empty cell in {listed} match no other row and were "
                f"added as they are: {keyless}.",
            )
        )
    if repeated:
        warnings.append(
            Notice(
                code="key_repeated",
                message=f"New rows whose {listed} comes again further down were left out, the "
                f"last one counts: {repeated}.",
            )
        )
    return tuple(warnings)
