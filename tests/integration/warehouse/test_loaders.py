"""A loader's login fills its landing schema, and that is all it can do."""

import asyncio
import re
from contextlib import suppress
from importlib.resources import files

import asyncpg
import pytest
import pytest_asyncio

from chassis.database import Database
from chassis.names import filled
from contracts.envelope import new_id
from contracts.shares import LOADER_CONNECTIONS, LOADER_PAUSE, LOADERS
from stack.postgres import MIGRATOR
from warehouse import names
from warehouse.access import as_org
from warehouse.loaders import (
    Intervention,
    LoadersPaused,
    NoConnectionsLeft,
    TableRead,
    TooManyLoaders,
    drop_loader,
    issue_loader,
    revoke_loader,
    watch_loaders,
)
from warehouse.provision import OrganizationErased, provision


@pytest_asyncio.fixture
async def database(ground):
    """The database as transform's service holds it."""
    pool = await asyncpg.create_pool(ground.database_url("transform"), min_size=1, max_size=4)
    yield Database(pool, "transform")
    await pool.close()


@pytest_asyncio.fixture
async def log_in(ground):
    """Opens sessions with a loader's own password."""
    opened = []
    place = ground.migrator_url.partition("@")[2]

    async def log_in(org_id, source_id, password) -> asyncpg.Connection:
        name = names.loader_role(org_id, source_id)
        connection = await asyncpg.connect(f"postgresql://{name}:{password}@{place}", timeout=10)
        opened.append(connection)
        return connection

    yield log_in
    for connection in opened:
        await connection.close()


@pytest.fixture
def source_id():
    return new_id()


@pytest_asyncio.fixture
async def loader(database, organization, source_id, log_in):
    """A session of a loader that has filled its table."""
    password = await issue_loader(database, organization, source_id)
    session = await log_in(organization, source_id, password)
    await session.execute("CREATE TABLE wells (name text, depth int)")
    await session.execute("INSERT INTO wells VALUES ('north', 12), ('south', 30)")
    return session


async def in_landing(connection, org_id) -> set[str]:
    rows = await connection.fetch(
        "SELECT tablename FROM pg_tables WHERE schemaname = $1", names.landing_schema(org_id)
    )
    return {row["tablename"] for row in rows}


async def test_the_organisation_reads_what_a_loader_writes(organization, loader, connect):
    table = names.qualified(names.landing_schema(organization), "wells")
    for login in ("ingest", "transform"):
        service = await connect(login)
        async with service.transaction(), as_org(service, organization):
            assert await service.fetchval(f"SELECT sum(depth) FROM {table}") == 42


async def test_whatever_a_loader_grants_or_revokes_the_organisation_still_reads(
    organization, loader, connect
):
    role = names.quoted(names.org_role(organization))
    await loader.execute(f"REVOKE ALL ON wells FROM PUBLIC, {role}")
    await loader.execute(f"ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM {role}")
    await loader.execute("CREATE TABLE more AS SELECT 1 AS n")
    ingest = await connect("ingest")
    async with ingest.transaction(), as_org(ingest, organization):
        for table in ("wells", "more"):
            found = names.qualified(names.landing_schema(organization), table)
            assert await ingest.fetchval(f"SELECT count(*) FROM {found}") > 0


