"""Forward-only migrations: a schema and two roles for each service, then its numbered files.

Run by the migrator, who owns every table; a service's login has rights on its own schema only. In the
files `${prefix}` stands for the prefix of the installation's names (`chassis.names`). The migrator
needs CREATEROLE and the right to create schemas in the database, and is never a superuser's job.
"""

import hashlib
from dataclasses import dataclass
from importlib.resources import files

import asyncpg

from chassis.carry_over import carry_over
from chassis.names import PREFIX, filled, schema, system_role
from chassis.telemetry import log

OLDEST, NEWEST = 16, 18
"""Major versions of PostgreSQL that are taken without a warning. Grants of roles with INHERIT and SET,
on which the walls between services and organisations stand, are new in 16."""

_GROUND = """
CREATE SCHEMA IF NOT EXISTS ${prefix}_chassis;
CREATE TABLE IF NOT EXISTS ${prefix}_chassis.migrator ();
COMMENT ON TABLE ${prefix}_chassis.migrator IS 'Locked by a migrator at work: another waits.';
"""
_LOCK = "LOCK TABLE ${prefix}_chassis.migrator IN EXCLUSIVE MODE"
"""Until the transaction ends. No other login may do so: the schema is closed to all."""

_MADE_MEANWHILE = (
    asyncpg.UniqueViolationError,
    asyncpg.DuplicateSchemaError,
    asyncpg.DuplicateTableError,
    # What is to be carried over was renamed.
    asyncpg.InvalidSchemaNameError,
)
"""What the first migration meets when another session makes the same at the same moment."""

_CHASSIS = """
-- Rows belong to one organisation each: forced row-level security on org_id. The service sees the
-- organisation that its transaction names; <service>_system sees all.
CREATE OR REPLACE FUNCTION ${prefix}_chassis.organization_table(name regclass) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    service text := (SELECT nspname FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid
                     WHERE c.oid = name);
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', name);
    EXECUTE format($policy$
        CREATE POLICY organization ON %s TO %I
        USING (org_id = nullif(current_setting('app.org_id', true), '')::uuid)
        WITH CHECK (org_id = nullif(current_setting('app.org_id', true), '')::uuid)
    $policy$, name, service);
    EXECUTE format('CREATE POLICY everything ON %s TO %I USING (true) WITH CHECK (true)',
                   name, service || '_system');
END $$;

-- PostgreSQL 15 knows no options of a membership: there a member may always become the role, and
-- inherits its rights unless it is NOINHERIT itself, as the logins of services are.
CREATE OR REPLACE FUNCTION ${prefix}_chassis.grant_role(
    role name, member name, inherits boolean, sets boolean
) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF current_setting('server_version_num')::integer >= 160000 THEN
        EXECUTE format('GRANT %I TO %I WITH INHERIT %s, SET %s',
                       role, member, inherits::text, sets::text);
    ELSE
        EXECUTE format('GRANT %I TO %I', role, member);
    END IF;
END $$;
REVOKE ALL ON FUNCTION ${prefix}_chassis.grant_role(name, name, boolean, boolean) FROM PUBLIC;
"""


_MAY_RESERVE = """
SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = 'pg_use_reserved_connections'
               AND pg_has_role(current_user, oid, 'USAGE WITH ADMIN OPTION'))
"""
"""Whether services may be let in when other logins have taken all connections but the reserved."""

_OF_A_LOGIN = {
    # A replica that hangs, or is gone without a word, is not to hold its locks (the relay's, a
    # run's) for ever: others wait for them.
    "idle_in_transaction_session_timeout": "5min",
    "tcp_keepalives_idle": "30s",
    "tcp_keepalives_interval": "10s",
    "tcp_keepalives_count": "3",
    # The statement of a process that died is not to run on to its end.
    "client_connection_check_interval": "10s",
}


# The parameter is the superuser's, who may have given the right to set it to the migrator.
_MAY_GIVE_LIMIT = "SELECT has_parameter_privilege('temp_file_limit', 'SET WITH GRANT OPTION')"


