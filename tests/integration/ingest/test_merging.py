"""The next version from the published one and batches: nothing lost, nothing read differently."""

import asyncio
from collections.abc import Sequence

import asyncpg
import pytest
import pytest_asyncio

from chassis.database import Database
from chassis.settings import ServiceSettings
from chassis.testing import eventually
from contracts.envelope import new_id
from contracts.tables import Column
from ingest import merging
from ingest.connectors import BadSource, ColumnType
from ingest.infer import POSTGRES
from ingest.jobs import ORDER
from ingest.merging import Merged, next_version
from ingest.readers import columns_of
from ingest.shape import Rows
from recipe.naming import physical_names
from warehouse.access import as_org
from warehouse.names import LOAD_ID, data_schema, qualified, quoted, version_relation

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Bench:
    """Loads files, merges them, and reads what came of it."""

    def __init__(self, pool, job, login: asyncpg.Connection, org_id) -> None:
        self._pool = pool
        self._job = job
        self.login = login
        self.org_id = org_id

    async def load(self, content: str) -> Rows:
        """A file in a relation of its own, its rows numbered."""
        job = self._job(content).model_copy(update={"ordered": True})
        loaded = await self._pool.load(job)
        return Rows(loaded.relation, columns_of(loaded.columns))

    async def make(self, columns: dict[str, ColumnType], *rows: tuple[str | None, ...]) -> Rows:
        """A relation as `load` would make it, of cells as text."""
        names = zip(columns, physical_names(list(columns)), columns.values(), strict=True)
        held = tuple(Column(name=n, physical=p, type=t) for n, p, t in names)
        relation = version_relation(version_id := new_id())
        table = qualified(data_schema(self.org_id), relation)
        defined = ", ".join(f"{quoted(c.physical)} {POSTGRES[c.type]}" for c in held)
        cells = ", ".join(f"${n}::text::{POSTGRES[c.type]}" for n, c in enumerate(held, 1))
        async with self.login.transaction(), as_org(self.login, self.org_id):
            await self.login.execute(
                f"CREATE TABLE {table} ({defined}, {ORDER} bigint GENERATED ALWAYS AS IDENTITY, "
                f"{LOAD_ID} text NOT NULL DEFAULT '{version_id}')"
            )
            into = ", ".join(quoted(column.physical) for column in held)
            for row in rows:
                await self.login.execute(f"INSERT INTO {table} ({into}) VALUES ({cells})", *row)
        return Rows(relation, held)

    async def merge(
        self, published: Rows | None, *batches: Rows, key: Sequence[str] = ()
    ) -> Merged:
        """The next version: an upsert where there is a key, else an append."""
        relation = version_relation(new_id())
        login, org_id = self.login, self.org_id
        async with login.transaction(), as_org(login, org_id):
            if key:
                return await merging.upsert(login, org_id, relation, published, batches, key)
            return await merging.append(login, org_id, relation, published, batches)

    async def rows(self, held: Merged | Rows) -> list[tuple[object, ...]]:
        """The rows as they lie, without their load ids."""
        names = ", ".join(quoted(column.physical) for column in held.columns)
        return [tuple(row.values()) for row in await self.fetch(held, names)]

    async def fetch(self, held: Merged | Rows, what: str) -> list[asyncpg.Record]:
        """Rows as the organisation sees them."""
        login, org_id = self.login, self.org_id
        table = qualified(data_schema(org_id), held.relation)
        async with login.transaction(), as_org(login, org_id):
            return await login.fetch(f"SELECT {what} FROM {table}")

    def held(self, merged: Merged) -> Rows:
        """A version as the published one of the next merge."""
        return Rows(merged.relation, merged.columns)


@pytest_asyncio.fixture(loop_scope="module")
async def bench(ground, organization, pool, job):
    login = await asyncpg.connect(ground.database_url("ingest"))
    yield Bench(pool, job, login, organization)
    await login.close()


def codes(merged: Merged) -> list[str]:
    """Of its warnings."""
    return [notice.code for notice in merged.warnings]


def types(merged: Merged) -> list[tuple[str, str, str]]:
    """Of its columns, with both names."""
    return [(column.name, column.physical, column.type) for column in merged.columns]


async def test_an_append_keeps_all_rows_and_the_ids_of_their_loads(bench):
    published, batch = await bench.load("a,b\n1,x\n2,y\n"), await bench.load("a,b\n2,y\n3,z\n")
    merged = await bench.merge(published, batch)
    assert await bench.rows(merged) == [(1, "x"), (2, "y"), (2, "y"), (3, "z")]
    assert (merged.rows, codes(merged)) == (4, [])
    assert merged.bytes > 0
    ids = [row[LOAD_ID] for part in (published, batch) for row in await bench.fetch(part, LOAD_ID)]
    assert [row[LOAD_ID] for row in await bench.fetch(merged, LOAD_ID)] == ids
    assert len(set(ids)) == 2


