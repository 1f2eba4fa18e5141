"""The next version of a table, in one statement: what is published and the batches that follow it."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from chassis.database import Connection, Database
from contracts.shares import MERGE_TIME, TEMP_BYTES
from contracts.tables import Column, Notice
from ingest.connectors import BadSource
from ingest.jobs import ORDER
from ingest.shape import Rows, Shape, common_shape, table_of
from warehouse import versions
from warehouse.access import as_org
from warehouse.names import LOAD_ID, data_schema, qualified, quoted

_PLACES = 1 << 40
"""More rows than a batch can have: the batch before this, the row's place in it behind."""
_MEMORY = "32MB"
"""Of a hash table: with PostgreSQL's 4 MB the keys of a million rows go to disk in pieces."""
_LIMIT = """
SELECT set_config('statement_timeout', $1, true),
       CASE WHEN has_parameter_privilege('temp_file_limit', 'SET')
            THEN set_config('temp_file_limit', $2, true) END"""
_ADVICE = "Upload fewer files at a time, or begin a new source for the newer ones."


@dataclass(frozen=True)
class Merged:
    """A version that was made and counted in SQL."""

    relation: str
    columns: tuple[Column, ...]
    rows: int
    bytes: int
    """Size on disk, TOAST included."""
    warnings: tuple[Notice, ...]


async def next_version(
    database: Database,
    org_id: UUID,
    relation: str,
    published: Rows | None,
    batches: Sequence[Rows],
    key: Sequence[str] = (),
    *,
    timeout: float = MERGE_TIME.each,
    temp_bytes: int = TEMP_BYTES.each,
) -> Merged:
    """`upsert` by a key, else `append`, in a transaction of its own. A cancel stops the statement.

    Raises BadSource as those do, `merge_timed_out` after `timeout` seconds, and `merge_too_large` past
    `temp_bytes` of temporary files, where the login may limit those.
    """
    async with _limited(timeout), database.organization(org_id) as connection:
        # As the login itself: the organisation's role may not limit temporary files.
        await connection.execute(_LIMIT, str(int(timeout * 1000)), f"{temp_bytes // 1024}kB")
        async with as_org(connection, org_id):
            if key:
                return await upsert(connection, org_id, relation, published, batches, key)
            return await append(connection, org_id, relation, published, batches)


@asynccontextmanager
async def _limited(timeout: float) -> AsyncIterator[None]:
    try:
        yield
    except asyncpg.QueryCanceledError as error:
        # Others end the statement too: a newer holder of the step, an operator.
        if "statement timeout" not in str(error):
            raise
        raise BadSource(
            "merge_timed_out",
            f"Adding the new files to the table took longer than {timeout / 60:g} minutes and was "
            f"stopped. Nothing was changed. {_ADVICE}",
        ) from error
    except asyncpg.ConfigurationLimitExceededError as error:
        raise BadSource(
            "merge_too_large",
            "Adding the new files to the table took more temporary files than one statement may use. "
            f"Nothing was changed. {_ADVICE}",
        ) from error


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
    shape = await common_shape(connection, schema, published, batches)
    selects = [f"SELECT {shape.select(part)} FROM {table_of(schema, part)}" for part in parts]
    await _make(connection, schema, relation, " UNION ALL ".join(selects))
    counts = ", ".join(f"(SELECT count(*) FROM {table_of(schema, part)})" for part in parts)
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
    shape = await common_shape(connection, schema, published, batches)
    by_name = {column.name: quoted(column.physical) for column in shape.columns}
    names = [by_name[name] for name in key]
    keyed = " AND ".join(f"{name} IS NOT NULL" for name in names)
    same = " AND ".join(f"old.{name} = new.{name}" for name in names)
    listed = ", ".join(names)
    batch = " UNION ALL ".join(
        f"SELECT {shape.select(part, f'{number * _PLACES} + {ORDER} AS {ORDER}')} "
        f"FROM {table_of(schema, part)}"
        for number, part in enumerate(batches)
    )
    old = (
        f"SELECT {shape.select(published)} FROM {table_of(schema, published)}"
        if published
        # No row, in the right shape.
        else f"SELECT {shape.outputs()} FROM batch WHERE false"
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
        f"{parts_sql} SELECT {shape.outputs()} FROM published AS old "
        f"WHERE NOT EXISTS (SELECT FROM last AS new WHERE {same}) "
        f"UNION ALL SELECT {shape.outputs('batch')} FROM batch JOIN last USING ({ORDER}) "
        f"UNION ALL SELECT {shape.outputs()} FROM batch WHERE NOT ({keyed})",
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
    shape: Shape,
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
        warnings=(*shape.warnings(), *warnings),
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
