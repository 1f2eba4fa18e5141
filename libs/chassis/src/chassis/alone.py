"""A session that ends with its work, whatever still runs in it by then."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncpg
from asyncpg.pool import PoolConnectionProxy

_TERMINATE = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE pid = $1 AND usename = session_user AND backend_type = 'client backend'
"""
_CLOSING = 2.0
"""Seconds for a session to end by itself."""

_FAILURES = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


@asynccontextmanager
async def ending(
    connection: asyncpg.Connection | PoolConnectionProxy, pool: asyncpg.Pool
) -> AsyncIterator[None]:
    """End a session together with the block; the pool is of the same login."""
    pid = connection.get_server_pid()
    try:
        yield
    finally:
        await asyncio.shield(_end(connection, pid, pool))


async def _end(
    connection: asyncpg.Connection | PoolConnectionProxy, pid: int, pool: asyncpg.Pool
) -> None:
    try:
        await connection.close(timeout=_CLOSING)
    except (*_FAILURES, asyncpg.InternalClientError):
        # A statement may catch its cancellation and go on, with its client long gone.
        connection.terminate()
        with suppress(*_FAILURES):
            async with pool.acquire(timeout=10) as other:
                await other.execute(_TERMINATE, pid)
