"""Readers beside publishes that change tables in every way: one generation, whole, and no error."""

import asyncio
from itertools import cycle, islice

import asyncpg
import pytest
import pytest_asyncio

from contracts.envelope import new_id
from contracts.tables import TableVersion
from contracts.transform import RunPublished
from warehouse import names
from warehouse.access import as_org

PUBLISHES, TABLES, ROWS = 200, 5, 3
_PAUSE = 0.02
SHAPES = (
    {"generation": "integer", "a": "integer"},
    {"generation": "integer", "a": "integer"},
    {"generation": "integer", "a": "integer", "extra": "text"},
    {"generation": "integer", "extra": "text"},
    {"generation": "integer", "extra": "integer"},
    {"extra": "integer", "generation": "integer"},
    {"a": "text", "generation": "integer"},
)
"""Each against the one before: the same, appended, removed, retyped, reordered, and all of it."""


@pytest_asyncio.fixture
async def transform(start_service):
    """As `stand` needs it, with all the time that busy readers may cost a publish."""
    return await start_service("transform", PUBLISH_PATIENCE="100")


async def test_readers_see_one_whole_generation_in_200_publishes(stand, column_factory):
    table_ids = [await stand.declare(f"t{n}", column_factory(**SHAPES[0])) for n in range(TABLES)]
    live = [
        names.qualified(names.live_schema(stand.org_id), names.live_name("source", table_id))
        for table_id in table_ids
    ]
    generations = await _generations(stand, table_ids, column_factory)
    assert isinstance(await stand.publish(*generations[0]), RunPublished)
    await _make_views(stand, live)

    done = asyncio.Event()
    kinds = (_in_a_transaction, _in_a_snapshot, _in_a_statement)
    readers = [asyncio.create_task(_reads(stand, live, kind, done)) for kind in kinds]
    try:
        for generation in generations[1:]:
            published = await stand.publish(*generation)
            assert isinstance(published, RunPublished), published
    finally:
        done.set()
        seen = await asyncio.gather(*readers)
    assert seen == [PUBLISHES] * len(kinds)


async def test_prepared_statements_live_as_long_as_the_columns_that_they_name(
    stand, column_factory
):
    first = await stand.source(
        "t", "SELECT 1 AS a, 2 AS b", column_factory(a="integer", b="integer")
    )
    schema = names.live_schema(stand.org_id)
    live = names.qualified(schema, names.live_name("source", first.table_id))
    connection = await stand.connection("transform")
    async with connection.transaction(), as_org(connection, stand.org_id):
        await connection.execute(f"CREATE VIEW {schema}.report AS SELECT a FROM {live}")
    async with connection.transaction(), as_org(connection, stand.org_id):
        named = await connection.prepare(f"SELECT a FROM {live}")
        report = await connection.prepare(f"SELECT * FROM {schema}.report")
        everything = await connection.prepare(f"SELECT * FROM {live}")
    narrow = await stand.load(first.table_id, "SELECT 3 AS a", column_factory(a="integer"))
    assert isinstance(await stand.publish(narrow), RunPublished)
    async with connection.transaction(), as_org(connection, stand.org_id):
        assert await named.fetchval() == 3
        assert await report.fetchval() == 3
    with pytest.raises(asyncpg.InvalidCachedStatementError):
        async with connection.transaction(), as_org(connection, stand.org_id):
            await everything.fetch()
    await connection.close()


async def test_publishes_of_two_tables_that_one_view_reads_both_come_through(stand, column_factory):
    shapes = column_factory(a="integer"), column_factory(a="integer", b="integer")
    loads = "SELECT 1 AS a", "SELECT 1 AS a, 2 AS b"
    ids = [(await stand.source(name, loads[0], shapes[0])).table_id for name in ("t", "u")]
    schema = names.live_schema(stand.org_id)
    t, u = (names.qualified(schema, names.live_name("source", table_id)) for table_id in ids)
    connection = await stand.connection("transform")
    async with connection.transaction(), as_org(connection, stand.org_id):
        await connection.execute(
            f"CREATE VIEW {schema}.both AS SELECT a FROM {t} UNION ALL SELECT a FROM {u}"
        )
    await connection.close()
    for number in (1, 0, 1, 0):
        versions = [await stand.load(table_id, loads[number], shapes[number]) for table_id in ids]
        said = await asyncio.gather(*(stand.publish(version) for version in versions))
        assert [type(each) for each in said] == [RunPublished] * 2


