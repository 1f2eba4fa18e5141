"""What a service makes of a database that stores nothing."""

import asyncpg
import pytest

from chassis.disk import Disk
from contracts.problem import ProblemError


async def test_a_database_that_takes_no_writes_counts_as_full_until_it_does(
    connect_database,
):
    database = await connect_database("auth", pool_size=1)
    own = Disk(database, fresh=0.0)
    await own.check()
    # As a managed server sets it when its disk is nearly full, and a standby by itself.
    await database.pool.execute("SET default_transaction_read_only = on")
    with pytest.raises(ProblemError) as refused:
        await own.check()
    assert (refused.value.problem.status, refused.value.problem.code) == (503, "database_full")
    assert "takes no writes" in refused.value.problem.detail
    await database.pool.execute("SET default_transaction_read_only = off")
    await own.check()


async def test_a_limit_on_temporary_files_is_not_a_full_disk(connect_database, ground):
    admin = await asyncpg.connect(ground.superuser_url)
    await admin.execute("ALTER ROLE dalgo_ingest SET temp_file_limit = '1MB'")
    try:
        limited = await connect_database("ingest", pool_size=1)
        assert await limited.pool.fetchval("SHOW temp_file_limit") == "1MB"
        await Disk(limited).check()
    finally:
        await admin.execute("ALTER ROLE dalgo_ingest RESET temp_file_limit")
        await admin.close()


async def test_a_database_that_was_full_and_went_away_is_still_full(connect_database):
    database = await connect_database("auth", pool_size=1)
    own = Disk(database, fresh=0.0)
    await database.pool.execute("SET default_transaction_read_only = on")
    with pytest.raises(ProblemError):
        await own.check()
    await database.pool.close()
    with pytest.raises(ProblemError):
        await own.check()
