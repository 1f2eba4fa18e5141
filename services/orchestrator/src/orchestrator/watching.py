"""Looks after runs of which nothing is heard: deadlines, and commands or answers that got lost."""

import asyncio
from datetime import datetime
from uuid import UUID

from asyncpg import Record

from chassis.database import AWAY, Connection, Database, collect, queries
from chassis.errors import Reject, Retry
from chassis.outbox import Outbox
from chassis.telemetry import about, continued, log
from contracts.envelope import derived_id
from orchestrator.admission import Admission
from orchestrator.deadlines import Deadlines, overdue
from orchestrator.domain import RunStalled, RunState, StepTimedOut
from orchestrator.scheduler import Clock
from orchestrator.store import RunStore, state_of

_BATCH = 100
_queries = queries("orchestrator")


class Watch:
    """Tells the machine what no message can tell it. Replicas may do so side by side.

    Asking again is safe: an owner says an outcome that it knows under a new message id, which the
    bus does not take for a repeat, and leaves a step that somebody works on to him. Queued runs
    are not watched: admission looks at all of them each second.
    """

    def __init__(
        self,
        database: Database,
        runs: RunStore,
        outbox: Outbox,
        admission: Admission,
        deadlines: Deadlines,
        clock: Clock,
        every: float,
    ) -> None:
        """`every`: seconds between two looks."""
        self._database = database
        self._runs = runs
        self._outbox = outbox
        self._admission = admission
        self._deadlines = deadlines
        self._clock = clock
        self._every = every

    async def run(self) -> None:
        """Look until cancelled; a lost database is waited for."""
        while True:
            try:
                while await self.look() == _BATCH:
                    pass
            except AWAY as error:
                log.warning("watch_waits", error=str(error) or repr(error))
            except Exception:
                log.exception("watch_failed")
            await asyncio.sleep(self._every)

    async def stream_lost(self, connection: Connection, _: object) -> None:
        """Have every run looked after at the next look: its commands or their answers may be lost."""
        await _queries.look_at_all(connection)

    async def look(self) -> int:
        """Look after the runs whose time has come; how many there were and were looked after."""
        now = await self._clock()
        async with self._database.system() as connection:
            rows = await collect(_queries.quiet_runs(connection, now=now, batch=_BATCH))
        done = 0
        for row in rows:
            try:
                await self._look_after(row["id"], row["org_id"], now)
                done += 1
            except (Retry, Reject) as error:
                log.warning("run_not_looked_after", run_id=str(row["id"]), reason=str(error))
            except AWAY:
                raise
            except Exception:
                # One run that cannot be read is not to keep the others waiting.
                log.exception("run_not_looked_after", run_id=str(row["id"]))
        return done

    async def _look_after(self, run_id: UUID, org_id: UUID, now: datetime) -> None:
        async with self._database.organization(org_id) as connection:
            row = await _queries.lock_quiet_run(connection, run_id=run_id, now=now)
            if row is None:
                return
            state = state_of(row)
            with continued(state.trace, "orchestrator.watchdog"), about(org_id, state):
                moved = await self._move(connection, state, org_id, row, now)
        self._outbox.wake()
        if moved is not None and moved.has_ended:
            self._admission.wake()

    async def _move(
        self, connection: Connection, state: RunState, org_id: UUID, row: Record, now: datetime
    ) -> RunState | None:
        run_id, late = state.run_id, overdue(state, now)
        if late is not None and late.due_at is not None:
            message, repeats = StepTimedOut(late.view.id, late.due_at), 0
            message_id = derived_id(late.view.id, "timed_out")
            log.warning("step_timed_out", step_id=str(late.view.id))
        else:
            message, repeats = RunStalled(), row["repeats"] + 1
            message_id = derived_id(run_id, "stalled", row["revision"])
            log.info("run_stalled", repeats=repeats)
        moved = await self._runs.apply_in(
            connection,
            run_id,
            org_id,
            message,
            message_id=message_id,
            at=now,
            actor=state.trigger.actor,
            now=now,
            repeats=repeats,
        )
        if moved is None:
            # The machine had nothing to say: not to come back at once.
            later = now + self._deadlines.silence
            await _queries.look_later(connection, run_id=run_id, look_at=later)
        return moved