async def test_of_a_key_the_last_row_stays_and_what_does_not_match_is_kept(bench):
    columns: dict[str, ColumnType] = {"n": "integer", "year": "integer", "v": "text"}
    kept = [("1", "2023", "a"), ("1", "2024", "b"), ("2", "2023", "c"), (None, "2023", "d")]
    published = await bench.make(columns, *kept)
    batch = await bench.make(
        columns,
        ("3", "2023", "old"),
        ("1", "2024", "B"),
        (None, "2023", "e"),
        ("3", "2023", "mid"),
        (None, "2023", "f"),
        ("3", "2023", "new"),
    )
    first = await bench.merge(None, published, key=("n", "year"))
    merged = await bench.merge(bench.held(first), batch, key=("n", "year"))
    assert sorted(await bench.rows(merged), key=str) == [
        (1, 2023, "a"),
        (1, 2024, "B"),
        (2, 2023, "c"),
        (3, 2023, "new"),
        (None, 2023, "d"),
        (None, 2023, "e"),
        (None, 2023, "f"),
    ]
    assert merged.rows == 7
    assert codes(merged) == ["key_empty", "key_repeated"]
    assert [notice.message[-3:] for notice in merged.warnings] == [" 2.", " 2."]
    assert "'n', 'year'" in merged.warnings[0].message


async def test_the_order_of_the_file_decides_and_not_where_rows_lie(bench):
    # Wide rows leave room on the pages before them, which narrow ones after them may fill.
    lines = [f"k{n % 50},{n},{'w' * (7000 if n % 3 == 0 else 10)}" for n in range(1000)]
    batch = await bench.load("key,n,w\n" + "\n".join(lines) + "\n")
    merged = await bench.merge(None, batch, key=("key",))
    assert {row[1] for row in await bench.rows(merged)} == set(range(950, 1000))


async def test_of_several_batches_the_later_one_wins(bench):
    columns: dict[str, ColumnType] = {"k": "integer", "v": "text"}
    one = await bench.make(columns, ("1", "a"), ("2", "a"))
    two = await bench.make(columns, ("2", "b"), ("3", "b"))
    three = await bench.make(columns, ("3", "c"))
    merged = await bench.merge(None, one, two, three, key=("k",))
    assert sorted(await bench.rows(merged)) == [(1, "a"), (2, "b"), (3, "c")]
    again = await bench.merge(bench.held(merged), two, key=("k",))
    assert sorted(await bench.rows(again)) == [(1, "a"), (2, "b"), (3, "b")]


async def test_columns_meet_by_the_names_that_people_see(bench):
    published = await bench.make({"ID": "text", "id": "text", "Name": "text"}, ("1", "x", "Asha"))
    batch = await bench.make({"Name": "text", "Village": "text", "id": "text"}, ("Ben", "K", "y"))
    merged = await bench.merge(published, batch)
    assert types(merged) == [
        ("ID", "id", "text"),
        ("id", "id_2", "text"),
        ("Name", "name", "text"),
        ("Village", "village", "text"),
    ]
    assert await bench.rows(merged) == [("1", "x", "Asha", None), (None, "y", "Ben", "K")]
    assert codes(merged) == ["columns_missing"]
    assert "no 'ID'" in merged.warnings[0].message


async def test_an_added_column_whose_name_in_the_database_is_taken_gets_another(bench):
    published = await bench.make({"Name": "text"}, ("Asha",))
    batch = await bench.make({"name": "text", "Name": "text"}, ("ben", "Ben"))
    merged = await bench.merge(published, batch)
    assert types(merged) == [("Name", "name", "text"), ("name", "name_2", "text")]
    assert await bench.rows(merged) == [("Asha", None), ("Ben", "ben")]


async def test_types_are_widened_so_that_every_value_reads_as_before(bench):
    names = ("n", "d", "day", "flag", "price", "made")
    old: tuple[ColumnType, ...] = ("integer", "decimal", "date", "boolean", "integer", "timestamp")
    new: tuple[ColumnType, ...] = ("decimal", "text", "timestamp", "integer", "integer", "json")
    published = await bench.make(
        dict(zip(names, old, strict=True)),
        ("1", "1.50", "2024-02-29", "true", "5", "2024-01-01 10:00"),
    )
    batch = await bench.make(
        dict(zip(names, new, strict=True)),
        ("2.25", "many", "2024-03-01 09:30", "7", "6", '{"a": 1}'),
    )
    merged = await bench.merge(published, batch)
    assert [column.type for column in merged.columns] == [
        *("decimal", "text", "text", "text", "integer", "text")
    ]
    cells = await bench.fetch(merged, "n::text, d, day, flag, price, made")
    assert [tuple(row) for row in cells] == [
        ("1", "1.50", "2024-02-29", "true", 5, "2024-01-01 10:00:00"),
        ("2.25", "many", "2024-03-01 09:30:00", "7", 6, '{"a": 1}'),
    ]
    assert codes(merged) == ["column_widened"] * 5


