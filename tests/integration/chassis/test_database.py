"""Transactions in the name of an organisation, and nothing carried over to the next one."""

import asyncio
import socket
from contextlib import AbstractAsyncContextManager
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio

from chassis.database import Connection, Database
from contracts.auth import GetOrganization
from contracts.envelope import new_id
from contracts.problem import ProblemError


@pytest_asyncio.fixture
async def database(connect_database) -> Database:
    """One connection, so that whatever it carried over would be met by the next transaction."""
    return await connect_database("orchestrator", pool_size=1)


async def _insert(connection: Connection, org_id: UUID) -> None:
    await connection.execute(
        "INSERT INTO pipelines (id, org_id, name, name_key, source_ids, transformation_ids, digest) "
        "VALUES ($1, $2, $3, $3, '{}', '{}', '')",
        new_id(),
        org_id,
        new_id().hex,
    )


async def _owners(connection: Connection) -> set[UUID]:
    return {row["org_id"] for row in await connection.fetch("SELECT org_id FROM pipelines")}


async def _fail(
    transaction: AbstractAsyncContextManager[Connection], org_id: UUID, statement: str | None
) -> None:
    async with transaction as connection:
        await _insert(connection, org_id)
        if statement is None:
            raise ZeroDivisionError
        await connection.execute(statement)


async def _is_nobody(database: Database) -> bool:
    """Whether the pool's connection speaks for no organisation and as no other role."""
    async with database.transaction() as connection:
        org_id = await connection.fetchval("SELECT current_setting('app.org_id', true)")
        user = await connection.fetchval("SELECT current_user::text")
        return not org_id and user == "dalgo_orchestrator" and await _owners(connection) == set()


async def test_an_organisation_sees_its_own_rows_and_the_system_sees_all(
    database: Database, org_id: UUID
) -> None:
    other = new_id()
    for each in (org_id, other):
        async with database.organization(each) as connection:
            await _insert(connection, each)
    for each in (org_id, other):
        async with database.organization(each) as connection:
            assert await _owners(connection) == {each}
    async with database.system() as connection:
        assert {org_id, other} <= await _owners(connection)
    assert await _is_nobody(database)


async def test_an_organisation_cannot_write_change_or_delete_anothers_rows(
    database: Database, org_id: UUID
) -> None:
    other = new_id()
    async with database.organization(other) as connection:
        await _insert(connection, other)
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        async with database.organization(org_id) as connection:
            await _insert(connection, other)
    async with database.organization(org_id) as connection:
        assert await connection.execute("UPDATE pipelines SET name = 'mine'") == "UPDATE 0"
        assert await connection.execute("DELETE FROM pipelines") == "DELETE 0"
    async with database.organization(other) as connection:
        assert await _owners(connection) == {other}


async def test_who_speaks_for_nobody_can_write_no_organisations_rows(
    database: Database, org_id: UUID
) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        async with database.transaction() as connection:
            await _insert(connection, org_id)


@pytest.mark.parametrize("statement", ["SELECT 1 / 0", "no sql", None])
async def test_a_connection_carries_nothing_over_after_an_error(
    statement: str | None, database: Database, org_id: UUID
) -> None:
    async with database.organization(org_id) as connection:
        await _insert(connection, org_id)
    for transaction in (database.organization(org_id), database.system()):
        with pytest.raises((asyncpg.PostgresError, ZeroDivisionError)):
            await _fail(transaction, org_id, statement)
        assert await _is_nobody(database)
    async with database.organization(org_id) as connection:
        assert await connection.fetchval("SELECT count(*) FROM pipelines") == 1


async def test_a_service_does_not_see_anothers_schema(database: Database) -> None:
    for table in ("dalgo_auth.users", "dalgo_ingest.outbox", "dalgo_transform.dead_letters"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with database.transaction() as connection:
                await connection.execute(f"SELECT 1 FROM {table}")


async def test_a_service_cannot_take_anothers_role_nor_change_its_own_tables(
    database: Database,
) -> None:
    for statement in (
        'SET LOCAL ROLE "dalgo_ingest_system"',
        'SET LOCAL ROLE "dalgo_auth"',
        "ALTER TABLE pipelines DISABLE ROW LEVEL SECURITY",
        "DROP POLICY organization ON pipelines",
        "CREATE TABLE dalgo_orchestrator.own (id int)",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with database.transaction() as connection:
                await connection.execute(statement)


async def test_a_replica_that_hangs_or_a_line_that_is_lost_holds_no_lock_for_ever(
    database: Database,
):
    async with database.transaction() as connection:
        assert await connection.fetchval("SHOW idle_in_transaction_session_timeout") == "5min"
        assert await connection.fetchval("SHOW tcp_keepalives_idle") == "30"
        assert await connection.fetchval("SHOW client_connection_check_interval") == "10s"
    async with database.pool.acquire() as connection:
        assert connection._con is not None
        line = connection._con._transport.get_extra_info("socket")
        assert line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1


async def test_nobody_asks_another_service_inside_a_transaction(database, bus, org_id) -> None:
    request = GetOrganization()

    async def asks() -> None:
        await bus.ask(request, org_id=org_id)

    async with database.organization(org_id):
        with pytest.raises(RuntimeError, match="asking auth inside a transaction"):
            await asks()
        with pytest.raises(RuntimeError, match="inside a transaction"):
            await asyncio.create_task(asks())
        # What is begun here and goes on afterwards holds none any more.
        later = asyncio.create_task(_after(asyncio.sleep(0.05), asks))
    with pytest.raises(ProblemError, match="does not run"):
        await later


async def _after(first, then) -> None:
    await first
    await then()
