"""Carries over an installation of the time before names had a prefix: schemas `auth`, `ingest` and so on.

Schemas and roles are renamed, so that tables, rights, policies and data stay as they are. Functions name
others in their text: those of the warehouse are dropped, and made anew by its migrations, which take
the tables that they find.
"""

import re
from collections.abc import Callable, Iterable

import asyncpg

from chassis.names import prefix, schema
from chassis.telemetry import log

_SERVICES = ("auth", "ingest", "transform", "orchestrator")
_LIBRARIES = ("chassis", "warehouse")
_APPLIED_ANEW = "chassis/0003_locks.sql"
"""In every service's schema: the text of its functions names the schema."""

_IS_OURS = """
SELECT EXISTS (SELECT FROM pg_class WHERE oid = to_regclass('chassis.migrator')
               AND relowner = (SELECT oid FROM pg_roles WHERE rolname = current_user))
"""
_SCHEMAS = "SELECT nspname FROM pg_namespace WHERE nspname = ANY ($1)"
_ROLES = """
SELECT rolname FROM pg_roles
WHERE rolname = ANY ($1) OR rolname ~ '^org_[0-9a-f]{32}(_reader|_loader_[0-9a-f]{16})?$'
"""
_LOADER = re.compile(r"org_([0-9a-f]{32})_loader_[0-9a-f]{4}([0-9a-f]{12})")
_FUNCTIONS = """
SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = to_regnamespace($1)
"""


async def carry_over(
    connection: asyncpg.Connection, checksums: Callable[[str], dict[str, str]]
) -> None:
    """Rename what is there, in the transaction of the migration; nothing where there is nothing.

    `checksums`: of the files of a service as they are now, whose text has changed with the names.
    """
    if not await connection.fetchval(_IS_OURS):
        return
    await connection.execute("LOCK TABLE chassis.migrator IN EXCLUSIVE MODE")
    there = await _names(connection, _SCHEMAS, (*_SERVICES, *_LIBRARIES))
    for name in there:
        await connection.execute(f'ALTER SCHEMA "{name}" RENAME TO "{schema(name)}"')
    own = [
        "warehouse_loaders",
        "warehouse_watch",
        *(f"{name}{end}" for name in _SERVICES for end in ("", "_system")),
    ]
    roles = await _names(connection, _ROLES, own)
    for role in roles:
        await connection.execute(f'ALTER ROLE "{role}" RENAME TO "{_renamed(role)}"')
    for service in _SERVICES:
        if service in there:
            await _adopt(connection, schema(service), checksums(service))
    if "warehouse" in there:
        await _drop_functions(connection, schema("warehouse"))
    log.info("names_carried_over", prefix=prefix(), schemas=len(there), roles=len(roles))


def _renamed(role: str) -> str:
    loader = _LOADER.fullmatch(role)
    return f"{prefix()}_loader_{loader[1]}_{loader[2]}" if loader else schema(role)


async def _names(connection: asyncpg.Connection, query: str, own: Iterable[str]) -> list[str]:
    return [row[0] for row in await connection.fetch(query, list(own))]


async def _adopt(connection: asyncpg.Connection, name: str, checksums: dict[str, str]) -> None:
    await connection.executemany(
        f'UPDATE "{name}".schema_migrations SET checksum = $2 WHERE name = $1',
        list(checksums.items()),
    )
    await connection.execute(
        f'DELETE FROM "{name}".schema_migrations WHERE name = $1', _APPLIED_ANEW
    )


async def _drop_functions(connection: asyncpg.Connection, name: str) -> None:
    # Whatever their owners: the migrator owns the schema.
    for (function,) in await connection.fetch(_FUNCTIONS, name):
        await connection.execute(f"DROP FUNCTION {function}")
    await connection.execute(f'DELETE FROM "{name}".schema_migrations')
