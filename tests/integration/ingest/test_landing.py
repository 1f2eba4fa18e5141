"""Copying another system's table: every type, one snapshot, and nothing of that system's is run."""

import asyncpg
import pytest
import pytest_asyncio

from chassis.database import Database
from contracts.envelope import new_id
from contracts.ingest import ColumnOption, ExternalConfig
from ingest.connectors import BadSource, Unavailable
from ingest.external.landing import Landing
from warehouse.loaders import issue_loader
from warehouse.names import data_schema, landing_schema, loader_role, org_role, version_relation

WELLS = ExternalConfig(table="wells")


@pytest_asyncio.fixture
async def landing(ground):
    """Landing schemas as ingest's service reads them."""
    database = await _database(ground, "ingest")
    yield Landing(database, patience=0.1)
    await database.close()


async def _database(ground, name: str) -> Database:
    pool = await asyncpg.create_pool(ground.database_url(name), min_size=1, max_size=2)
    return Database(pool, name)


@pytest_asyncio.fixture
async def loader(ground, org_id):
    """A session of the loader's login."""
    source_id = new_id()
    transform = await _database(ground, "transform")
    password = await issue_loader(transform, org_id, source_id)
    await transform.close()
    place = ground.migrator_url.partition("@")[2]
    name = loader_role(org_id, source_id)
    # As on a server that is not ours.
    superuser = await asyncpg.connect(ground.superuser_url)
    await superuser.execute(f"GRANT USAGE ON LANGUAGE plpgsql TO {name}")
    await superuser.close()
    session = await asyncpg.connect(f"postgresql://{name}:{password}@{place}")
    yield session
    await session.close()


@pytest_asyncio.fixture
async def copied(ground, org_id, landing):
    """Copies the table; the shape, the rows, and what lies in the version, without the load's id."""

    async def copied(announced: int | None = None):
        relation = version_relation(new_id())
        shape, rows, size = await landing.copy(org_id, WELLS, relation, new_id(), announced)
        assert size > 0
        return shape, rows, await stored(ground, org_id, relation)

    return copied


async def stored(ground, org_id, relation):
    connection = await asyncpg.connect(ground.superuser_url)
    try:
        rows = await connection.fetch(f"SELECT * FROM {data_schema(org_id)}.{relation}")
        types = await connection.fetch(
            "SELECT attname, format_type(atttypid, atttypmod) AS type FROM pg_attribute "
            "WHERE attrelid = $1::text::regclass AND attnum > 0 ORDER BY attnum",
            f"{data_schema(org_id)}.{relation}",
        )
    finally:
        await connection.close()
    return {row["attname"]: row["type"] for row in types}, [tuple(row)[:-1] for row in rows]


async def versions(ground, org_id) -> list[str]:
    connection = await asyncpg.connect(ground.superuser_url)
    try:
        rows = await connection.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = $1", data_schema(org_id)
        )
    finally:
        await connection.close()
    return [row["tablename"] for row in rows]


async def test_every_type_arrives_as_ours_or_as_text_with_a_warning(ground, loader, copied):
    await loader.execute(
        """
        CREATE DOMAIN percent AS numeric(5, 2) CHECK (value <= 100);
        CREATE TYPE state AS ENUM ('open', 'shut');
        CREATE TYPE place AS (lat int, lon int);
        CREATE TABLE wells (
            "Well name" text, code varchar(4), fixed char(3), id uuid, state state,
            small smallint, big bigint, exact numeric(10, 2), share percent,
            ratio real, deep double precision, dug date, seen timestamp(0), told timestamptz,
            "is open?" boolean, plain json, extra jsonb,
            tags text[], place place, took interval, picture bytea
        );
        SET TIME ZONE 'Asia/Kolkata';
        INSERT INTO wells VALUES (
            'Nord', 'a', 'ab', '00000000-0000-0000-0000-000000000001', 'open',
            1, 9223372036854775807, 1.50, 99.5,
            0.1, 0.30000000000000004, '2024-02-29', '2024-02-29 12:30', '2024-02-29 12:30',
            true, '{"a": [1]}', '{"b": 2}',
            ARRAY['x', 'y, z'], ROW(1, NULL), '1 day 2 hours', '\\x00ff'
        );
        INSERT INTO wells DEFAULT VALUES;
        """
    )
    shape, rows, (types, values) = await copied()
    assert rows == 2
    assert list(types.items()) == [
        ("well_name", "text"),
        ("code", "text"),
        ("fixed", "text"),
        ("id", "text"),
        ("state", "text"),
        ("small", "bigint"),
        ("big", "bigint"),
        ("exact", "numeric"),
        ("share", "numeric"),
        ("ratio", "numeric"),
        ("deep", "numeric"),
        ("dug", "date"),
        ("seen", "timestamp without time zone"),
        ("told", "timestamp without time zone"),
        ("is_open", "boolean"),
        ("plain", "jsonb"),
        ("extra", "jsonb"),
        ("tags", "text"),
        ("place", "text"),
        ("took", "text"),
        ("picture", "text"),
        ("_dlt_load_id", "text"),
    ]
    first = [str(value) for value in values[0]]
    assert first == [
        *("Nord", "a", "ab", "00000000-0000-0000-0000-000000000001", "open"),
        *("1", "9223372036854775807", "1.50", "99.50", "0.1", "0.30000000000000004"),
        *("2024-02-29", "2024-02-29 12:30:00", "2024-02-29 07:00:00"),
        *("True", '{"a": [1]}', '{"b": 2}'),
        *('{x,"y, z"}', "(1,)", "1 day 02:00:00", "\\x00ff"),
    ]
    assert set(values[1]) == {None}
    assert shape.columns[0].display_name == "Well name"
    assert [column.type for column in shape.columns[5:11]] == ["integer"] * 2 + ["decimal"] * 4
    told = {warning.code: warning.message for warning in shape.warnings}
    assert set(told) == {"kept_as_text", "times_in_utc"}
    assert "'tags' (text[]), 'place' (" in told["kept_as_text"]
    assert "'state'" not in told["kept_as_text"]


