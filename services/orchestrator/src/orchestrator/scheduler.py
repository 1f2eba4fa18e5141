"""Starts pipelines when they are due: each time once, whatever dies and however many look."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from uuid import UUID

from chassis.database import AWAY, Database
from chassis.outbox import Outbox
from chassis.telemetry import about, continued, log
from contracts.envelope import derived_id
from contracts.orchestrator import Firing, StartRun, Trigger
from orchestrator.admission import Admission
from orchestrator.calendar import last_missed
from orchestrator.schedules import Due, Schedules, hold, open_runs, record
from orchestrator.store import RunStore

ACTOR = "schedule"
_BATCH = 100
_HOUSEKEEPING = 3600.0

Clock = Callable[[], Awaitable[datetime]]


def database_clock(database: Database) -> Clock:
    """The database's clock, which is the same for all replicas."""

    async def now() -> datetime:
        async with database.transaction() as connection:
            found = await connection.fetchval("SELECT now()")
        assert isinstance(found, datetime)
        return found

    return now


class Scheduler:
    """Fires schedules. Of several replicas one wins each time: the row is locked, its time a key."""

    def __init__(
        self,
        database: Database,
        schedules: Schedules,
        runs: RunStore,
        outbox: Outbox,
        admission: Admission,
        clock: Clock,
        every: float,
    ) -> None:
        """`every`: seconds after which is looked anew: another replica may have kept a schedule."""
        self._database = database
        self._schedules = schedules
        self._runs = runs
        self._outbox = outbox
        self._admission = admission
        self._clock = clock
        self._every = every
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """A schedule was changed: look again now."""
        self._woken.set()

    async def run(self) -> None:
        """Fire until cancelled; a lost database is waited for."""
        loop = asyncio.get_running_loop().time
        tidy_at = loop()
        while True:
            self._woken.clear()
            pause = 1.0
            try:
                if loop() >= tidy_at:
                    await self._schedules.forget_firings()
                    tidy_at = loop() + _HOUSEKEEPING
                pause = await self.look()
            except AWAY as error:
                log.warning("scheduler_waits", error=str(error) or repr(error))
            except Exception:
                log.exception("scheduler_failed")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._woken.wait()

    async def look(self) -> float:
        """Fire what is due; gives the seconds until it is worth looking again."""
        now = await self._clock()
        due = await self._schedules.due(now, _BATCH)
        for pipeline_id, org_id in due:
            await self._fire(pipeline_id, org_id, now)
        if len(due) == _BATCH:
            return 0.0
        upcoming = await self._schedules.next_due()
        if upcoming is None:
            return self._every
        left = (upcoming - await self._clock()).total_seconds()
        # What another replica holds at this moment is still due: not to be asked for without pause.
        return min(max(left, 0.05), self._every)

    async def _fire(self, pipeline_id: UUID, org_id: UUID, now: datetime) -> None:
        with continued(None, "orchestrator.schedule"), about(org_id):
            await self._fire_once(pipeline_id, org_id, now)

    async def _fire_once(self, pipeline_id: UUID, org_id: UUID, now: datetime) -> None:
        async with self._database.organization(org_id) as connection:
            due = await hold(connection, pipeline_id, now)
            if due is None:
                return
            scheduled_for, before = last_missed(due.rule, due.due, now)
            reason = _too_late(due, scheduled_for, before, now) or _overlaps(
                due, await open_runs(connection, pipeline_id)
            )
            run_id = None if reason else derived_id(pipeline_id, "schedule", scheduled_for)
            firing = Firing(scheduled_for=scheduled_for, run_id=run_id, reason=reason, at=now)
            is_first = await record(connection, org_id, pipeline_id, firing, due.rule)
            if run_id is not None and is_first:
                await self._runs.apply_in(
                    connection,
                    run_id,
                    org_id,
                    _command(due, run_id, scheduled_for),
                    message_id=derived_id(run_id, "start"),
                    at=now,
                    actor=ACTOR,
                )
        log.info(
            "schedule_fired",
            pipeline_id=str(pipeline_id),
            scheduled_for=scheduled_for.isoformat(),
            run_id=str(run_id) if run_id else None,
            reason=reason,
        )
        if run_id is not None:
            self._outbox.wake()
            self._admission.wake()


def _command(due: Due, run_id: UUID, scheduled_for: datetime) -> StartRun:
    return StartRun(
        run_id=run_id,
        run_kind="pipeline",
        pipeline_id=due.pipeline_id,
        source_ids=due.source_ids,
        transformation_ids=due.transformation_ids,
        trigger=Trigger(type="schedule", actor=ACTOR, scheduled_for=scheduled_for),
    )


def _too_late(due: Due, scheduled_for: datetime, before: int, now: datetime) -> str | None:
    grace = timedelta(minutes=due.rule.grace_minutes)
    if now - scheduled_for <= grace:
        return None
    also = f", and {before} before it" if before else ""
    return (
        f"missed: nothing ran at the time{also}, and it is more than "
        f"{due.rule.grace_minutes} minutes ago"
    )


def _overlaps(due: Due, runs: list[str]) -> str | None:
    if not runs:
        return None
    if due.rule.overlap == "skip":
        return "skipped: the run before has not ended"
    if "queued" in runs:
        return "skipped: a run is waiting already"
    return None
