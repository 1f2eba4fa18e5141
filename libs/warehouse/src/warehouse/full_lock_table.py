"""Frees PostgreSQL's table of locks, which all sessions share, when loaders have filled it.

While it is full, no session can begin anything that needs one more lock: not even a look at the
sessions. So a session stays ready whose open transaction holds the locks that this needs, on catalogs.
Between its statements it has no snapshot, and holds back no vacuum.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

import asyncpg

from chassis.database import Connection, Database
from chassis.names import filled
from contracts.shares import LOADER_PAUSE

FEWEST = 200
"""Locks below which no organisation is ended: so many of all loaders that there can be fill no table."""

_HOLD = """
BEGIN;
SET LOCAL idle_in_transaction_session_timeout = 0;
SET LOCAL lock_timeout = '5s';
SELECT FROM pg_roles, pg_auth_members, pg_database, pg_class, pg_attribute, pg_index, pg_proc,
    pg_type, pg_namespace, pg_operator, pg_amop LIMIT 0;
SELECT FROM pg_amproc, pg_opclass, pg_opfamily, pg_language, pg_cast, pg_am, pg_aggregate,
    pg_attrdef, pg_constraint, pg_collation, pg_range LIMIT 0
"""
"""The planner locks a table together with its indexes; until the transaction ends nothing but a
rewrite of the catalogs waits for these locks."""
_LET_GO = "SET LOCAL lock_timeout = '5s'"
"""Any statement that takes no snapshot: the portal of the last one keeps its own until another opens."""
_END = "SELECT org_id FROM ${prefix}_warehouse.end_largest_holder($1)"
_PAUSE = "SELECT ${prefix}_warehouse.pause_loaders($1, $2)"

_TRIES = 20
_WAIT = 0.05
"""Seconds between tries to shut logins: sessions that end give their locks back one by one."""


@asynccontextmanager
async def ready(database: Database) -> AsyncIterator[Connection]:
    """A session for `free`, which ends with the block."""
    async with database.alone() as connection:
        await connection.execute(_HOLD)
        # Loads and plans what it needs, while it can; it ends no session, since none holds so much.
        await _end_largest(connection, 2**31 - 1)
        yield connection


async def free(
    session: Connection, database: Database, *, fewest: int = FEWEST, pause: float = LOADER_PAUSE
) -> list[UUID]:
    """End the loaders' sessions that hold most of a full table, and pause their organisations.

    One organisation after the other, those with most locks first, until the table has room again.
    """
    ended: list[UUID] = []
    while (org_id := await _end_largest(session, fewest)) is not None:
        ended.append(org_id)
        if await _paused(database, org_id, timedelta(seconds=pause)):
            break
    return ended


async def _end_largest(session: Connection, fewest: int) -> UUID | None:
    org_id = await session.fetchval(filled(_END), fewest)
    await session.execute(_LET_GO)
    return org_id


async def _paused(database: Database, org_id: UUID, pause: timedelta) -> bool:
    for _ in range(_TRIES):
        try:
            async with database.transaction() as connection:
                await connection.execute(filled(_PAUSE), org_id, pause)
        except (
            asyncpg.OutOfMemoryError,
            asyncpg.LockNotAvailableError,
            asyncpg.InternalServerError,
        ):
            await asyncio.sleep(_WAIT)
        else:
            return True
    return False
