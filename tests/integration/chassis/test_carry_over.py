"""An installation of the time before names had a prefix is carried over whole, or not at all."""

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio

from chassis.database import Database
from chassis.migrations import Target, migrate
from chassis.names import schema
from contracts.envelope import new_id
from stack.postgres import database_url, programs
from stack.servers import Servers
from warehouse import names
from warehouse.access import as_org
from warehouse.loaders import drop_loader, issue_loader

PASSWORD = "only-for-tests"
SERVICES = ("auth", "ingest", "transform", "orchestrator")
TARGETS = [*(Target(name, PASSWORD) for name in SERVICES), Target("warehouse", None)]
ORG = UUID("01990000-0000-7000-8000-0000000000a1")
SOURCE = UUID("01990000-0000-7000-8000-0000000000b2")
BEFORE = Path(__file__).parent / "before_prefixes.sql"


@pytest.fixture
def server() -> Iterator[Servers]:
    with Servers.temporary(password=PASSWORD) as servers:
        psql = [str(programs() / "bin" / "psql"), "--no-psqlrc", "--quiet", "-v", "ON_ERROR_STOP=1"]
        subprocess.run(
            [*psql, f"--dbname={servers.superuser_url}", f"--file={BEFORE}"],
            check=True,
            capture_output=True,
        )
        yield servers


@pytest_asyncio.fixture
async def superuser(server: Servers) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(server.superuser_url)
    yield connection
    await connection.close()


Content = dict[tuple[str, tuple[str, ...]], list[str]]
"""Rows as text, by the table's name without prefix and its columns."""


async def _content(superuser: asyncpg.Connection, before: Content | None = None) -> Content:
    """Of all tables but those of migrations, and of those columns only that were `before`."""
    tables = await superuser.fetch(
        "SELECT table_schema, table_name, array_agg(column_name::text ORDER BY ordinal_position) "
        "FROM information_schema.columns JOIN pg_tables "
        "ON (schemaname, tablename) = (table_schema, table_name) "
        "WHERE schemaname !~ '^pg_|information_schema' AND tablename <> 'schema_migrations' "
        "GROUP BY 1, 2"
    )
    known = {} if before is None else dict(before.keys())
    found: Content = {}
    for name, table, there in tables:
        shown = f"{name.removeprefix('dalgo_')}.{table}"
        columns = known.get(shown, tuple(there))
        cells = ", ".join(f'"{column}"' for column in columns)
        rows = await superuser.fetch(
            f'SELECT ROW({cells})::text FROM "{name}"."{table}" ORDER BY 1'
        )
        found[shown, columns] = [row[0] for row in rows]
    return found


def _rows(content: Content, table: str) -> list[str]:
    return next(rows for (name, _), rows in content.items() if name == table)


async def test_nothing_is_lost_and_everything_works_under_the_new_names(
    server: Servers, superuser: asyncpg.Connection
) -> None:
    before = await _content(superuser)
    assert _rows(before, "orchestrator.pipelines")
    assert _rows(before, f"org_{ORG.hex}_landing.wells") == ["(7)"]
    assert await migrate(server.migrator_url, TARGETS) > 0
    assert await migrate(server.migrator_url, TARGETS) == 0
    assert await _content(superuser, before) == before
    port = server.postgres.port

    def url(role: str) -> str:
        return database_url(port, role, PASSWORD)

    # The login of another system goes on with its password, under its new name.
    loader = await asyncpg.connect(url(names.loader_role(ORG, SOURCE)))
    assert await loader.fetchval("SELECT depth FROM wells") == 7
    await loader.close()
    async with asyncpg.create_pool(url(schema("orchestrator")), min_size=1, max_size=1) as pool:
        database = Database(pool, "orchestrator")
        async with database.organization(ORG) as connection:
            assert await connection.fetchval(f"SELECT name FROM {schema('orchestrator')}.pipelines")
        async with database.organization(new_id()) as connection:
            assert not await connection.fetch(f"SELECT FROM {schema('orchestrator')}.pipelines")
        async with database.system() as connection:
            assert await connection.fetch(f"SELECT FROM {schema('orchestrator')}.pipelines")
            await connection.execute(f"SELECT {schema('orchestrator')}.take_lock('outbox')")
    async with asyncpg.create_pool(url(schema("transform")), min_size=1, max_size=1) as pool:
        database = Database(pool, "transform")
        async with database.organization(ORG) as connection, as_org(connection, ORG):
            assert await connection.fetchval(f"SELECT n FROM {names.live_schema(ORG)}.source_a")
            assert await connection.fetchval(f"SELECT depth FROM {names.landing_schema(ORG)}.wells")
        await issue_loader(database, new_id(), new_id())
        await issue_loader(database, ORG, SOURCE)
        await drop_loader(database, ORG, SOURCE)
    assert not await superuser.fetchval(
        "SELECT to_regclass($1)", f"{names.landing_schema(ORG)}.wells"
    )


