"""What one build may take: time, rows, bytes; the statement that writes its table is watched."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from chassis.database import AWAY, Connection, Database, affected, queries
from chassis.telemetry import log
from contracts.shares import BUILD_BYTES, BUILD_ROWS, BUILD_TIME, TEMP_BYTES

_queries = queries("transform")

_LOOK_EVERY = 1.0
"""Seconds; a disk takes some hundred megabytes in that time."""
_GRACE = 5.0
"""Seconds that the database waits longer than this process, which then may not be there to stop it."""

TOO_LARGE = "build_too_large"
TIMED_OUT = "build_timed_out"


@dataclass(frozen=True)
class Limits:
    """What one build may take."""

    seconds: float = BUILD_TIME.each
    rows: int = BUILD_ROWS.each
    bytes: int = BUILD_BYTES.each
    """Of its table on disk, TOAST included."""
    temp_bytes: int = TEMP_BYTES.each
    """Of temporary files of each process of PostgreSQL that works on a statement."""


class PastLimit(Exception):
    """A build that went past one of its limits, in words; trying again would end the same way."""

    def __init__(self, code: str, said: str) -> None:
        super().__init__(said)
        self.code = code
        self.said = said


@asynccontextmanager
async def in_time(limits: Limits) -> AsyncIterator[None]:
    """A block of statements that is ended after the time of a build; raises PastLimit."""
    clock = asyncio.timeout(limits.seconds)
    try:
        async with clock:
            yield
    except TimeoutError as error:
        if not clock.expired():
            raise
        raise _timed_out(limits) from error
    except asyncpg.QueryCanceledError as error:
        # An operator may cancel a statement too; that build is done again.
        if "statement timeout" not in str(error):
            raise
        raise _timed_out(limits) from error
    except asyncpg.ConfigurationLimitExceededError as error:
        raise _too_many_temporary(limits, limits.temp_bytes) from error


class Writer:
    """Writes the tables of builds, and stops what grows past the limits."""

    def __init__(self, database: Database, limits: Limits) -> None:
        self.limits = limits
        self._database = database
        self._sees_files: bool | None = None
        """None: the database was away when it was asked, and is asked again."""

    @property
    def timeout(self) -> float:
        """Seconds after which the database ends a statement of a build by itself."""
        return self.limits.seconds + _GRACE

    async def check_rights(self) -> None:
        """Find out what the database lets transform limit; log what it does not, and how it is given."""
        try:
            async with self._database.transaction() as connection:
                row = await _queries.rights_to_limit(connection)
        except AWAY as error:
            log.warning("limits_not_checked", error=str(error) or repr(error))
            return
        self._sees_files = row["sees_files"]
        missing = {
            "SET ON PARAMETER temp_file_limit": row["limits_temporary"] or row["sees_temporary"],
            "EXECUTE ON FUNCTION pg_stat_file(text, boolean)": row["sees_files"],
        }
        if lacking := [right for right, is_there in missing.items() if not is_there]:
            log.warning("build_limits_incomplete", missing=lacking, see="docs/operations.md")

    async def write(self, connection: Connection, pid: int, target: str, select: str) -> int:
        """Make `target` of what a SELECT gives; how many rows that are.

        Runs inside `as_org`, in the session of that process id. Raises PastLimit.
        """
        if self._sees_files is None:
            await self.check_rights()
        if not self._sees_files:
            # Nobody sees the table grow. A limit of rows slows a sort of text at the end, so it is
            # not set where the bytes are watched.
            select = f"SELECT * FROM (\n{select}\n) AS result LIMIT {self.limits.rows + 1}"
        statement = f"CREATE TABLE {target} AS\n{select}"
        rows = affected(await self._watched(connection, pid, statement))
        if rows > self.limits.rows:
            more = f"{rows:,}" if self._sees_files else f"more than {self.limits.rows:,}"
            raise PastLimit(
                TOO_LARGE,
                f"The result has {more} rows; a build may make {self.limits.rows:,}.",
            )
        return rows

    def check_size(self, size: int) -> None:
        """Raise PastLimit for a table that is too large now that it is whole."""
        if size > self.limits.bytes:
            raise PastLimit(
                TOO_LARGE,
                f"The result takes {bytes_said(size)}; a build may make "
                f"{bytes_said(self.limits.bytes)}.",
            )

    async def _watched(self, connection: Connection, pid: int, statement: str) -> str:
        running = asyncio.create_task(connection.execute(statement))
        watching = asyncio.create_task(self._watch(pid))
        try:
            await asyncio.wait({running, watching}, return_when=asyncio.FIRST_COMPLETED)
            if not running.done():
                raise watching.result()
            return running.result()
        finally:
            # asyncpg has the server end the statement, and waits until it has.
            for task in (watching, running):
                task.cancel()
            await asyncio.gather(watching, running, return_exceptions=True)

    async def _watch(self, pid: int) -> PastLimit:
        """Look at what a session has written until that is too much."""
        is_known = False
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            try:
                async with self._database.transaction() as connection:
                    row = await _queries.bytes_written(connection, pid=pid)
            except (*AWAY, asyncpg.PostgresError) as error:
                if not is_known:
                    log.warning("build_not_watched", error=str(error) or repr(error))
                is_known = True
                continue
            if past := self._judged(row["tables"] or 0, row["temporary"] or 0):
                return past

    def _judged(self, table: int, temporary: int) -> PastLimit | None:
        if table > self.limits.bytes:
            return PastLimit(
                TOO_LARGE,
                f"The result had grown to {bytes_said(table)} and was not complete; a build may make "
                f"{bytes_said(self.limits.bytes)}.",
            )
        if temporary > self.limits.temp_bytes:
            return _too_many_temporary(self.limits, temporary)
        return None


def _timed_out(limits: Limits) -> PastLimit:
    return PastLimit(TIMED_OUT, f"The build was stopped after {_time_said(limits.seconds)}.")


def _too_many_temporary(limits: Limits, found: int) -> PastLimit:
    return PastLimit(
        TOO_LARGE,
        f"Joining, sorting or grouping took more than {bytes_said(max(found, limits.temp_bytes))} of "
        f"temporary files; a build may use {bytes_said(limits.temp_bytes)}.",
    )


def bytes_said(count: int) -> str:
    """A number of bytes for people."""
    for unit, size in (("GB", 1024**3), ("MB", 1024**2), ("KB", 1024)):
        if count >= size:
            return f"{count / size:.1f}".removesuffix(".0") + f" {unit}"
    return f"{count} bytes"


def _time_said(seconds: float) -> str:
    return f"{seconds / 60:g} minutes" if seconds >= 120 else f"{seconds:g} seconds"
