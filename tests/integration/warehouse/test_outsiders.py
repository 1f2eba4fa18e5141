"""What runs over an outsider's table is contained: code in it runs, and reaches nothing."""

import asyncio
from functools import partial

import asyncpg
import pytest
import pytest_asyncio

from chassis.database import Database
from chassis.testing import eventually
from warehouse import names
from warehouse.access import as_org
from warehouse.outsiders import TookTooLong, contained

from ...planted import PLANNED, REFUSED, RUNS, SECRET, planter

ONE = [("n", "integer")]


@pytest_asyncio.fixture
async def loader(ground, org_id):
    """A loader that plants code."""
    found = await planter(ground, org_id)
    yield found
    await found.session.close()
    await found.superuser.close()


@pytest_asyncio.fixture
async def database(ground):
    """The database as ingest holds it, with one connection in its pool."""
    url = ground.database_url("ingest")
    pool = await asyncpg.create_pool(url, min_size=1, max_size=1)
    yield Database(pool, "ingest", partial(asyncpg.connect, url))
    await pool.close()


def wells(loader) -> str:
    return f"SELECT n FROM {names.qualified(loader.landing, 'wells')}"


def notices(session) -> list[str]:
    heard: list[str] = []
    session.connection.add_log_listener(lambda _, message: heard.append(message.message))
    return heard


async def version(database, org_id, columns: str = "n int") -> None:
    async with database.transaction() as connection, as_org(connection, org_id):
        await connection.execute(
            f"CREATE TABLE {names.data_schema(org_id)}.v_{'a' * 26} ({columns})"
        )


@pytest.mark.parametrize("vector", PLANNED.values(), ids=PLANNED)
async def test_planted_code_runs_and_reaches_nothing(org_id, database, loader, vector):
    await loader.plant(vector)
    async with contained(database, org_id, seconds=30) as session:
        heard = notices(session)
        await session.rows(wells(loader), ONE)
    assert RUNS in heard
    refused = [each.removeprefix(REFUSED) for each in heard if each.startswith(REFUSED)]
    assert 'cannot set parameter "role" within security-definer function' in refused
    assert "cannot execute CREATE TABLE in a read-only transaction" in refused
    assert "cannot execute INSERT in a read-only transaction" in refused
    assert await loader.harm() == []


@pytest.mark.parametrize("vector", PLANNED.values(), ids=PLANNED)
async def test_planted_code_reaches_nothing_while_rows_are_copied(org_id, database, loader, vector):
    await loader.plant(vector)
    async with contained(database, org_id, seconds=30) as session:
        heard = notices(session)
        await version(database, org_id)
        async with database.transaction() as target, as_org(target, org_id):
            target_schema = names.data_schema(org_id)
            await session.copy(wells(loader), ONE, target, target_schema, f"v_{'a' * 26}")
    assert RUNS in heard
    assert await loader.harm() == []


@pytest.mark.parametrize("vector", PLANNED.values(), ids=PLANNED)
async def test_dropping_what_a_loader_has_made_computes_nothing_of_it(
    org_id, ground, loader, vector
):
    """It happens with the migrator's rights, in a session of transform."""
    await loader.plant(vector)
    role = names.loader_role(org_id, loader.source_id)
    await loader.superuser.execute(f"REVOKE USAGE ON LANGUAGE plpgsql FROM {role}")
    connection = await asyncpg.connect(ground.database_url("transform"))
    heard: list[str] = []
    connection.add_log_listener(lambda _, message: heard.append(message.message))
    await connection.execute("SELECT dalgo_warehouse.drop_loader($1, $2)", org_id, loader.source_id)
    await connection.close()
    assert any("drop cascades" in each for each in heard) or not heard
    assert RUNS not in " ".join(heard)


async def test_planted_code_gets_no_setting_back_that_was_taken(org_id, database, loader):
    """Read-only, and the user of the session, can be set by nobody inside."""
    await loader.session.execute(
        f"""
        CREATE FUNCTION {loader.landing}.wild() RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
        DECLARE attempt text;
        BEGIN
            FOREACH attempt IN ARRAY ARRAY[
                'SET TRANSACTION READ WRITE', 'SET transaction_read_only = off', 'COMMIT',
                'RESET SESSION AUTHORIZATION', 'RESET ALL', 'DISCARD ALL', 'ROLLBACK'
            ] LOOP
                BEGIN
                    EXECUTE attempt;
                EXCEPTION WHEN OTHERS THEN NULL;
                END;
                RAISE NOTICE '% % %', session_user, current_user,
                    current_setting('transaction_read_only');
            END LOOP;
            RETURN 1;
        END $$
        """
    )
    await loader.plant("CREATE TABLE wells AS SELECT 1 AS n; CREATE INDEX ON wells ((wild()))")
    async with contained(database, org_id, seconds=30) as session:
        heard = notices(session)
        await session.rows(wells(loader), ONE)
    assert set(heard) == {f"dalgo_ingest {names.org_role(org_id)} on"}
    assert len(heard) >= 7


