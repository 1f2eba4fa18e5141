"""Forward-only migrations: a schema and two roles for each service, then its numbered files.

Run by the migrator, who owns every table; a service's login has rights on its own schema only.
The migrator needs CREATEROLE and ownership of the database, and is never a superuser's job.
"""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files

import asyncpg

from chassis.telemetry import log

_GROUND = """
CREATE SCHEMA IF NOT EXISTS chassis;
CREATE TABLE IF NOT EXISTS chassis.migrator ();
COMMENT ON TABLE chassis.migrator IS 'Locked by a migrator at work: another waits.';
"""
_LOCK = "LOCK TABLE chassis.migrator IN EXCLUSIVE MODE"
"""Until the transaction ends. No other login may do so: the schema is closed to all."""

_MADE_MEANWHILE = (
    asyncpg.UniqueViolationError,
    asyncpg.DuplicateSchemaError,
    asyncpg.DuplicateTableError,
)
"""What `IF NOT EXISTS` says when another session makes the same thing at the same moment."""

_CHASSIS = """
-- Rows belong to one organisation each: forced row-level security on org_id. The service sees the
-- organisation that its transaction names; <service>_system sees all.
CREATE OR REPLACE FUNCTION chassis.organization_table(name regclass) RETURNS void
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


@dataclass(frozen=True)
class Target:
    """A schema to migrate; `password` of its login role, None for a schema without a login."""

    name: str
    password: str | None


async def migrate(admin_url: str, targets: list[Target]) -> int:
    """Bring every schema to its newest version; returns how many files were applied.

    Idempotent; each schema's files are one transaction. Raises RuntimeError when a file that was
    applied has changed since.
    """
    connection = await asyncpg.connect(admin_url, timeout=10)
    try:
        await _prepare(connection)
        async with _alone(connection):
            await connection.execute(_CHASSIS)
        for target in targets:
            if target.password is not None:
                await _login(connection, target.name, target.password)
        return sum([await _apply(connection, target) for target in targets])
    finally:
        await connection.close()


async def _prepare(connection: asyncpg.Connection) -> None:
    """Make what migrators lock, on an empty database too."""
    if await connection.fetchval("SELECT to_regclass('chassis.migrator') IS NOT NULL"):
        return
    try:
        await connection.execute(_GROUND)
    except _MADE_MEANWHILE:
        # The other's has been committed by now, or did not come to pass.
        await _prepare(connection)


@asynccontextmanager
async def _alone(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """A transaction in which no other migrator is at work; they take turns between transactions."""
    async with connection.transaction():
        await connection.execute(_LOCK)
        yield


async def _login(connection: asyncpg.Connection, name: str, password: str) -> None:
    """The login role of a service and its `_system` companion; the password is set each time."""
    async with _alone(connection):
        for role in (name, f"{name}_system"):
            if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role):
                await connection.execute(f'CREATE ROLE "{role}" NOLOGIN')
        quoted = await connection.fetchval("SELECT quote_literal($1)", password)
        await connection.execute(f'ALTER ROLE "{name}" LOGIN NOINHERIT PASSWORD {quoted}')
        for setting, value in _OF_A_LOGIN.items():
            await connection.execute(f"ALTER ROLE \"{name}\" SET {setting} = '{value}'")
        if await connection.fetchval(_MAY_GIVE_LIMIT):
            await connection.execute(f'GRANT SET ON PARAMETER temp_file_limit TO "{name}"')
        database = await connection.fetchval("SELECT quote_ident(current_database())")
        await connection.execute(f'GRANT CONNECT ON DATABASE {database} TO "{name}"')
        await connection.execute(f'GRANT "{name}_system" TO "{name}" WITH INHERIT FALSE, SET TRUE')
        if await connection.fetchval(_MAY_RESERVE):
            await connection.execute(
                f'GRANT pg_use_reserved_connections TO "{name}" WITH INHERIT TRUE, SET FALSE'
            )
        # The migrator must be able to act as the role in policies and data migrations.
        await connection.execute(
            f'GRANT "{name}_system" TO CURRENT_USER WITH INHERIT FALSE, SET TRUE'
        )


async def _apply(connection: asyncpg.Connection, target: Target) -> int:
    async with _alone(connection):
        name = target.name
        await connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{name}"')
        await connection.execute(f'SET LOCAL search_path TO "{name}"')
        if target.password is not None:
            both = f'"{name}", "{name}_system"'
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
            await connection.execute(text)
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