async def test_the_first_rows_are_shown_as_people_see_them(org_id, landing, loader):
    await loader.execute(
        """
        CREATE TABLE wells ("Well name" text, n bigint, x double precision, t timestamp, b bool);
        INSERT INTO wells VALUES
            ('Nord', 9007199254740993, 'NaN', '2024-02-29 12:30', true),
            (NULL, 7, 0.5, 'infinity', false), ('NaN', 1, 2, '0044-03-15 BC', NULL)
        """
    )
    _, rows = await landing.sample(org_id, WELLS, 2)
    assert rows == (
        {"Well name": "Nord", "n": "9007199254740993", "x": None, "t": "2024-02-29T12:30:00"}
        | {"b": True},
        {"Well name": None, "n": 7, "x": 0.5, "t": None, "b": False},
    )
    _, rows = await landing.sample(org_id, WELLS, 3)
    assert rows[2] == {"Well name": "NaN", "n": 1, "x": 2, "t": "0044-03-15 00:00:00 BC", "b": None}


async def test_a_table_that_is_not_there_yet_is_told_as_such(org_id, landing, loader, copied):
    assert await landing.shape(new_id(), WELLS) is None
    assert await landing.shape(org_id, WELLS) is None
    with pytest.raises(BadSource) as raised:
        await copied()
    assert raised.value.code == "no_table"
    await loader.execute("CREATE TABLE wells ()")
    with pytest.raises(BadSource) as raised:
        await landing.shape(org_id, WELLS)
    assert raised.value.code == "no_columns"


@pytest.mark.parametrize(("announced", "there"), [(3, 2), (1, 2), (1, 0)])
async def test_other_rows_than_were_announced_are_refused_with_both_numbers(
    ground, org_id, loader, copied, announced, there
):
    await loader.execute(f"CREATE TABLE wells AS SELECT n FROM generate_series(1, {there}) n")
    with pytest.raises(BadSource, match=f"{announced} rows were announced.*{there} are there"):
        await copied(announced)
    assert await versions(ground, org_id) == []
    assert (await copied(there))[1] == there


EVIL = """
    CREATE FUNCTION evil(note text) RETURNS boolean LANGUAGE plpgsql AS
        $$ BEGIN EXECUTE 'CREATE TABLE {data}.stolen (n int)'; RETURN true; END $$;
    CREATE TYPE mood AS ENUM ('ok');
    CREATE TYPE pair AS (a int);
    CREATE FUNCTION worse(it {kind}) RETURNS {to} LANGUAGE plpgsql AS
        $$ BEGIN PERFORM {landing}.evil('x'); RETURN {result}; END $$;
    CREATE CAST ({kind} AS {to}) WITH FUNCTION worse({kind}) AS IMPLICIT;
    CREATE TABLE wells (m {kind});
    INSERT INTO wells VALUES ({value});
"""


@pytest.mark.parametrize(
    ("kind", "value", "to", "result", "shown"),
    [
        ("mood", "'ok'", "text", "'x'", "ok"),
        ("mood", "'ok'", "bigint", "1", "ok"),
        ("pair", "ROW(1)", "text", "'x'", "(1)"),
        ("pair", "ROW(1)", "jsonb", "'{}'", "(1)"),
    ],
)
async def test_a_cast_of_the_loaders_own_is_not_called(
    ground, org_id, landing, loader, copied, kind, value, to, result, shown
):
    names = {"data": data_schema(org_id), "landing": landing_schema(org_id)}
    await loader.execute(EVIL.format(kind=kind, value=value, to=to, result=result, **names))
    _, _, (_, rows) = await copied()
    assert rows == [(shown,)]
    await landing.sample(org_id, WELLS, 5)
    assert "stolen" not in await versions(ground, org_id)