async def _generations(stand, table_ids, column_factory) -> list[tuple[TableVersion, ...]]:
    """All versions, loaded before anybody reads: a snapshot is promised those that it can see."""
    connection = await stand.connection("ingest")
    made = []
    for number, shape in enumerate(islice(cycle(SHAPES), PUBLISHES + 1)):
        select = ", ".join(
            f"{number if name == 'generation' else 7}::{kind} AS {name}"
            for name, kind in shape.items()
        )
        ids = [(table_id, new_id()) for table_id in table_ids]
        async with connection.transaction(), as_org(connection, stand.org_id):
            await connection.execute(
                ";".join(
                    f"CREATE TABLE {_relation(stand, version)} AS "
                    f"SELECT {select} FROM generate_series(1, {ROWS})"
                    for _, version in ids
                )
            )
        made.append(
            tuple(
                TableVersion(
                    table_id=table_id,
                    version_id=version_id,
                    relation=names.version_relation(version_id),
                    columns=column_factory(**shape),
                    rows=ROWS,
                    bytes=8192,
                    fingerprint=str(number),
                )
                for table_id, version_id in ids
            )
        )
    await connection.close()
    return made


def _relation(stand, version_id) -> str:
    return names.qualified(names.data_schema(stand.org_id), names.version_relation(version_id))


async def _make_views(stand, live) -> None:
    schema = names.live_schema(stand.org_id)
    connection = await stand.connection("transform")
    async with connection.transaction(), as_org(connection, stand.org_id):
        await connection.execute(
            f"CREATE VIEW {schema}.ends AS SELECT generation FROM {live[0]} "
            f"UNION ALL SELECT generation FROM {live[-1]};"
            f"CREATE VIEW {schema}.summary AS SELECT generation, count(*) AS n "
            f"FROM {schema}.ends GROUP BY generation"
        )
    await connection.close()


async def _reads(stand, live, kind, done) -> int:
    """Polls until there is nothing more to come; the last generation that was seen."""
    connection = await asyncpg.connect(
        stand.ground.database_url("transform"), statement_cache_size=0
    )
    last = -1
    while True:
        is_last = done.is_set()
        generation = await kind(connection, stand, live)
        assert generation >= last
        last = generation
        await asyncio.sleep(_PAUSE)
        if is_last:
            await connection.close()
            return last


async def _in_a_transaction(connection, stand, live) -> int:
    async with connection.transaction(), as_org(connection, stand.org_id):
        return await _table_by_table(connection, stand, live)


async def _in_a_snapshot(connection, stand, live) -> int:
    async with (
        connection.transaction(isolation="repeatable_read"),
        as_org(connection, stand.org_id),
    ):
        return await _table_by_table(connection, stand, live)


async def _table_by_table(connection, stand, live) -> int:
    seen = [await connection.fetch(f"SELECT generation FROM {table}") for table in live]
    (summary,) = await connection.fetch(f"SELECT * FROM {names.live_schema(stand.org_id)}.summary")
    generation = summary["generation"]
    assert summary["n"] == 2 * ROWS
    assert [[row["generation"] for row in rows] for rows in seen] == [[generation] * ROWS] * TABLES
    return generation


async def _in_a_statement(connection, stand, live) -> int:
    schema = names.live_schema(stand.org_id)
    tables = " UNION ALL ".join(f"SELECT generation FROM {table}" for table in live)
    async with connection.transaction(), as_org(connection, stand.org_id):
        (row,) = await connection.fetch(
            f"SELECT array_agg(generation) AS seen, (SELECT sum(n) FROM {schema}.summary) AS n "
            f"FROM ({tables} UNION ALL SELECT generation FROM {schema}.summary) every"
        )
    assert row["n"] == 2 * ROWS
    assert row["seen"] == [row["seen"][0]] * (TABLES * ROWS + 1)
    return row["seen"][0]