async def test_what_is_carried_over_is_what_is_made_anew(
    server: Servers, superuser: asyncpg.Connection
) -> None:
    await migrate(server.migrator_url, TARGETS)
    with Servers.temporary(password=PASSWORD) as new:
        await migrate(new.migrator_url, TARGETS)
        fresh = await asyncpg.connect(new.superuser_url)
        try:
            assert await _shape(superuser) == await _shape(fresh)
        finally:
            await fresh.close()


async def _shape(superuser: asyncpg.Connection) -> dict[str, set[str]]:
    """Functions, columns, rights and policies of the metadata schemas; their former names nowhere."""
    ours = "JOIN pg_namespace AS n ON n.nspname = ANY ($1) AND n.oid ="
    queries = {
        "functions": "SELECT pg_get_functiondef(p.oid), pg_get_userbyid(proowner), proacl::text "
        f"FROM pg_proc AS p {ours} pronamespace",
        "columns": "SELECT n.nspname, relname, attname, format_type(atttypid, atttypmod), attnotnull "
        f"FROM pg_attribute JOIN pg_class AS c ON c.oid = attrelid {ours} relnamespace "
        "WHERE attnum > 0 AND NOT attisdropped",
        "rights": f"SELECT n.nspname, relname, relacl::text FROM pg_class {ours} relnamespace "
        "WHERE relkind = 'r'",
        "policies": "SELECT n.nspname, relname, polname, polroles::regrole[]::text "
        f"FROM pg_policy JOIN pg_class AS c ON c.oid = polrelid {ours} relnamespace",
        "schemas": "SELECT nspname, nspacl::text FROM pg_namespace WHERE nspname = ANY ($1)",
        "members": "SELECT roleid::regrole::text, member::regrole::text, inherit_option, set_option "
        "FROM pg_auth_members WHERE roleid::regrole::text ~ '^dalgo_' "
        "AND member::regrole::text = ANY ($1)",
    }
    own = [schema(name) for name in (*SERVICES, "warehouse", "chassis")]
    found = {}
    for what, query in queries.items():
        rows = {str(tuple(row)) for row in await superuser.fetch(query, own)}
        # Each service has one more role here for each organisation.
        found[what] = {row for row in rows if not re.search("_org_[0-9a-f]{32}", row)}
    return found


async def test_one_that_fails_leaves_all_as_it_was(
    server: Servers, superuser: asyncpg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken" / "migrations"
    broken.mkdir(parents=True)
    (broken.parent / "__init__.py").touch()
    (broken / "0001_no.sql").write_text("no sql")
    monkeypatch.syspath_prepend(tmp_path)
    roles = "SELECT rolname FROM pg_roles ORDER BY 1"
    before = await _content(superuser), await superuser.fetch(roles)
    with pytest.raises(asyncpg.PostgresSyntaxError):
        await migrate(server.migrator_url, [*TARGETS, Target("broken", None)])
    assert (await _content(superuser), await superuser.fetch(roles)) == before
    assert await superuser.fetchval("SELECT to_regnamespace('dalgo_auth')") is None


async def test_migrators_that_begin_at_once_carry_over_once(server: Servers) -> None:
    applied = await asyncio.gather(*(migrate(server.migrator_url, TARGETS) for _ in range(3)))
    assert sorted(applied)[:2] == [0, 0]