_GRANT = "SELECT ${prefix}_chassis.grant_role($1, $2, $3, $4)"


@dataclass(frozen=True)
class Target:
    """A package whose schema is migrated; `password` of its login role, None without a login."""

    name: str
    password: str | None


async def migrate(admin_url: str, targets: list[Target]) -> int:
    """Bring every schema to its newest version; returns how many files were applied.

    Idempotent, and one transaction: when it fails it leaves nothing behind. Raises RuntimeError when a
    file that was applied has changed since, for a server that is too old, and when schemas or roles of
    these names are not this installation's.
    """
    connection = await asyncpg.connect(admin_url, timeout=10)
    try:
        require_version(connection.get_server_version().major)
        if not await connection.fetchval(_IS_MADE, schema("chassis")):
            try:
                return await _migrate(connection, targets, first=True)
            except _MADE_MEANWHILE:
                # The other's has been committed by now, or did not come to pass.
                if not await connection.fetchval(_IS_MADE, schema("chassis")):
                    raise
        return await _migrate(connection, targets)
    finally:
        await connection.close()


_OTHER = """
SELECT min(left(nspname::text, -length('_chassis')))
FROM pg_namespace JOIN pg_class ON relnamespace = pg_namespace.oid
WHERE nspname LIKE '%\\_chassis' AND nspname <> $1 AND relname = 'migrator'
"""
_IS_MADE = "SELECT to_regclass(quote_ident($1) || '.migrator') IS NOT NULL"


def require_version(major: int) -> None:
    """Raises RuntimeError for a server that is too old; warns of one that is newer than known."""
    if major < OLDEST:
        raise RuntimeError(
            f"PostgreSQL {major} is too old: Dalgo Lite runs on {OLDEST} to {NEWEST}. Upgrade the "
            "server (pg_upgrade, or the provider's upgrade), or use another one."
        )
    if major > NEWEST:
        log.warning("postgresql_not_tested", version=major, newest=NEWEST)


async def _migrate(
    connection: asyncpg.Connection, targets: list[Target], *, first: bool = False
) -> int:
    async with connection.transaction():
        if first:
            await carry_over(connection, checksums)
            await _require_free(connection, [target.name for target in targets])
            await connection.execute(filled(_GROUND))
        await connection.execute(filled(_LOCK))
        await connection.execute(filled(_CHASSIS))
        for target in targets:
            if target.password is not None:
                await _login(connection, target.name, target.password)
        return sum([await _apply(connection, target) for target in targets])


async def _require_free(connection: asyncpg.Connection, names: list[str]) -> None:
    """Refuse a database that holds another installation, and names of what another has made there."""
    other = await connection.fetchval(_OTHER, schema("chassis"))
    if other is not None:
        raise RuntimeError(
            f"This database holds the Dalgo Lite of the prefix {other}: set {PREFIX}={other}, or use "
            "another database."
        )
    # In one snapshot: another migrator may have made them meanwhile.
    taken = await connection.fetchval(
        "SELECT min(nspname::text) FROM pg_namespace WHERE nspname = ANY ($2) AND NOT EXISTS ("
        "SELECT FROM pg_class JOIN pg_namespace AS own ON own.oid = relnamespace "
        "WHERE own.nspname = $1 AND relname = 'migrator')",
        schema("chassis"),
        [schema(name) for name in ("chassis", *names)],
    )
    if taken is not None:
        raise RuntimeError(
            f"The schema {taken} is there and not of Dalgo Lite. Set {PREFIX} to something else, or "
            "use another database."
        )


