"""Admission: which queued run starts next, and on what exactly."""

import asyncio
import contextlib
from datetime import UTC, datetime
from uuid import UUID

from chassis.bus import Bus
from chassis.crash_points import reached
from chassis.database import AWAY
from chassis.errors import Retry
from chassis.telemetry import log
from contracts.auth import GetOrganization
from contracts.envelope import derived_id
from contracts.ingest import PlanSources
from contracts.problem import ProblemError
from contracts.transform import PlanTransformations
from orchestrator.domain import RunPlanned, RunPlanRefused, RunState
from orchestrator.retrying import require_intact
from orchestrator.store import RunStore

_IDLE = 1.0
_BATCH = 50
_HOUSEKEEPING = 3600.0


class Admission:
    """Starts queued runs: round-robin over organisations, a cap for each, no table written twice."""

    def __init__(self, store: RunStore, bus: Bus, cap: int) -> None:
        self._store = store
        self._bus = bus
        self._cap = cap
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """A run was queued or has ended: look again now."""
        self._woken.set()

    async def run(self) -> None:
        """Admit until cancelled. Replicas may do so side by side: claims and the inbox decide."""
        clock = asyncio.get_running_loop().time
        tidy_at = clock()
        while True:
            self._woken.clear()
            try:
                if clock() >= tidy_at:
                    await self._store.forget_received()
                    tidy_at = clock() + _HOUSEKEEPING
                for run_id, org_id in await self._store.admissible(self._cap, _BATCH):
                    await self._admit(run_id, org_id)
            except AWAY as error:
                log.warning("admission_waits", error=str(error) or repr(error))
            except Exception:
                log.exception("admission_failed")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_IDLE):
                    await self._woken.wait()

    async def _admit(self, run_id: UUID, org_id: UUID) -> None:
        state = await self._store.claim(run_id, org_id)
        if state is None:
            return
        reached("run.claimed")
        try:
            message = await self.plan(state, org_id)
        except ProblemError as error:
            if error.problem.status >= 500:
                log.warning("run_waits", run_id=str(run_id), error=error.problem.detail)
                return
            message = RunPlanRefused(error.problem)
        try:
            await self._store.apply(
                run_id,
                org_id,
                message,
                message_id=derived_id(run_id, "planned", state.attempt),
                at=datetime.now(UTC),
                actor=state.trigger.actor,
            )
        except Retry:
            self.wake()

    async def plan(self, state: RunState, org_id: UUID) -> RunPlanned:
        """Pin sources, recipe versions and what is published; raises the owners' ProblemError.

        A run that was begun before keeps what it had pinned: 409 when that does not hold any more.
        """
        organization, sources = await asyncio.gather(
            self._bus.ask(GetOrganization(), org_id=org_id),
            self._bus.ask(PlanSources(source_ids=state.source_ids), org_id=org_id),
        )
        transformations = await self._bus.ask(
            PlanTransformations(
                transformation_ids=state.transformation_ids,
                source_table_ids=sources.table_ids,
            ),
            org_id=org_id,
        )
        if state.steps:
            await require_intact(self._bus, org_id, state, transformations.published)
        return RunPlanned(
            sources=sources.sources,
            transformations=transformations.transformations,
            published=transformations.published,
            table_names=transformations.table_names,
            timezone=organization.timezone,
        )
