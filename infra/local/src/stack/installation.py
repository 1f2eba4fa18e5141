"""What of a database belongs to Dalgo Lite: its schemas, and the roles that they need."""

import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from chassis.names import prefix

if TYPE_CHECKING:
    import asyncpg

_ORGANIZATION = re.compile(r"org_[0-9a-f]{32}(_data)?$")
"""An organisation's live views and versions. What other systems write (`_landing`) is theirs: it may
run their code when it is read, and they fill it again."""

_SCHEMAS = """
SELECT nspname, starts_with(nspname, $1 || '_') AND nspowner = (
    SELECT oid FROM pg_roles WHERE rolname = current_user
) AS is_metadata FROM pg_namespace ORDER BY nspname
"""
_ROLES = """
SELECT rolname AS name, rolcanlogin AS login, rolinherit AS inherit, rolconnlimit AS connections,
       coalesce(rolconfig, '{}') AS settings
FROM pg_roles AS role WHERE rolname <> current_user AND (
    starts_with(rolname, $1 || '_')
    -- Analysts and the like: the migrator has made them, and they may do something here.
    OR EXISTS (
        SELECT FROM pg_auth_members JOIN pg_roles AS me ON me.oid = member
        WHERE roleid = role.oid AND me.rolname = current_user AND admin_option
    ) AND (
        EXISTS (
            SELECT FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass
            AND refobjid = role.oid
            AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
        ) OR EXISTS (
            SELECT FROM pg_auth_members JOIN pg_roles AS given ON given.oid = roleid
            WHERE member = role.oid AND starts_with(given.rolname, $1 || '_')
        )
    )
) ORDER BY rolname
"""
_MEMBERS = """
SELECT DISTINCT given.rolname AS role, taken.rolname AS member,
       coalesce((to_jsonb(m) ->> 'inherit_option')::boolean, taken.rolinherit) AS inherit,
       coalesce((to_jsonb(m) ->> 'set_option')::boolean, true) AS set
FROM pg_auth_members AS m
JOIN pg_roles AS given ON given.oid = m.roleid JOIN pg_roles AS taken ON taken.oid = m.member
WHERE given.rolname = ANY($1) AND (taken.rolname = ANY($1) OR taken.rolname = current_user)
ORDER BY 1, 2, 4
"""
_OWN_GRANT = """
SELECT inherit_option AS inherit, set_option AS set FROM pg_auth_members AS m
JOIN pg_roles AS me ON me.rolname = current_user AND me.oid = m.member AND me.oid = m.grantor
WHERE roleid = (SELECT oid FROM pg_roles WHERE rolname = $1)
"""


async def schemas(connection: "asyncpg.Connection") -> tuple[list[str], list[str]]:
    """Metadata schemas, and those of organisations."""
    rows = await connection.fetch(_SCHEMAS, prefix())
    metadata = [row["nspname"] for row in rows if row["is_metadata"]]
    return metadata, [row["nspname"] for row in rows if _ORGANIZATION.match(row["nspname"])]


async def roles(connection: "asyncpg.Connection") -> list[dict[str, Any]]:
    """The roles of this installation, and those to which it gives rights; without their passwords."""
    return [dict(row) for row in await connection.fetch(_ROLES, prefix())]


async def memberships(connection: "asyncpg.Connection", names: list[str]) -> list[dict[str, Any]]:
    """Which of these roles are members of which others, and the migrator of which."""
    return [dict(row) for row in await connection.fetch(_MEMBERS, names)]


async def quoted(connection: "asyncpg.Connection", name: str) -> str:
    """A name as SQL takes it."""
    return str(await connection.fetchval("SELECT quote_ident($1)", name))


@asynccontextmanager
async def inherited(connection: "asyncpg.Connection", names: Iterable[str]) -> AsyncIterator[None]:
    """The migrator has the rights of these roles for the length of the block.

    It owns no row of an organisation and may not read one: row-level security holds for it too.
    """
    if connection.get_server_version() < (16,):
        yield  # a member inherits there, or never does
        return
    before: dict[str, str | None] = {}
    for name in names:
        role = await quoted(connection, name)
        own = await connection.fetchrow(_OWN_GRANT, name)
        before[role] = f"INHERIT {own['inherit']}, SET {own['set']}" if own else None
    try:
        for role in before:
            await connection.execute(f"GRANT {role} TO CURRENT_USER WITH INHERIT TRUE, SET TRUE")
        yield
    finally:
        for role, how in before.items():
            undo = f"GRANT {role} TO CURRENT_USER WITH {how}" if how else None
            await connection.execute(
                undo or f"REVOKE {role} FROM CURRENT_USER GRANTED BY CURRENT_USER"
            )
