"""Provisioning by the real migrator's function, as the real logins."""

import asyncio

import asyncpg
import pytest

from contracts.envelope import new_id
from warehouse import names
from warehouse.access import as_org
from warehouse.provision import OrganizationErased, provision


async def test_an_organisation_gets_two_schemas_that_its_role_owns(organization, transform):
    owners = await transform.fetch(
        "SELECT nspname, nspowner::regrole::text AS owner FROM pg_namespace "
        "WHERE nspname = ANY($1)",
        [names.live_schema(organization), names.data_schema(organization)],
    )
    assert {row["owner"] for row in owners} == {names.org_role(organization)}
    assert len(owners) == 2


async def test_neither_of_its_roles_can_log_in(organization, transform):
    roles = [names.org_role(organization), names.reader_role(organization)]
    rows = await transform.fetch(
        "SELECT rolcanlogin, rolsuper, rolcreaterole FROM pg_roles WHERE rolname = ANY($1)", roles
    )
    assert [tuple(row) for row in rows] == [(False, False, False)] * 2


async def test_provisioning_twice_is_provisioning_once(organization, transform):
    await provision(transform, organization)
    async with transform.transaction(), as_org(transform, organization):
        assert await transform.fetchval("SELECT current_user") == names.org_role(organization)


async def test_many_may_provision_the_same_organisation_at_once(connect, org_id):
    connections = [await connect("transform") for _ in range(6)]
    await asyncio.gather(*(provision(connection, org_id) for connection in connections))
    async with connections[0].transaction(), as_org(connections[0], org_id):
        await connections[0].execute(
            f"CREATE TABLE {names.qualified(names.data_schema(org_id), 'v_a')} (n int)"
        )


async def test_different_organisations_are_provisioned_at_once(connect):
    connections = [await connect("transform") for _ in range(6)]
    await asyncio.gather(*(provision(connection, new_id()) for connection in connections))


@pytest.mark.parametrize("login", ["ingest", "orchestrator", "auth"])
async def test_no_other_login_may_provision(connect, org_id, login):
    connection = await connect(login)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await provision(connection, org_id)


async def test_an_erased_organisation_does_not_come_back(connect, transform, org_id):
    migrator = await connect("migrator")
    await migrator.execute(
        "INSERT INTO dalgo_warehouse.erased_organizations (org_id) VALUES ($1)", org_id
    )
    with pytest.raises(OrganizationErased, match=str(org_id)):
        await provision(transform, org_id)


async def test_the_migrator_keeps_no_rights_of_the_organisation(organization, connect):
    migrator = await connect("migrator")
    relation = names.qualified(names.data_schema(organization), "v_a")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await migrator.execute(f"CREATE TABLE {relation} (n int)")


async def test_the_reader_reads_live_views_and_no_version(organization, connect, transform, ground):
    live = names.qualified(names.live_schema(organization), "source_a")
    data = names.qualified(names.data_schema(organization), "v_a")
    async with transform.transaction(), as_org(transform, organization):
        await transform.execute(f"CREATE TABLE {data} AS SELECT 1 AS n")
        await transform.execute(f"CREATE VIEW {live} AS SELECT * FROM {data}")
    reader = await asyncpg.connect(ground.superuser_url)
    try:
        await reader.execute(f"SET ROLE {names.quoted(names.reader_role(organization))}")
        assert await reader.fetchval(f"SELECT n FROM {live}") == 1
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await reader.fetchval(f"SELECT n FROM {data}")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await reader.execute(f"INSERT INTO {live} VALUES (2)")
    finally:
        await reader.close()
