"""Lock rows of a service: one holder at a time, until its transaction ends."""

import asyncio

import asyncpg
import pytest

from chassis.database import Database
from contracts.envelope import new_id


async def _took(database: Database, key: str) -> bool:
    async with database.transaction() as connection:
        return bool(await connection.fetchval("SELECT try_lock($1)", key))


async def test_a_lock_is_held_by_one_transaction_at_a_time(connect_database) -> None:
    database, key = await connect_database("orchestrator"), new_id().hex
    order: list[str] = []

    async def work(name: str) -> None:
        async with database.transaction() as connection:
            await connection.execute("SELECT take_lock($1)", key)
            order.append(f"{name} begins")
            await connection.execute("SELECT pg_sleep(0.05)")
            order.append(f"{name} ends")

    # The first of them makes the row, while the others wait for it.
    await asyncio.gather(*(work(str(number)) for number in range(4)))
    pairs = zip(order[::2], order[1::2], strict=True)
    assert all(begins.split()[0] == ends.split()[0] for begins, ends in pairs)


async def test_a_lock_that_is_held_is_not_waited_for_when_it_is_tried(connect_database) -> None:
    database, key = await connect_database("orchestrator"), new_id().hex
    assert await _took(database, key)
    async with database.transaction() as connection:
        assert await connection.fetchval("SELECT try_lock($1)", key)
        assert not await _took(database, key)
    assert await _took(database, key)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT dalgo_orchestrator.take_lock('outbox')",
        "SELECT FROM dalgo_orchestrator.locks FOR UPDATE",
        "LOCK TABLE dalgo_orchestrator.locks",
        "LOCK TABLE dalgo_chassis.migrator",
        "SELECT FROM dalgo_warehouse.locks FOR SHARE",
    ],
)
async def test_no_login_but_the_services_own_reaches_its_locks(ground, statement: str) -> None:
    other = await asyncpg.connect(ground.database_url("ingest"))
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with other.transaction():
                await other.execute(statement)
    finally:
        await other.close()


async def test_no_function_of_ours_takes_an_advisory_lock(ground) -> None:
    connection = await asyncpg.connect(ground.superuser_url)
    found = await connection.fetch(
        "SELECT oid::regprocedure::text FROM pg_proc WHERE prosrc LIKE '%advisory%' AND "
        "pronamespace::regnamespace::text IN "
        "('dalgo_auth', 'dalgo_ingest', 'dalgo_transform', 'dalgo_orchestrator', 'dalgo_warehouse', "
        "'dalgo_chassis')"
    )
    await connection.close()
    assert found == []
