"""Admission: which queued run starts next and on what exactly, and whose steps begin when room is."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

from chassis.bus import Bus
from chassis.crash_points import reached
from chassis.database import AWAY
from chassis.errors import Retry
from chassis.telemetry import about, continued, log
from contracts.envelope import derived_id, new_id
from contracts.ingest import PlanSources
from contracts.problem import ProblemError
from contracts.transform import PlanTransformations, TransformationsPlan
from orchestrator.domain import Message, RoomFreed, RunPlanned, RunPlanRefused, RunState
from orchestrator.retrying import require_intact
from orchestrator.store import RunStore
from orchestrator.zones import Zones

_IDLE = 1.0
_BATCH = 50
_AT_ONCE = 16
"""Runs that are moved side by side: one whose plan takes long is not to hold up the others."""
_HOUSEKEEPING = 3600.0


class Admission:
    """Starts queued runs: round-robin over organisations, a cap for each, no table written twice."""

    def __init__(self, store: RunStore, bus: Bus, cap: int) -> None:
        self._store = store
        self._bus = bus
        self._zones = Zones(bus)
        self._cap = cap
        self._at_once = asyncio.Semaphore(_AT_ONCE)
        self._under_way: set[UUID] = set()

    def wake(self) -> None:
        """A run was queued or has ended: look again now."""
        self._store.has_line_moved = True
        self._store.woken.set()

    async def run(self) -> None:
        """Admit until cancelled. Replicas may do so side by side: claims and the inbox decide."""
        clock = asyncio.get_running_loop().time
        tidy_at = clock()
        async with asyncio.TaskGroup() as group:
            while True:
                self._store.woken.clear()
                try:
                    if clock() >= tidy_at:
                        await self._store.forget_received()
                        tidy_at = clock() + _HOUSEKEEPING
                    await self._look(group)
                except AWAY as error:
                    log.warning("admission_waits", error=str(error) or repr(error))
                except Exception:
                    log.exception("admission_failed")
                try:
                    async with asyncio.timeout(_IDLE):
                        await self._store.woken.wait()
                except TimeoutError:
                    # Another replica may have made room, or died over what it had claimed.
                    self._store.has_line_moved = self._store.is_room_left = True

    async def _look(self, group: asyncio.TaskGroup) -> None:
        store = self._store
        claimed, store.claimed = store.claimed, []
        for state, org_id in claimed:
            self._begin(group, state.run_id, partial(self._admit, state, org_id))
        if store.has_line_moved:
            store.has_line_moved = False
            for state, org_id in await store.claim(self._cap, _BATCH):
                self._begin(group, state.run_id, partial(self._admit, state, org_id))
        if store.is_room_left:
            store.is_room_left = False
            for run_id, org_id, actor, trace in await store.with_room(_BATCH):
                self._begin(group, run_id, partial(self._give_room, run_id, org_id, actor, trace))

    def _begin(
        self, group: asyncio.TaskGroup, run_id: UUID, work: Callable[[], Awaitable[None]]
    ) -> None:
        if run_id not in self._under_way:
            self._under_way.add(run_id)
            group.create_task(self._alone(run_id, work))

    async def _alone(self, run_id: UUID, work: Callable[[], Awaitable[None]]) -> None:
        """A run that cannot be moved does not keep the others waiting; it is looked at again."""
        try:
            async with self._at_once:
                await work()
        except AWAY as error:
            log.warning("run_waits", run_id=str(run_id), error=str(error) or repr(error))
        except Exception:
            log.exception("run_not_moved", run_id=str(run_id))
        finally:
            self._under_way.discard(run_id)

    async def _give_room(self, run_id: UUID, org_id: UUID, actor: str, trace: str | None) -> None:
        with continued(trace, "orchestrator.slot_given"), about(org_id, run_id=run_id):
            await self._apply(run_id, org_id, RoomFreed(), new_id(), actor)

    async def _admit(self, state: RunState, org_id: UUID) -> None:
        with continued(state.trace, "orchestrator.admission"), about(org_id, state):
            await self._plan_and_start(state, org_id)

    async def _plan_and_start(self, state: RunState, org_id: UUID) -> None:
        run_id = state.run_id
        reached("run.claimed")
        try:
            message = await self.plan(state, org_id)
        except ProblemError as error:
            if error.problem.status >= 500:
                log.warning("run_waits", run_id=str(run_id), error=error.problem.detail)
                return
            message = RunPlanRefused(error.problem)
        planned = derived_id(run_id, "planned", state.attempt)
        await self._apply(run_id, org_id, message, planned, state.trigger.actor)

    async def _apply(
        self, run_id: UUID, org_id: UUID, message: Message, message_id: UUID, actor: str
    ) -> None:
        try:
            await self._store.apply(
                run_id, org_id, message, message_id=message_id, at=datetime.now(UTC), actor=actor
            )
        except Retry:
            self.wake()

    async def plan(self, state: RunState, org_id: UUID) -> RunPlanned:
        """Pin sources, recipe versions and what is published; raises the owners' ProblemError.

        A run that was begun before keeps what it had pinned: 409 when that does not hold any more.
        """
        # Nearly all sources fill their own table alone, so that both can be asked at once.
        timezone, sources, transformations = await asyncio.gather(
            self._zones.of(org_id),
            self._bus.ask(PlanSources(source_ids=state.source_ids), org_id=org_id),
            self._plan_transformations(state, org_id, state.source_ids),
            return_exceptions=True,
        )
        if isinstance(timezone, BaseException):
            raise timezone
        if isinstance(sources, BaseException):
            raise sources
        if set(sources.table_ids) != set(state.source_ids):
            transformations = await self._plan_transformations(state, org_id, sources.table_ids)
        if isinstance(transformations, BaseException):
            raise transformations
        if state.steps:
            await require_intact(self._bus, org_id, state, transformations.published)
        return RunPlanned(
            sources=sources.sources,
            transformations=transformations.transformations,
            published=transformations.published,
            table_names=transformations.table_names,
            timezone=timezone,
        )

    async def _plan_transformations(
        self, state: RunState, org_id: UUID, source_table_ids: Sequence[UUID]
    ) -> TransformationsPlan:
        return await self._bus.ask(
            PlanTransformations(
                transformation_ids=state.transformation_ids,
                source_table_ids=tuple(source_table_ids),
            ),
            org_id=org_id,
        )
