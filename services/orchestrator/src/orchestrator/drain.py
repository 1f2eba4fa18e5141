"""Drain, for an operator: no run starts any more, what runs goes on to its end.

Works on the migrator's connection. The flag is a row, so it outlives every process; whoever starts
a run holds it shared, so once `drain` has returned no start is under way either.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import asyncpg

from chassis.database import become_system, queries
from chassis.names import schema
from contracts.message import Part

_queries = queries("orchestrator")


class Standing(Part):
    """How the runs of all organisations stand; `running` are those that have started."""

    drained_since: datetime | None
    running: int
    queued: int


async def drain(connection: asyncpg.Connection) -> Standing:
    """Let no run start; harmless when it is so already."""
    async with _as_system(connection):
        await _queries.drain(connection)
    return await standing(connection)


async def end_drain(connection: asyncpg.Connection) -> Standing:
    """Let runs start again; the orchestrator sees it within a second."""
    async with _as_system(connection):
        await _queries.end_drain(connection)
    return await standing(connection)


async def standing(connection: asyncpg.Connection) -> Standing:
    """Whether it is drained, and what runs and waits."""
    async with _as_system(connection):
        row = await _queries.standing(connection)
    return Standing.model_validate(dict(row))


@asynccontextmanager
async def _as_system(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """Row-level security is forced on the owner too: only this role sees all organisations."""
    async with connection.transaction():
        await become_system(connection, "orchestrator")
        await connection.execute(f'SET LOCAL search_path TO "{schema("orchestrator")}"')
        yield
