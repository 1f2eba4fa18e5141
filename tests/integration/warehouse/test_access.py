"""Acting as an organisation: inside a transaction only, and without a trace afterwards."""

import asyncio

import asyncpg
import pytest

from contracts.envelope import new_id
from warehouse import names
from warehouse.access import as_org, as_owner
from warehouse.provision import provision


async def who(connection) -> str:
    return await connection.fetchval("SELECT current_user")


async def test_outside_a_transaction_it_is_refused(organization, transform):
    with pytest.raises(RuntimeError, match="inside a transaction"):
        async with as_org(transform, organization):
            pass
    assert await who(transform) == "dalgo_transform"


async def test_the_role_ends_with_the_context(organization, transform):
    async with transform.transaction():
        async with as_org(transform, organization):
            assert await who(transform) == names.org_role(organization)
        assert await who(transform) == "dalgo_transform"


async def test_an_error_that_is_not_the_databases_ends_the_role_too(organization, transform):
    async with transform.transaction():
        with pytest.raises(ValueError, match="ours"):
            async with as_org(transform, organization):
                raise ValueError("ours")
        assert await who(transform) == "dalgo_transform"


async def test_an_sql_error_is_told_as_it_is_and_leaves_no_role(organization, transform):
    with pytest.raises(asyncpg.UndefinedTableError):
        async with transform.transaction(), as_org(transform, organization):
            await transform.execute("SELECT * FROM nowhere")
    assert await who(transform) == "dalgo_transform"


async def test_an_owner_is_one_whom_the_organisation_may_become(organization, transform, ground):
    own, analyst = names.org_role(organization), f"analyst_{organization.hex}"
    superuser = await asyncpg.connect(ground.superuser_url)
    await superuser.execute(f"CREATE ROLE {analyst}")
    async with transform.transaction(), as_org(transform, organization):
        with pytest.raises(PermissionError, match=analyst):
            async with as_owner(transform, organization, analyst):
                pass
        assert await who(transform) == own
    await superuser.execute(f"GRANT {analyst} TO {own} WITH INHERIT FALSE, SET TRUE")
    await superuser.close()
    async with transform.transaction(), as_org(transform, organization):
        async with as_owner(transform, organization, analyst):
            assert await who(transform) == analyst
        assert await who(transform) == own
        with pytest.raises(ValueError, match="ours"):
            async with as_owner(transform, organization, analyst):
                raise ValueError("ours")
        assert await who(transform) == own
    assert await who(transform) == "dalgo_transform"


async def test_no_organisation_becomes_another_though_the_login_may(organization, transform):
    await provision(transform, other := new_id())
    async with transform.transaction(), as_org(transform, organization):
        with pytest.raises(PermissionError):
            async with as_owner(transform, organization, names.org_role(other)):
                pass


async def test_a_pooled_connection_carries_nothing_over(organization, ground):
    """One connection, poisoned every way there is: committed, failed, cancelled."""
    pool = await asyncpg.create_pool(ground.database_url("transform"), min_size=1, max_size=1)
    try:
        for end in ("SELECT 1", "SELECT 1 / 0", "SELECT pg_sleep(60)"):

            async def work(statement: str = end) -> None:
                async with (
                    pool.acquire() as connection,
                    connection.transaction(),
                    as_org(connection, organization),
                ):
                    await connection.execute(statement)

            task = asyncio.create_task(work())
            await asyncio.wait({task}, timeout=0.5)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            async with pool.acquire() as connection:
                assert await who(connection) == "dalgo_transform"
    finally:
        await pool.close()


async def test_a_login_by_itself_has_no_rights_in_an_organisation(organization, transform):
    relation = names.qualified(names.data_schema(organization), "v_a")
    async with transform.transaction(), as_org(transform, organization):
        await transform.execute(f"CREATE TABLE {relation} AS SELECT 1 AS n")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await transform.fetch(f"SELECT * FROM {relation}")


async def test_one_organisation_cannot_reach_another(organization, transform):
    other = new_id()
    await provision(transform, other)
    relation = names.qualified(names.data_schema(other), "v_a")
    async with transform.transaction(), as_org(transform, other):
        await transform.execute(f"CREATE TABLE {relation} AS SELECT 1 AS n")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with transform.transaction(), as_org(transform, organization):
            await transform.fetch(f"SELECT * FROM {relation}")


async def test_the_metadata_of_a_service_is_out_of_an_organisations_reach(organization, transform):
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with transform.transaction(), as_org(transform, organization):
            await transform.fetch("SELECT * FROM dalgo_transform.outbox")


@pytest.mark.parametrize("login", ["orchestrator", "auth"])
async def test_only_ingest_and_transform_may_act_as_an_organisation(organization, connect, login):
    connection = await connect(login)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with connection.transaction(), as_org(connection, organization):
            pass


async def test_ingest_may_act_as_an_organisation(organization, connect):
    ingest = await connect("ingest")
    async with ingest.transaction(), as_org(ingest, organization):
        assert await who(ingest) == names.org_role(organization)
