"""Forgets runs that ended long ago, or before too many others, and tells those who keep more."""

import asyncio
from uuid import UUID

from chassis.database import AWAY, Database, collect, queries
from chassis.outbox import Outbox, Outgoing
from chassis.telemetry import log
from contracts.orchestrator import RunsForgotten, start_id

_BATCH = 200
_EVERY = 3600.0
_BREATH = 0.05
"""Seconds between two batches, in which others get at the database."""

_queries = queries("orchestrator")


class Retention:
    """Replicas may forget side by side; each batch is a short transaction of its own.

    A forgotten run may not come back by a start that is said once more: its owners would take its
    steps for the ones they know. So the start counts as received anew, for as long as the inbox
    keeps that; whoever still holds anything of the run drops it meanwhile, on RunsForgotten.
    """

    def __init__(self, database: Database, outbox: Outbox, *, days: int, kept: int) -> None:
        """`days`: how long a run is kept after its end; `kept`: of one organisation, at most."""
        self._database = database
        self._outbox = outbox
        self._days = days
        self._kept = kept

    async def run(self) -> None:
        """Forget until cancelled, once an hour; a lost database is waited for."""
        while True:
            try:
                await self.forget()
            except AWAY as error:
                log.warning("retention_waits", error=str(error) or repr(error))
            except Exception:
                log.exception("retention_failed")
            await asyncio.sleep(_EVERY)

    async def forget(self) -> int:
        """Forget all that is due; how many runs that were."""
        async with self._database.system() as connection:
            found = _queries.crowded_organizations(connection, days=self._days, kept=self._kept)
            org_ids = [row["org_id"] for row in await collect(found)]
        total = 0
        for org_id in org_ids:
            while forgotten := await self._batch(org_id):
                total += forgotten
                await asyncio.sleep(_BREATH)
        if total:
            log.info("runs_forgotten", runs=total)
        return total

    async def _batch(self, org_id: UUID) -> int:
        async with self._database.organization(org_id) as connection:
            gone = _queries.forget_runs(connection, days=self._days, kept=self._kept, batch=_BATCH)
            run_ids = [UUID(bytes=row["id"].bytes) for row in await collect(gone)]
            if run_ids:
                starts = [start_id(run_id) for run_id in run_ids]
                await _queries.receive_anew(connection, message_ids=starts)
                told = Outgoing(RunsForgotten(run_ids=tuple(run_ids)), org_id)
                await self._outbox.put(connection, [told])
        self._outbox.wake()
        return len(run_ids)