async def test_nothing_that_planted_code_leaves_in_its_session_meets_other_work(
    org_id, database, loader, advisory_locks
):
    await loader.session.execute(
        f"""
        CREATE FUNCTION {loader.landing}.soiled() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
            IF session_user <> 'dalgo_ingest' THEN RETURN 1; END IF;
            PERFORM set_config('app.org_id', '{loader.victim}', false);
            PERFORM set_config('search_path', '{loader.landing}', false);
            PERFORM pg_advisory_lock(hashtextextended('left by {org_id}', 0));
            EXECUTE 'PREPARE later AS SELECT 1';
            RETURN 1;
        END $$;
        CREATE FUNCTION {loader.landing}.soil() RETURNS int LANGUAGE plpgsql IMMUTABLE
            AS $$ BEGIN RETURN {loader.landing}.soiled(); END $$
        """
    )
    await loader.plant("CREATE TABLE wells AS SELECT 1 AS n; CREATE INDEX ON wells ((soil()))")
    async with contained(database, org_id, seconds=30) as session:
        await session.rows(wells(loader), ONE)
        pid = session.connection.get_server_pid()
    async with database.transaction() as connection:
        assert connection.get_server_pid() != pid
        assert await connection.fetchval("SELECT current_setting('app.org_id', true)") in (None, "")
        free = "SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0))"

        async def released() -> bool:
            return await connection.fetchval(free, f"left by {org_id}")

        await eventually(released)


async def test_a_pool_without_sessions_besides_loses_the_one_that_was_used(ground, org_id, loader):
    async with asyncpg.create_pool(ground.database_url("ingest"), min_size=1, max_size=1) as pool:
        database = Database(pool, "ingest")
        await loader.plant("CREATE TABLE wells AS SELECT 1 AS n")
        async with contained(database, org_id, seconds=30) as session:
            used = session.connection.get_server_pid()
            assert [row["n"] for row in await session.rows(wells(loader), ONE)] == [1]
        async with database.transaction() as connection:
            assert connection.get_server_pid() != used


STUBBORN = """
CREATE FUNCTION {landing}.stubborn() RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
    LOOP
        BEGIN
            PERFORM pg_sleep(0.05);
            IF session_user <> 'dalgo_ingest' THEN RETURN 1; END IF;
        EXCEPTION WHEN query_canceled THEN NULL;
        END;
    END LOOP;
END $$
"""


async def test_code_that_catches_its_cancellation_is_ended_with_its_session(
    org_id, database, loader
):
    await loader.session.execute(STUBBORN.format(landing=loader.landing))
    await loader.plant("CREATE TABLE wells AS SELECT 1 AS n; CREATE INDEX ON wells ((stubborn()))")
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    with pytest.raises(TookTooLong):
        await read(database, org_id, loader, started, seconds=0.2)
    await gone(loader, started.result())


async def test_a_reading_that_is_called_off_leaves_no_session(org_id, database, loader):
    await loader.session.execute(STUBBORN.format(landing=loader.landing))
    await loader.plant("CREATE TABLE wells AS SELECT 1 AS n; CREATE INDEX ON wells ((stubborn()))")
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    reading = asyncio.create_task(read(database, org_id, loader, started, seconds=60))
    pid = await started
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await gone(loader, pid)


async def read(database, org_id, loader, started, *, seconds: float) -> None:
    async with contained(database, org_id, seconds=seconds) as session:
        started.set_result(session.connection.get_server_pid())
        await session.rows(wells(loader), ONE)


async def gone(loader, pid: int) -> None:
    async def ended() -> bool:
        found = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)"
        return await loader.superuser.fetchval(found, pid)

    await eventually(ended)


async def test_what_stops_a_copy_is_told_as_it_is_and_nothing_is_written(org_id, database, loader):
    await loader.plant("CREATE TABLE wells AS SELECT n FROM generate_series(1, 200000) n")
    await version(database, org_id, "n int CHECK (n < 150000)")
    place = (names.data_schema(org_id), f"v_{'a' * 26}")
    for statement, kind in (
        (
            f"SELECT (1 / (n - 150000))::int FROM {loader.landing}.wells",
            asyncpg.DivisionByZeroError,
        ),
        (wells(loader), asyncpg.CheckViolationError),
    ):
        with pytest.raises(kind):
            async with (
                contained(database, org_id, seconds=30) as session,
                database.transaction() as target,
                as_org(target, org_id),
            ):
                await session.copy(statement, ONE, target, *place)
    async with database.transaction() as connection, as_org(connection, org_id):
        assert await connection.fetchval("SELECT count(*) FROM {}.{}".format(*place)) == 0


async def test_the_organisation_is_read_and_no_other(org_id, database, loader):
    own, other = names.data_schema(org_id), names.data_schema(loader.victim)
    async with contained(database, org_id, seconds=30) as session:
        rows = await session.rows(f"SELECT note FROM {own}.secret", [("note", "text")])
        assert [row["note"] for row in rows] == [SECRET]
    async with contained(database, org_id, seconds=30) as session:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await session.rows(f"SELECT note FROM {other}.secret", [("note", "text")])
