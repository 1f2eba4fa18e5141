"""Reading for somebody who waits: as the organisation, read only, within a time."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext, suppress
from typing import TypeVar
from uuid import UUID

import asyncpg

from chassis.database import Connection, Database, savepoint
from chassis.shares import Share
from chassis.telemetry import log
from contracts.envelope import Meta
from contracts.message import Part, Request
from contracts.problem import ProblemError, problem
from transform.kept import Kept
from transform.refusals import REFUSALS, VERSION_GONE, refusal
from transform.session import Sessions
from warehouse.access import as_org

_SETTINGS = """
SELECT set_config('transaction_read_only', 'on', true), set_config('statement_timeout', $1, true),
       set_config('plan_cache_mode', $2, true)"""
_IN_STORED_ORDER = """,
       set_config('synchronize_seqscans', 'off', true),
       set_config('max_parallel_workers_per_gather', '0', true)"""


COUNTS_KEPT = 10_000

Counts = Kept[tuple[UUID, str, str], int]
"""What statements of an organisation counted in a time zone: over versions, which never change."""


REQUEST = TypeVar("REQUEST", bound=Request)
REPLY = TypeVar("REPLY", bound=Part)
Handler = Callable[[REQUEST, Meta], Awaitable[REPLY]]


def on_newest(handler: Handler[REQUEST, REPLY]) -> Handler[REQUEST, REPLY]:
    """A handler that reads versions; once more when one that it had chosen was dropped by then.

    Nothing keeps a version that is only about to be read.
    """

    async def read(request: REQUEST, meta: Meta) -> REPLY:
        try:
            return await handler(request, meta)
        except ProblemError as error:
            if error.problem.code != VERSION_GONE:
                raise
        log.info("version_was_dropped", request=meta.type)
        return await handler(request, meta)

    return read


class Reading:
    """A transaction in which statements that were vouched for are run."""

    def __init__(self, connection: Connection, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline
        self._has_run = False

    async def rows(self, statement: str, *parameters: object) -> list[asyncpg.Record]:
        """Every row of a statement; all statements of the reading share its time."""
        if self._has_run:
            await self._limit()
        self._has_run = True
        return await self._connection.fetch(statement, *parameters)

    async def number(self, statement: str) -> int | None:
        """The one number of a statement; None when the time that is left does not suffice."""
        await self._limit()
        with suppress(asyncpg.QueryCanceledError):
            async with savepoint(self._connection):
                return await self._connection.fetchval(statement)
        return None

    async def _limit(self) -> None:
        """Give the next statement the time that is left."""
        left = max(1, int((self._deadline - time.perf_counter()) * 1000))
        await self._connection.execute(f"SET LOCAL statement_timeout = {left}")


class Reader:
    """Opens readings; `timeout`: seconds after which one is stopped."""

    def __init__(
        self,
        database: Database,
        sessions: Sessions,
        *,
        timeout: float,
        share: Share | None = None,
    ) -> None:
        """`share`: slots of organisations, held by readings."""
        self._database = database
        self._sessions = sessions
        self._share = share
        self.timeout = timeout

    @asynccontextmanager
    async def reading(
        self, org_id: UUID, what: str, timezone: str, *, alone: bool = False
    ) -> AsyncIterator[Reading]:
        """A reading that ends with the context, in an organisation's time zone.

        `alone`: tables are scanned from their beginning and by one process, in stored order.

        Raises problems: 422 for data that does not fit; 504 when it takes too long, naming `what`
        did.
        """
        settings = _SETTINGS + _IN_STORED_ORDER * alone
        # A plan made for any limit is one for a tenth of the rows.
        given = [str(int(self.timeout * 1000)), "force_custom_plan"]
        try:
            async with (
                nullcontext() if self._share is None else self._share.slot(org_id),
                self._database.transaction() as connection,
            ):
                deadline = time.perf_counter() + self.timeout
                await connection.execute(settings, *given)
                await self._sessions.prepare(connection, org_id, timezone)
                async with as_org(connection, org_id):
                    yield Reading(connection, deadline)
        except asyncpg.QueryCanceledError as error:
            raise too_long(what, self.timeout) from error
        except REFUSALS as error:
            raise refusal(error) from error


def too_long(what: str, seconds: float) -> ProblemError:
    """504: `what` was stopped after so many seconds; says what to do."""
    return problem(
        504,
        "preview_timed_out",
        f"The {what} took longer than {seconds:g} s. Filter or limit the rows in an earlier step, "
        "or run the recipe and look at its table.",
    )