async def test_what_a_loader_may_not_do(organization, database, loader, transform, connect):
    other = new_id()
    neighbour = new_id()
    await issue_loader(database, other, neighbour)
    for org in (organization, other):
        async with transform.transaction(), as_org(transform, org):
            data, live = names.data_schema(org), names.live_schema(org)
            await transform.execute(f"CREATE TABLE {names.qualified(data, 'v_a')} AS SELECT 1 AS n")
            await transform.execute(
                f"CREATE VIEW {names.qualified(live, 'source_a')} AS SELECT 1 AS n"
            )
    name = names.loader_role(organization, new_id())
    refused = [
        *(f"SET ROLE {role}" for role in ("dalgo_transform", "dalgo_ingest", "postgres", MIGRATOR)),
        "SET SESSION AUTHORIZATION postgres",
        "SELECT * FROM dalgo_ingest.sources",
        "SELECT * FROM dalgo_transform.tables",
        "SELECT * FROM dalgo_auth.users",
        "SELECT * FROM dalgo_warehouse.erased_organizations",
        f"SELECT dalgo_warehouse.issue_loader('{other}', '{neighbour}', 'SCRAM-SHA-256$1:a$a:a', 9, 9, 9)",
        "SELECT * FROM dalgo_warehouse.open_loaders()",
        "SELECT FROM dalgo_warehouse.loader_count FOR UPDATE",
        "SET temp_file_limit = -1",
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END'",
        "DO 'BEGIN END'",
        f"SELECT dalgo_warehouse.drop_loader('{other}', '{neighbour}')",
        f"SELECT dalgo_warehouse.provision_organization('{other}')",
        f'CREATE ROLE "{name}" LOGIN',
        f"GRANT {names.quoted(names.org_role(organization))} TO CURRENT_USER",
        "ALTER ROLE CURRENT_USER CONNECTION LIMIT -1",
        "ALTER ROLE CURRENT_USER SUPERUSER",
        "CREATE SCHEMA mine",
        "CREATE TEMP TABLE t (n int)",
        "CREATE TABLE public.t (n int)",
        "CREATE EXTENSION file_fdw",
        "COPY wells TO '/tmp/wells'",
        "COPY wells TO PROGRAM 'cat'",
        "SELECT pg_read_file('postgresql.conf')",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename <> current_user",
    ]
    for org in (organization, other):
        schemas = [names.live_schema(org), names.data_schema(org)]
        if org == other:
            schemas.append(names.landing_schema(org))
            refused.append(f"DROP OWNED BY {names.quoted(names.loader_role(org, neighbour))}")
        refused.append(f"SET ROLE {names.quoted(names.org_role(org))}")
        refused.append(f"SET ROLE {names.quoted(names.reader_role(org))}")
        refused.append(f"SELECT * FROM {names.qualified(names.data_schema(org), 'v_a')}")
        refused.append(f"SELECT * FROM {names.qualified(names.live_schema(org), 'source_a')}")
        refused += [f"CREATE TABLE {names.qualified(schema, 't')} (n int)" for schema in schemas]
        refused += [f"DROP SCHEMA {names.quoted(schema)} CASCADE" for schema in schemas]
    refused.append(f"DROP SCHEMA {names.quoted(names.landing_schema(organization))} CASCADE")
    for statement in refused:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await loader.execute(statement)


