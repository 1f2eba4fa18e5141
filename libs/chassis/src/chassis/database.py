"""PostgreSQL: one small pool, transactions in the name of an organisation or of the system.

A service's login sees nothing of an organisation's rows until a transaction says for whom it
works (`app.org_id`, forced row-level security); work across organisations takes the role
`<prefix>_<service>_system` for the length of one transaction.
"""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from typing import Any
from uuid import UUID

import aiosql
import asyncpg
import orjson
from asyncpg.pool import PoolConnectionProxy

from chassis.alone import ending
from chassis.crash_points import reached
from chassis.names import schema, system_role
from chassis.settings import ServiceSettings
from chassis.telemetry import log

Connection = asyncpg.Connection | PoolConnectionProxy

AWAY = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    # A session that the server ended just before: "cannot switch to state", until the line closes.
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.DiskFullError,
    # Of the memory that all sessions share: its table of locks is full at this moment.
    asyncpg.OutOfMemoryError,
)
"""What asyncpg raises when the server is gone or going, or has no room: worth another try."""

_NOT_MADE = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)
"""What a server says to a login before `dalgo migrate` has made it, or given it this password."""

_IN_TRANSACTION: ContextVar["_Transaction | None"] = ContextVar("in_transaction", default=None)

_NOT_AWAITED = "; SET LOCAL synchronous_commit = off"


@dataclass
class _Transaction:
    """One of this task or of those that it was begun by."""

    is_open: bool = True


def require_no_transaction(what: str) -> None:
    """Raises RuntimeError in a transaction: waiting for others there takes connections from all."""
    transaction = _IN_TRANSACTION.get()
    if transaction is not None and transaction.is_open:
        raise RuntimeError(f"{what} inside a transaction: the connection would wait too")


async def _prepare(connection: asyncpg.Connection) -> None:
    _watch_line(connection)
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(
            kind,
            schema="pg_catalog",
            encoder=lambda value: orjson.dumps(value).decode(),
            decoder=json.loads,
        )


def _watch_line(connection: asyncpg.Connection) -> None:
    """Notice within a minute that a server is gone without a word, while an answer is waited for.

    asyncpg has no setting for it: without this a lost line holds its task, and its message, for ever.
    """
    line = connection._transport.get_extra_info("socket")  # noqa: SLF001  no other way in
    if line is None or line.family not in (socket.AF_INET, socket.AF_INET6):
        return
    line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, seconds in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, name):  # not everywhere
            line.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), seconds)


async def _leave(_: asyncpg.Connection) -> None:
    """Nothing outlives a transaction here: settings, roles and locks are all its own.

    So giving a connection back costs no round trip (the pool itself ends a transaction left open).
    """