async def test_a_column_without_any_value_widens_nothing(bench):
    published = await bench.make({"a": "text", "n": "integer"}, ("x", "1"))
    empty = await bench.make({"a": "text", "n": "text"}, ("y", None))
    headed = await bench.make({"a": "text", "n": "text"})
    merged = await bench.merge(published, empty, headed)
    assert [column.type for column in merged.columns] == ["text", "integer"]
    assert (merged.rows, codes(merged)) == (2, [])
    anew = await bench.merge(None, empty, headed, published)
    assert [column.type for column in anew.columns] == ["text", "integer"]


async def test_a_key_of_another_type_is_compared_as_it_reads(bench):
    published = await bench.make({"key": "integer", "v": "text"}, ("7", "a"), ("8", "b"))
    batch = await bench.make({"key": "text", "v": "text"}, ("7", "A"), ("007", "c"))
    merged = await bench.merge(published, batch, key=("key",))
    assert sorted(await bench.rows(merged)) == [("007", "c"), ("7", "A"), ("8", "b")]
    assert codes(merged) == ["column_widened"]


async def test_hostile_names_are_only_names(bench):
    name = 'a"; DROP TABLE x; --{}%s$1'
    published = Rows((await bench.make({name: "text", "v": "text"}, ("1", "a"))).relation, ())
    hostile = 'x" TEXT); --'
    relation = qualified(data_schema(bench.org_id), published.relation)
    async with bench.login.transaction(), as_org(bench.login, bench.org_id):
        await bench.login.execute(f"ALTER TABLE {relation} RENAME COLUMN v TO {quoted(hostile)}")
    columns = (
        Column(name=name, physical=physical_names([name])[0], type="text"),
        Column(name="v", physical=hostile, type="text"),
    )
    batch = await bench.make({name: "text", "v": "text"}, ("1", "b"))
    held = Rows(published.relation, columns)
    merged = await bench.merge(held, batch, key=(name,))
    assert await bench.rows(merged) == [("1", "b")]
    assert merged.columns == columns


async def test_too_many_columns_together_are_refused(bench):
    wide = [await bench.make({f"{p}{n}": "text" for n in range(800)}) for p in "ab"]
    with pytest.raises(BadSource) as caught:
        await bench.merge(*wide)
    assert caught.value.code == "too_many_columns"


async def test_a_merge_that_is_cancelled_stops_in_the_database_and_leaves_nothing(
    bench, ground, organization
):
    columns: dict[str, ColumnType] = {"k": "integer", "v": "text"}
    published = await bench.make(columns, ("1", "a"))
    batch = await bench.make(columns, ("1", "b"))
    blocker = await asyncpg.connect(ground.superuser_url)
    table = qualified(data_schema(organization), published.relation)
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = $1"
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = $1::text::regclass"
    before = await blocker.fetchval(tables, data_schema(organization))
    async with blocker.transaction():
        await blocker.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        merge = asyncio.create_task(bench.merge(published, batch, key=("k",)))
        await eventually(lambda: blocker.fetchval(waiting, table))
        merge.cancel()
        with pytest.raises(asyncio.CancelledError):
            await merge
        assert await blocker.fetchval(waiting, table) == 0
    assert await blocker.fetchval(tables, data_schema(organization)) == before
    await blocker.close()
    assert (await bench.merge(published, batch, key=("k",))).rows == 1


@pytest_asyncio.fixture(loop_scope="module")
async def database(ground):
    """Of ingest's own login."""
    settings = ServiceSettings.model_validate(
        {"nats_url": ground.nats_url, "database_url": ground.database_url("ingest")}
    )
    database = await Database.connect(settings, "ingest")
    yield database
    await database.close()


async def test_a_merge_that_takes_too_long_fails_for_good(bench, database, ground, organization):
    columns: dict[str, ColumnType] = {"k": "integer", "v": "text"}
    published, batch = await bench.make(columns, ("1", "a")), await bench.make(columns, ("2", "b"))
    relation = version_relation(new_id())
    blocker = await asyncpg.connect(ground.superuser_url)
    async with blocker.transaction():
        await blocker.execute(f"LOCK TABLE {qualified(data_schema(organization), batch.relation)}")
        with pytest.raises(BadSource) as raised:
            await next_version(database, organization, relation, published, [batch], timeout=0.3)
    await blocker.close()
    assert raised.value.code == "merge_timed_out"
    merged = await next_version(database, organization, relation, published, [batch], timeout=30)
    assert merged.rows == 2


async def test_a_merge_of_many_temporary_files_fails_for_good(bench, database, organization):
    rows = "".join(f"{n:040x}\n" for n in range(600_000))
    batch = await bench.load(f"k\n{rows}")
    with pytest.raises(BadSource) as raised:
        await next_version(
            database,
            organization,
            version_relation(new_id()),
            None,
            [batch],
            ["k"],
            temp_bytes=64 * 1024,
        )
    assert raised.value.code == "merge_too_large"