async def test_two_loaders_of_one_organisation_do_not_touch_each_others_tables(
    organization, database, loader, log_in
):
    second = new_id()
    session = await log_in(organization, second, await issue_loader(database, organization, second))
    for statement in (
        "SELECT * FROM wells",
        "INSERT INTO wells VALUES ('x', 1)",
        "DROP TABLE wells",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await session.execute(statement)


async def test_a_service_cannot_become_a_loader(organization, source_id, loader, connect):
    role = names.quoted(names.loader_role(organization, source_id))
    for login in ("ingest", "transform"):
        service = await connect(login)
        async with service.transaction(), as_org(service, organization):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with service.transaction():
                    await service.execute(f"SET LOCAL ROLE {role}")


async def test_the_migrator_keeps_no_rights_of_the_loader(organization, loader, connect):
    migrator = await connect("migrator")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await migrator.fetch(
            f"SELECT * FROM {names.qualified(names.landing_schema(organization), 'wells')}"
        )


async def test_a_new_password_ends_the_old_one_and_its_sessions(
    organization, source_id, database, loader, log_in, transform
):
    name = names.loader_role(organization, source_id)
    old = await issue_loader(database, organization, source_id)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
        await loader.execute("SELECT 1")
    new = await issue_loader(database, organization, source_id)
    with pytest.raises(asyncpg.InvalidPasswordError):
        await log_in(organization, source_id, old)
    session = await log_in(organization, source_id, new)
    assert await session.fetchval("SELECT count(*) FROM wells") == 2
    limit = await transform.fetchval("SELECT rolconnlimit FROM pg_roles WHERE rolname = $1", name)
    assert limit == LOADER_CONNECTIONS.each


async def test_a_revoked_login_is_shut_and_its_table_stays(
    organization, source_id, database, loader, log_in, transform
):
    password = await issue_loader(database, organization, source_id)
    await log_in(organization, source_id, password)
    for _ in range(2):
        await revoke_loader(database, organization, source_id)
    with pytest.raises(
        (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidPasswordError)
    ):
        await log_in(organization, source_id, password)
    assert await in_landing(transform, organization) == {"wells"}
    again = await log_in(
        organization, source_id, await issue_loader(database, organization, source_id)
    )
    assert await again.fetchval("SELECT count(*) FROM wells") == 2


async def test_a_dropped_login_leaves_nothing_of_its_own_and_all_of_others(
    organization, source_id, database, loader, log_in, transform
):
    second = new_id()
    session = await log_in(organization, second, await issue_loader(database, organization, second))
    await session.execute("CREATE TABLE pumps (n int)")
    await loader.execute("CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql AS 'SELECT 2 * n'")
    for _ in range(2):
        await drop_loader(database, organization, source_id)
    assert await in_landing(transform, organization) == {"pumps"}
    roles = await transform.fetch(
        "SELECT FROM pg_roles WHERE rolname = $1", names.loader_role(organization, source_id)
    )
    assert roles == []
    await session.execute("INSERT INTO pumps VALUES (1)")
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
        await loader.execute("SELECT 1")


async def test_a_table_that_is_read_is_dropped_a_little_later(
    organization, source_id, database, loader, transform, connect
):
    table = names.qualified(names.landing_schema(organization), "wells")
    ingest = await connect("ingest")
    async with ingest.transaction(), as_org(ingest, organization):
        await ingest.fetch(f"SELECT * FROM {table}")
        with pytest.raises(TableRead):
            await drop_loader(database, organization, source_id)
    await drop_loader(database, organization, source_id)
    assert await in_landing(transform, organization) == set()


HOLDS = (
    "ALTER ROLE CURRENT_USER PASSWORD 'mine'",
    "ALTER ROLE CURRENT_USER SET work_mem = '64kB'",
    "LOCK TABLE wells IN ACCESS EXCLUSIVE MODE",
)
"""What a loader may do, and holds until its transaction ends."""


@pytest.mark.parametrize("change", [issue_loader, revoke_loader, drop_loader])
@pytest.mark.parametrize("held", HOLDS)
async def test_a_login_that_holds_its_role_or_table_is_changed_all_the_same(
    organization, source_id, database, loader, held, change
):
    await loader.execute(f"BEGIN; {held}")
    async with asyncio.timeout(20):
        await change(database, organization, source_id)
        # Nor does it hold anything that logins of others need.
        await issue_loader(database, new_id(), new_id())
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
        await loader.execute("SELECT 1")


GRANTS = (
    "{grant}",
    "BEGIN; {grant}",
    "{grant}; BEGIN; LOCK TABLE pumps IN ACCESS EXCLUSIVE MODE",
    "CREATE POLICY p ON pumps TO {role}; BEGIN; LOCK TABLE pumps IN ACCESS EXCLUSIVE MODE",
    "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {role}",
)
"""What a stranger's loader may do with the name of another one."""


@pytest.mark.parametrize("statement", GRANTS)
async def test_a_login_that_strangers_grant_something_goes_all_the_same(
    organization, source_id, database, loader, log_in, transform, statement
):
    role = names.quoted(names.loader_role(organization, source_id))
    other, second = new_id(), new_id()
    stranger = await log_in(other, second, await issue_loader(database, other, second))
    await stranger.execute("CREATE TABLE pumps (n int)")
    await stranger.execute(statement.format(grant=f"GRANT SELECT ON pumps TO {role}", role=role))
    async with asyncio.timeout(20):
        await drop_loader(database, organization, source_id)
    assert await in_landing(transform, organization) == set()
    assert not await transform.fetchval(
        "SELECT bool_or(rolcanlogin) FROM pg_roles WHERE rolname = $1", role.strip('"')
    )


async def test_logins_are_made_side_by_side(database, organization, log_in):
    other = new_id()
    pairs = [(org, new_id()) for org in (organization, other) for _ in range(3)]
    passwords = await asyncio.gather(*(issue_loader(database, *pair) for pair in pairs))
    for pair, password in zip(pairs, passwords, strict=True):
        await log_in(*pair, password)


@pytest.mark.parametrize("login", ["ingest", "orchestrator", "auth"])
async def test_no_other_service_may_make_one(connect, organization, source_id, login):
    connection = await connect(login)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute(
            "SELECT dalgo_warehouse.issue_loader($1, $2, $3, 2, 10, 50)",
            organization,
            source_id,
            "x",
        )


async def test_a_password_in_clear_is_not_taken(transform, organization, source_id):
    with pytest.raises(asyncpg.InvalidParameterValueError, match="SCRAM"):
        await transform.execute(
            "SELECT dalgo_warehouse.issue_loader($1, $2, $3, 2, 10, 50)",
            organization,
            source_id,
            "secret",
        )


async def test_an_erased_organisation_gets_no_login(
    connect, database, transform, org_id, source_id
):
    await provision(transform, org_id)
    migrator = await connect("migrator")
    await migrator.execute(
        "INSERT INTO dalgo_warehouse.erased_organizations (org_id) VALUES ($1)", org_id
    )
    with pytest.raises(OrganizationErased):
        await issue_loader(database, org_id, source_id)


async def test_an_organisation_has_so_many_logins_and_one_that_is_revoked_makes_way(
    database, organization
):
    sources = [new_id() for _ in range(LOADERS.each)]
    for source in sources:
        await issue_loader(database, organization, source)
    with pytest.raises(TooManyLoaders):
        await issue_loader(database, organization, new_id())
    # Another password for one that is there is no further login, and others have their own share.
    await issue_loader(database, organization, sources[0])
    await issue_loader(database, new_id(), new_id())
    await revoke_loader(database, organization, sources[0])
    await issue_loader(database, organization, new_id())
    with pytest.raises(TooManyLoaders):
        await issue_loader(database, organization, sources[0])


async def test_what_all_loaders_may_hold_stays_below_what_the_services_leave(
    database, organization, source_id, transform
):
    most, reserved, logins = await transform.fetchrow(
        "SELECT current_setting('max_connections')::int, "
        "current_setting('superuser_reserved_connections')::int, count(*)::int "
        "FROM pg_roles WHERE rolname ~ '_loader_' AND rolcanlogin"
    )
    # As if the services needed all that is left, but for one login; one that is paused counts.
    all_but_one = most - reserved - (logins + 1) * LOADER_CONNECTIONS.each
    await issue_loader(database, organization, source_id, of_services=all_but_one)
    with pytest.raises(NoConnectionsLeft):
        await issue_loader(database, organization, new_id(), of_services=all_but_one)
    with pytest.raises(NoConnectionsLeft):
        await issue_loader(database, new_id(), new_id(), of_services=all_but_one)
    await issue_loader(database, organization, source_id, of_services=all_but_one)


async def test_a_login_holds_so_many_connections_and_so_much_of_the_disk(
    database, organization, source_id, log_in
):
    password = await issue_loader(database, organization, source_id)
    session = await log_in(organization, source_id, password)
    for _ in range(LOADER_CONNECTIONS.each - 1):
        await log_in(organization, source_id, password)
    with pytest.raises(asyncpg.TooManyConnectionsError):
        await log_in(organization, source_id, password)
    assert await session.fetchval("SHOW temp_file_limit") == "2GB"


async def test_logins_that_were_made_before_get_the_limits_with_the_migration(
    ground, database, organization, source_id
):
    await issue_loader(database, organization, source_id)
    role = names.loader_role(organization, source_id)
    migrator = await asyncpg.connect(ground.migrator_url)
    await migrator.execute(f"ALTER ROLE {role} CONNECTION LIMIT 5")
    await migrator.execute(f"ALTER ROLE {role} RESET temp_file_limit")
    text = (files("warehouse") / "migrations" / "0002_loaders.sql").read_text()
    statement = re.search(
        r"^SELECT dalgo_warehouse\.limit_loader.*?;", filled(text), re.MULTILINE | re.DOTALL
    )
    assert statement
    await migrator.execute(statement.group())
    found = await migrator.fetchrow(
        "SELECT rolconnlimit, rolconfig FROM pg_roles WHERE rolname = $1", role
    )
    await migrator.close()
    assert found["rolconnlimit"] == LOADER_CONNECTIONS.each
    assert "temp_file_limit=2GB" in found["rolconfig"]


async def test_a_login_that_changes_itself_in_an_open_transaction_is_revoked_all_the_same(
    organization, database, source_id, loader, log_in
):
    name = names.loader_role(organization, source_id)
    await loader.execute("BEGIN")
    await loader.execute(f"""ALTER ROLE "{name}" PASSWORD 'its own'""")
    await revoke_loader(database, organization, source_id)
    assert loader.is_closed()
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
        await log_in(organization, source_id, "its own")


async def test_it_gets_another_password_all_the_same(
    organization, database, source_id, loader, log_in
):
    name = names.loader_role(organization, source_id)
    await loader.execute("BEGIN")
    await loader.execute(f"""ALTER ROLE "{name}" SET work_mem = '1MB'""")
    await loader.execute(f"""ALTER ROLE "{name}" PASSWORD 'its own'""")
    password = await issue_loader(database, organization, source_id)
    assert loader.is_closed()
    session = await log_in(organization, source_id, password)
    assert await session.fetchval("SELECT count(*) FROM wells") == 2


async def test_a_login_that_changes_itself_all_the_time_cannot_stay_either(
    organization, database, source_id, loader, log_in
):
    name = names.loader_role(organization, source_id)
    password = await issue_loader(database, organization, source_id)

    ended = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)

    async def hold_on() -> None:
        while True:
            try:
                session = await log_in(organization, source_id, password)
            except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidPasswordError):
                return
            except ended:
                continue
            with suppress(*ended):
                await session.execute("BEGIN")
                await session.execute(f"""ALTER ROLE "{name}" SET work_mem = '1MB'""")
                await session.execute("SELECT pg_sleep(60)")

    async with asyncio.timeout(60), asyncio.TaskGroup() as holding:
        for _ in range(LOADER_CONNECTIONS.each):
            holding.create_task(hold_on())
        await asyncio.sleep(0.5)
        await revoke_loader(database, organization, source_id)