class Database:
    """A service's pool; `name` is the service's (its login role and its schema: `chassis.names`)."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        name: str,
        connect: Callable[[], Awaitable[asyncpg.Connection]] | None = None,
    ) -> None:
        """`connect` opens a session besides the pool; without it one of the pool is used up."""
        self.pool = pool
        self.name = name
        self._connect = connect

    @classmethod
    async def connect(
        cls,
        settings: ServiceSettings,
        name: str,
        waits_for: Callable[[str], None] = lambda _: None,
    ) -> "Database":
        """Open the pool, waiting for the server, and for a login and database not made yet.

        `waits_for` is told what it waits for.
        """
        delay = 0.2
        url = settings.database_url.get_secret_value()
        session: dict[str, Any] = {
            "statement_cache_size": settings.database_statement_cache,
            "server_settings": {"search_path": schema(name), "application_name": f"dalgo-{name}"},
            "timeout": 10,
        }
        while True:
            try:
                pool = await asyncpg.create_pool(
                    url,
                    min_size=1,
                    max_size=settings.database_pool_size,
                    init=_prepare,
                    reset=_leave,
                    **session,
                )
                return cls(pool, name, partial(asyncpg.connect, url, **session))
            except (*AWAY, *_NOT_MADE) as error:
                reason = str(error) or repr(error)
                waits_for(f"the database: {reason}")
                log.warning("database_not_reachable", error=reason, retry_in_s=delay)
                await asyncio.sleep(delay)
                delay = min(delay * 2, 5.0)

    async def close(self) -> None:
        """Close the pool; connections still in use after 5 s are cut."""
        try:
            await asyncio.wait_for(self.pool.close(), timeout=5)
        except TimeoutError:
            self.pool.terminate()

    @asynccontextmanager
    async def organization(
        self, org_id: UUID, *, awaits_disk: bool = True
    ) -> AsyncIterator[Connection]:
        """A transaction that sees and writes the rows of one organisation only.

        One that does not await the disk may be forgotten when PostgreSQL itself crashes at that
        moment, unless a later transaction was kept: for claims, which whoever finds them gone makes
        anew.
        """
        begin = f"BEGIN; SET LOCAL app.org_id = '{UUID(int=org_id.int)}'"
        async with self._begun(begin if awaits_disk else begin + _NOT_AWAITED) as own:
            yield own
            reached("transaction.before_commit")
        reached("transaction.committed")

    @asynccontextmanager
    async def system(self, *, awaits_disk: bool = True) -> AsyncIterator[Connection]:
        """A transaction over all organisations, for background work; keep its queries few."""
        begin = f'BEGIN; SET LOCAL ROLE "{system_role(self.name)}"'
        async with self._begun(begin if awaits_disk else begin + _NOT_AWAITED) as own:
            yield own

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A transaction on system tables, which no organisation owns."""
        async with self._begun("BEGIN") as own:
            yield own

    @asynccontextmanager
    async def _begun(self, begin: str) -> AsyncIterator[Connection]:
        """A transaction that begins together with what holds in it, which spares a round trip.

        asyncpg's own manager cannot say both at once; inside this one it refuses to work, so what
        may fail and be gone on from takes a `savepoint`.
        """
        async with self.pool.acquire() as connection:
            await connection.execute(begin)
            transaction = _Transaction()
            outer = _IN_TRANSACTION.get()
            _IN_TRANSACTION.set(transaction)
            try:
                yield connection
            except BaseException:
                with suppress(*AWAY):
                    await connection.execute("ROLLBACK")
                raise
            finally:
                transaction.is_open = False
                _IN_TRANSACTION.set(outer)
            if await connection.execute("COMMIT") != "COMMIT":
                # What PostgreSQL says to the end of a transaction in which a statement failed.
                raise asyncpg.InFailedSQLTransactionError("the transaction was rolled back")

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[Connection]:
        """A session of its own, which ends with the block, whatever runs in it by then.

        For statements that may run code which others wrote: settings, temporary tables, locks and
        cursors that such code leaves in a session must not meet another transaction of ours.
        """
        if self._connect is None:
            async with self.pool.acquire() as connection, ending(connection, self.pool):
                yield connection
            return
        connection = await self._connect()
        _watch_line(connection)
        async with ending(connection, self.pool):
            yield connection

    async def ping(self) -> None:
        """Raise unless the server answers."""
        async with asyncio.timeout(2), self.pool.acquire() as connection:
            await connection.execute("SELECT 1")


@asynccontextmanager
async def savepoint(connection: Connection) -> AsyncIterator[None]:
    """A block after whose failure the transaction around it can go on."""
    await connection.execute("SAVEPOINT block")
    try:
        yield
    except BaseException:
        with suppress(*AWAY):
            await connection.execute("ROLLBACK TO SAVEPOINT block")
        raise
    await connection.execute("RELEASE SAVEPOINT block")


async def become_system(connection: Connection, service: str) -> None:
    """See the rows of all organisations of a service, until the transaction ends."""
    await connection.execute(f'SET LOCAL ROLE "{system_role(service)}"')


def queries(package: str) -> Any:
    """The named queries of a package, from its `queries.sql`."""
    return aiosql.from_str((files(package) / "queries.sql").read_text(), "asyncpg")


def affected(status: str) -> int:
    """How many rows a statement touched, out of its command tag (`UPDATE 3`)."""
    return int(status.rpartition(" ")[2])


async def collect(rows: AsyncIterator[asyncpg.Record]) -> list[asyncpg.Record]:
    """All rows of a named query that selects."""
    return [row async for row in rows]
