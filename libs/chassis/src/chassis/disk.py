"""Whether the database can store anything: its disk may be full, or it may take no writes."""

import asyncio
import time

import asyncpg

from chassis.database import AWAY, Database
from contracts.problem import DATABASE_FULL, ProblemError, problem

_FRESH = 2.0
"""Seconds for which an answer holds."""

# A temporary file of 16 MiB, of which nothing is left and that no log or replica sees: one segment of
# the write-ahead log, for the next of which PostgreSQL needs room or it stops. Its other limits are
# no matter here.
_TRY = """
WITH filler AS MATERIALIZED (SELECT repeat('x', 1048576) AS part FROM generate_series(1, 16))
SELECT sum(octet_length(part)), current_setting('transaction_read_only') = 'on' AS is_read_only FROM filler
"""
_SPILL = "SET LOCAL work_mem = '64kB'; SET LOCAL temp_tablespaces = ''"


class Disk:
    """The room on the database's disk, looked at when it is asked for, every two seconds at most."""

    def __init__(self, database: Database, fresh: float = _FRESH) -> None:
        self._database = database
        self._fresh = fresh
        self._looking = asyncio.Lock()
        self._looked_at = float("-inf")
        self._lacks: str | None = None

    async def check(self) -> None:
        """Raise ProblemError 503 `database_full` while nothing can be stored.

        A database that was full and went away is full until it says otherwise.
        """
        async with self._looking:
            if time.monotonic() - self._looked_at > self._fresh:
                try:
                    self._lacks = await self._look()
                except AWAY:
                    if self._lacks is None:
                        raise
                self._looked_at = time.monotonic()
        if self._lacks is not None:
            raise full(self._lacks)

    async def _look(self) -> str | None:
        try:
            async with self._database.transaction() as connection:
                await connection.execute(_SPILL)
                row = await connection.fetchrow(_TRY)
        except asyncpg.DiskFullError:
            return "The disk of the database is full"
        except asyncpg.ConfigurationLimitExceededError:
            return None  # temp_file_limit: more cannot be seen
        read_only = row is not None and row["is_read_only"]
        return "The database takes no writes" if read_only else None


def full(what: str = "The disk of the database is full") -> ProblemError:
    """503: nothing is lost, and nothing new is taken in until there is room."""
    return problem(
        503,
        DATABASE_FULL,
        f"{what}. Nothing is lost; try again when its operator has made room.",
        retry_after=10,
    )