def tables(count: int) -> str:
    return "".join(f"CREATE TABLE t_{n} (n int);" for n in range(count))


async def is_refused(log_in, org_id, source_id, password) -> bool:
    try:
        await log_in(org_id, source_id, password)
    except asyncpg.TooManyConnectionsError:
        return True
    return False


async def test_a_session_with_too_many_locks_is_ended_and_its_organisation_waits_a_while(
    organization, database, source_id, loader, log_in
):
    neighbour, of_neighbour = new_id(), new_id()
    untouched = await log_in(
        neighbour, of_neighbour, await issue_loader(database, neighbour, of_neighbour)
    )
    second = new_id()
    password = await issue_loader(database, organization, second)
    await loader.execute("BEGIN")
    await loader.execute(tables(60))
    (ended,) = await watch_loaders(database, most_locks=50)
    name = names.loader_role(organization, source_id)
    assert ended == Intervention(organization, name, "locks")
    assert loader.is_closed()
    assert await is_refused(log_in, organization, second, password)
    with pytest.raises(LoadersPaused) as refused:
        await issue_loader(database, organization, new_id())
    assert 0 < refused.value.seconds <= LOADER_PAUSE
    assert await untouched.fetchval("SELECT 1") == 1
    await issue_loader(database, neighbour, new_id())


