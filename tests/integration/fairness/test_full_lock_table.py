"""A loader that fills PostgreSQL's table of locks stops others for a moment, and only once."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio
from pydantic import SecretStr

from chassis.database import Database
from chassis.migrations import Target, migrate
from chassis.names import schema
from chassis.testing import eventually
from contracts.envelope import new_id
from stack.postgres import database_url
from stack.servers import Servers
from transform.loaders import Loaders
from transform.settings import Settings
from warehouse import full_lock_table, names
from warehouse.loaders import LoadersPaused, issue_loader, watch_loaders
from warehouse.provision import provision

from ...conftest import KEY, PASSWORD

_TABLES = 1500


@pytest.fixture(scope="module")
def server() -> Iterator[Servers]:
    """A server of its own: while its locks are used up nothing else works there."""
    with Servers.temporary(password=PASSWORD) as servers:
        targets = [Target("transform", PASSWORD), Target("ingest", PASSWORD)]
        asyncio.run(migrate(servers.migrator_url, [*targets, Target("warehouse", None)]))
        yield servers


def _url(server: Servers, login: str, password: str = PASSWORD) -> str:
    return database_url(server.postgres.port, login, password)


@pytest.fixture
def settings(server: Servers) -> Settings:
    """Of transform, on this server."""
    return Settings(
        database_url=SecretStr(_url(server, schema("transform"))),
        nats_url=server.nats_url,
        mask_key=SecretStr(KEY),
    )


@pytest_asyncio.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    """The database as transform's service holds it."""
    opened = await Database.connect(settings, "transform")
    yield opened
    await opened.close()


class Greedy:
    """A loader of an organisation, with all connections that it gets."""

    def __init__(
        self, org_id: UUID, session: asyncpg.Connection, other: asyncpg.Connection
    ) -> None:
        self.org_id = org_id
        self.session, self.other = session, other

    async def take_the_rest(self) -> None:
        """Take all locks that are left."""
        with pytest.raises(asyncpg.OutOfMemoryError):
            await self.other.execute(
                "SELECT count(pg_advisory_lock(n)) FROM generate_series(1, 10000000) n"
            )


@pytest_asyncio.fixture
async def greedy(server: Servers, database: Database) -> AsyncIterator[Greedy]:
    """A loader that may take advisory locks, as on a server of another operator."""
    org_id, source_id = new_id(), new_id()
    password = await issue_loader(database, org_id, source_id)
    login = names.loader_role(org_id, source_id)
    superuser = await asyncpg.connect(server.superuser_url)
    await superuser.execute(f"GRANT EXECUTE ON FUNCTION pg_advisory_lock(bigint) TO {login}")
    sessions = [await asyncpg.connect(_url(server, login, password)) for _ in range(2)]
    yield Greedy(org_id, *sessions)
    for session in sessions:
        session.terminate()
    await superuser.close()


async def _by_advisory_locks(loader: Greedy) -> None:
    await loader.take_the_rest()


async def _by_savepoints(loader: Greedy) -> None:
    # Each that has written, and was not released, holds a lock.
    await loader.session.execute("CREATE TABLE rows (n int); BEGIN")
    await loader.session.execute("SAVEPOINT a; INSERT INTO rows VALUES (1);" * 5000)
    await loader.take_the_rest()


async def _by_tables(loader: Greedy) -> None:
    # Locks against all others also take the fast path from every other session.
    await loader.session.execute("CREATE TABLE wells (n int)")
    children = (f"CREATE TABLE wells_{n} () INHERITS (wells);" for n in range(_TABLES))
    await loader.session.execute("".join(children))
    await loader.session.execute("BEGIN; LOCK TABLE wells IN ACCESS EXCLUSIVE MODE")
    await loader.take_the_rest()


_WAYS = {"advisory": _by_advisory_locks, "savepoints": _by_savepoints, "tables": _by_tables}


async def _provisioned(database: Database) -> bool:
    try:
        async with database.transaction() as connection:
            await provision(connection, new_id())
    except asyncpg.OutOfMemoryError:
        return False
    return True


@pytest.mark.parametrize("way", _WAYS)
async def test_a_full_table_of_locks_is_freed_and_its_organisation_waits(
    server: Servers, database: Database, greedy: Greedy, way: str
) -> None:
    other, source_id = new_id(), new_id()
    password = await issue_loader(database, other, source_id)
    modest = await asyncpg.connect(_url(server, names.loader_role(other, source_id), password))
    await modest.execute("BEGIN; CREATE TABLE wells (n int)")
    async with full_lock_table.ready(database) as session:
        # The session has not seen these roles yet.
        for _ in range(3):
            await issue_loader(database, new_id(), new_id())
        await _WAYS[way](greedy)
        # So it is full: no other organisation is served, and the ordinary look fails too.
        assert not await _provisioned(database)
        with pytest.raises(asyncpg.OutOfMemoryError):
            await watch_loaders(database)
        assert await full_lock_table.free(session, database) == [greedy.org_id]
    assert await _provisioned(database)
    with pytest.raises(LoadersPaused):
        await issue_loader(database, greedy.org_id, new_id())
    await modest.execute("COMMIT")
    await modest.close()


async def test_transform_frees_it(database: Database, greedy: Greedy, settings: Settings) -> None:
    watching = asyncio.create_task(Loaders(database, settings).watch())
    try:
        await eventually(lambda: _is_ready(database))
        # The ordinary look may be quicker.
        with suppress(asyncpg.PostgresConnectionError):
            await greedy.take_the_rest()
        await eventually(lambda: _provisioned(database), within=30)
        await eventually(lambda: _is_paused(database, greedy), within=30)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def test_the_session_that_stays_ready_holds_back_no_vacuum(database: Database) -> None:
    async with full_lock_table.ready(database) as session:
        assert await full_lock_table.free(session, database) == []
        async with database.transaction() as connection:
            (state,) = await connection.fetch(
                "SELECT state, backend_xid, backend_xmin FROM pg_stat_activity WHERE pid = $1",
                session.get_server_pid(),
            )
        assert tuple(state) == ("idle in transaction", None, None)


async def _is_ready(database: Database) -> bool:
    async with database.transaction() as connection:
        found = await connection.fetch(
            "SELECT FROM pg_stat_activity WHERE usename = current_user"
            " AND state = 'idle in transaction' AND pid <> pg_backend_pid()"
        )
        return bool(found)


async def _is_paused(database: Database, greedy: Greedy) -> bool:
    try:
        await issue_loader(database, greedy.org_id, new_id())
    except LoadersPaused:
        return True
    return False