async def _make_role(connection: asyncpg.Connection, role: str) -> None:
    """Make a role of this database, or take over that of one which is gone."""
    row = await connection.fetchrow(
        "SELECT shobj_description(oid, 'pg_authid') AS said FROM pg_roles WHERE rolname = $1", role
    )
    own = str(await connection.fetchval("SELECT current_database()"))
    if row is None:
        await connection.execute(f'CREATE ROLE "{role}" NOLOGIN')
    elif (said := row["said"]) and said.startswith(_OF):
        other = said.removeprefix(_OF)
        if other != own and await connection.fetchval(
            "SELECT 1 FROM pg_database WHERE datname = $1", other
        ):
            raise RuntimeError(
                f"The role {role} belongs to the Dalgo Lite in the database {other} of the same "
                f"server. Set {PREFIX} to something else, for every service alike."
            )
        if other == own:
            return
    quoted = await connection.fetchval("SELECT quote_literal($1)", _OF + own)
    await connection.execute(f'COMMENT ON ROLE "{role}" IS {quoted}')


_OF = "Dalgo Lite in the database "


async def _login(connection: asyncpg.Connection, service: str, password: str) -> None:
    """The login role of a service and its `_system` companion; the password is set each time."""
    name, system = schema(service), system_role(service)
    for role in (name, system):
        await _make_role(connection, role)
    quoted = await connection.fetchval("SELECT quote_literal($1)", password)
    await connection.execute(f'ALTER ROLE "{name}" LOGIN NOINHERIT PASSWORD {quoted}')
    for setting, value in _OF_A_LOGIN.items():
        await connection.execute(f"ALTER ROLE \"{name}\" SET {setting} = '{value}'")
    if await connection.fetchval(_MAY_GIVE_LIMIT):
        await connection.execute(f'GRANT SET ON PARAMETER temp_file_limit TO "{name}"')
    database = await connection.fetchval("SELECT quote_ident(current_database())")
    await connection.execute(f'GRANT CONNECT ON DATABASE {database} TO "{name}"')
    grant = filled(_GRANT)
    await connection.execute(grant, system, name, False, True)
    if await connection.fetchval(_MAY_RESERVE):
        await connection.execute(grant, "pg_use_reserved_connections", name, True, False)
    # The migrator must be able to act as the role in policies and data migrations.
    migrator = await connection.fetchval("SELECT current_user")
    await connection.execute(grant, system, migrator, False, True)


async def _apply(connection: asyncpg.Connection, target: Target) -> int:
    name = schema(target.name)
    await connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{name}"')
    await connection.execute(f'SET LOCAL search_path TO "{name}"')
    if target.password is not None:
        both = f'"{name}", "{system_role(target.name)}"'
        await connection.execute(f'GRANT USAGE ON SCHEMA "{name}" TO {both}')
        await connection.execute(
            f'ALTER DEFAULT PRIVILEGES IN SCHEMA "{name}" '
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {both}"
        )
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations (name text PRIMARY KEY, "
        "checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
    )
    applied = {
        row["name"]: row["checksum"]
        for row in await connection.fetch("SELECT name, checksum FROM schema_migrations")
    }
    count = 0
    for file, text in _files(target):
        checksum = _checksum(text)
        if file in applied:
            if applied[file] != checksum:
                raise RuntimeError(
                    f"Migration {name}/{file} was changed after it had been applied. "
                    "Restore the file and put the change into a new one."
                )
            continue
        await connection.execute(filled(text))
        await connection.execute(
            "INSERT INTO schema_migrations (name, checksum) VALUES ($1, $2)", file, checksum
        )
        count += 1
    if count:
        log.info("schema_migrated", schema=name, files=count)
    return count


def checksums(service: str) -> dict[str, str]:
    """The files of a service's schema by name, in order, with the checksums of their content."""
    files_of = _files(Target(service, password=""))
    return {name: _checksum(text) for name, text in files_of}


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _files(target: Target) -> list[tuple[str, str]]:
    packages = [target.name] if target.password is None else ["chassis", target.name]
    found: list[tuple[str, str]] = []
    for package in packages:
        folder = files(package) / "migrations"
        if folder.is_dir():
            names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
            found += [(f"{package}/{name}", (folder / name).read_text()) for name in names]
    return found