POLICY = """
    CREATE TABLE wells (n text);
    INSERT INTO wells VALUES ('a');
    ALTER TABLE wells ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
    CREATE POLICY mine ON wells USING (evil(n))
"""


@pytest.mark.parametrize(
    ("made", "code"),
    [
        ("CREATE VIEW wells AS SELECT evil('x') AS n", "not_a_table"),
        ("CREATE MATERIALIZED VIEW wells AS SELECT 1 AS n", "not_readable"),
        ("CREATE SEQUENCE wells", "not_readable"),
        (POLICY, "not_readable"),
    ],
    ids=["view", "materialized view", "sequence", "policy"],
)
async def test_what_is_no_plain_table_is_refused_and_not_run(
    ground, org_id, landing, loader, copied, made, code
):
    await loader.execute(
        "CREATE FUNCTION evil(note text) RETURNS boolean LANGUAGE plpgsql AS "
        f"$$ BEGIN EXECUTE 'CREATE TABLE {data_schema(org_id)}.stolen (n int)'; RETURN true; END $$"
    )
    await loader.execute(made)
    for reading in (copied(), landing.sample(org_id, WELLS, 5)):
        with pytest.raises(BadSource) as raised:
            await reading
        assert raised.value.code == code
    assert await versions(ground, org_id) == []


async def test_a_partitioned_table_is_read_whole(loader, copied):
    await loader.execute(
        """
        CREATE TABLE wells (n int) PARTITION BY LIST (n);
        CREATE TABLE one PARTITION OF wells FOR VALUES IN (1);
        CREATE TABLE rest PARTITION OF wells DEFAULT;
        INSERT INTO wells VALUES (1), (2)
        """
    )
    assert (await copied())[1] == 2


async def test_a_skipped_column_does_not_arrive_and_a_mask_is_refused(org_id, landing, loader):
    await loader.execute("CREATE TABLE wells AS SELECT 'x'::text AS phone, 1 AS n")
    skipping = ExternalConfig.model_validate(
        {"table": "wells", "columns": {"phone": {"skip": True}}}
    )
    assert (await landing.sample(org_id, skipping, 5))[1] == ({"n": 1},)
    masking = {"table": "wells", "columns": {"phone": {"mask": "hash"}}}
    with pytest.raises(BadSource, match="'phone'"):
        await landing.shape(org_id, ExternalConfig.model_validate(masking))


@pytest.mark.parametrize("storage", ["EXTENDED", "EXTERNAL"])
async def test_a_row_that_is_too_large_is_refused_before_it_is_read(
    ground, org_id, landing, loader, copied, storage
):
    await loader.execute("CREATE TABLE wells (n int, picture bytea, note text)")
    await loader.execute(f"ALTER TABLE wells ALTER COLUMN picture SET STORAGE {storage}")
    # Of zeros: on the disk the first kind takes a hundredth.
    await loader.execute(
        "INSERT INTO wells VALUES"
        " (1, decode(repeat('00', 15 * 1024 * 1024), 'hex'), 'much'),"
        " (2, decode(repeat('00', 17 * 1024 * 1024), 'hex'), 'too much')"
    )
    with pytest.raises(BadSource) as raised:
        await copied()
    assert raised.value.code == "row_too_large"
    assert "16,777,216 bytes. Skip the column" in str(raised.value)
    assert await versions(ground, org_id) == []
    skipped = WELLS.model_copy(update={"columns": {"picture": ColumnOption(skip=True)}})
    _, rows, _ = await landing.copy(org_id, skipped, version_relation(new_id()), new_id(), None)
    assert rows == 2
    await loader.execute("DELETE FROM wells WHERE n = 2")
    _, rows, _ = await copied()
    assert rows == 1


async def test_a_table_that_its_loader_holds_is_tried_again_later(org_id, loader, copied):
    await loader.execute("CREATE TABLE wells AS SELECT 1 AS n")
    async with loader.transaction():
        await loader.execute("TRUNCATE wells")
        with pytest.raises(Unavailable, match="locked"):
            await copied()
    assert (await copied())[1] == 0


async def test_a_value_that_has_no_place_with_us_is_told(loader, copied):
    await loader.execute("CREATE TABLE wells (j json)")
    await loader.execute("""INSERT INTO wells VALUES ('{"a": "\\u0000"}')""")
    with pytest.raises(BadSource, match="did not take"):
        await copied()


async def test_what_was_copied_is_the_organisations_and_not_the_loaders(
    ground, org_id, loader, copied
):
    await loader.execute("CREATE TABLE wells AS SELECT 1 AS n")
    await copied()
    (relation,) = await versions(ground, org_id)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await loader.execute(f"SELECT * FROM {data_schema(org_id)}.{relation}")
    connection = await asyncpg.connect(ground.superuser_url)
    owner = await connection.fetchval(
        "SELECT tableowner FROM pg_tables WHERE tablename = $1", relation
    )
    await connection.close()
    assert owner == org_role(org_id)