async def test_after_the_pause_its_logins_work_again(
    organization, database, source_id, loader, log_in
):
    second = new_id()
    password = await issue_loader(database, organization, second)
    await loader.execute("BEGIN")
    await loader.execute(tables(60))
    done = await watch_loaders(database, most_locks=50, pause=0.0)
    assert [each.reason for each in done] == ["locks", "resumed"]
    for _ in range(LOADER_CONNECTIONS.each):
        session = await log_in(organization, second, password)
        assert await session.fetchval("SELECT to_regclass('wells') IS NOT NULL")


async def test_a_transaction_that_is_open_for_too_long_is_ended_and_no_more(
    organization, database, source_id, loader, log_in
):
    second = new_id()
    password = await issue_loader(database, organization, second)
    idle = await log_in(organization, second, password)
    await loader.execute("SET idle_in_transaction_session_timeout = 0")
    await loader.execute("BEGIN")
    await loader.execute("SELECT count(*) FROM wells")
    assert await watch_loaders(database) == []
    (ended,) = await watch_loaders(database, longest=0.0)
    assert (ended.org_id, ended.reason) == (organization, "transaction")
    assert loader.is_closed()
    assert await idle.fetchval("SELECT 1") == 1
    await log_in(organization, second, password)


async def test_an_organisation_whose_logins_made_too_many_tables_waits_until_some_are_gone(
    organization, database, source_id, loader, log_in
):
    second = new_id()
    password = await issue_loader(database, organization, second)
    await loader.execute(tables(60))
    (paused,) = await watch_loaders(database, most_relations=50, pause=0.0)
    assert (paused.org_id, paused.login, paused.reason) == (organization, None, "relations")
    assert loader.is_closed()
    assert await watch_loaders(database, most_relations=50) == []
    assert await is_refused(log_in, organization, second, password)
    await drop_loader(database, organization, source_id)
    (resumed,) = await watch_loaders(database, most_relations=50)
    assert (resumed.org_id, resumed.reason) == (organization, "resumed")
    await log_in(organization, second, password)


async def test_on_our_own_server_a_loader_takes_nothing_that_all_share_and_sees_no_other_database(
    organization, source_id, loader, ground, database
):
    takes = [
        "pg_advisory_lock(1)",
        "pg_try_advisory_xact_lock(1, 2)",
        "pg_advisory_lock_shared(1)",
        "lo_create(0)",
        "pg_export_snapshot()",
    ]
    for call in takes:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await loader.execute(f"SELECT {call}")
    async with loader.transaction():
        with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError):
            await loader.execute("PREPARE TRANSACTION 'kept'")
    password = await issue_loader(database, organization, source_id)
    name = names.loader_role(organization, source_id)
    server = ground.migrator_url.partition("@")[2].rpartition("/")[0]
    for other in ("postgres", "template1"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(f"postgresql://{name}:{password}@{server}/{other}", timeout=10)
