"""Handlers of the orchestrator, named for their messages."""

from collections.abc import Sequence
from uuid import UUID

from chassis.disk import Disk
from chassis.errors import Reject
from chassis.outbox import Outgoing
from contracts.envelope import Meta
from contracts.ingest import SourceSynced, SourceSyncFailed, UploadAdded
from contracts.message import Done
from contracts.orchestrator import (
    CancelRun,
    CheckQueue,
    CheckRetry,
    CreatePipeline,
    DeletePipeline,
    FindOldestRun,
    FindPinnedVersions,
    FindPipelineUsers,
    Firings,
    GetPipeline,
    GetRun,
    GetRunTimeline,
    ListFirings,
    ListPipelines,
    ListRunEvents,
    ListRuns,
    OldestRun,
    PinnedVersions,
    Pipeline,
    PipelineList,
    PipelineUsers,
    QueuePlaces,
    RetryRun,
    Run,
    RunEvents,
    RunList,
    RunTimeline,
    Schedule,
    SetSchedule,
    SetTriggers,
    StartRun,
    UpdatePipeline,
)
from contracts.outside import PipelineRun
from contracts.problem import problem
from contracts.transform import (
    PublishAborted,
    PublishFailed,
    RunPublished,
    TransformationBuilt,
    TransformationFailed,
)
from orchestrator.admission import Admission
from orchestrator.domain import view
from orchestrator.history import History
from orchestrator.pipelines import PipelineStore
from orchestrator.retrying import require_ended
from orchestrator.scheduler import Clock, Scheduler
from orchestrator.schedules import Schedules
from orchestrator.store import RunStore
from orchestrator.triggers import Triggers

RunMessage = (
    StartRun
    | CancelRun
    | RetryRun
    | SourceSynced
    | SourceSyncFailed
    | TransformationBuilt
    | TransformationFailed
    | RunPublished
    | PublishAborted
    | PublishFailed
)


_WHEN_FULL = 30
"""Seconds after which a full queue is asked again."""


def organization_of(meta: Meta) -> UUID:
    """The organisation that a message is about; a message without one is refused."""
    if meta.org_id is None:
        raise Reject(f"{meta.type} names no organisation")
    return meta.org_id


class Handlers:
    """What the orchestrator does when it is told or asked something."""

    def __init__(
        self,
        runs: RunStore,
        history: History,
        pipelines: PipelineStore,
        schedules: Schedules,
        triggers: Triggers,
        admission: Admission,
        scheduler: Scheduler,
        clock: Clock,
        max_queued: int,
        disk: Disk,
    ) -> None:
        self._runs = runs
        self._history = history
        self._pipelines = pipelines
        self._schedules = schedules
        self._triggers = triggers
        self._admission = admission
        self._scheduler = scheduler
        self._clock = clock
        self._max_queued = max_queued
        self._disk = disk

    async def run_message(self, message: RunMessage, meta: Meta) -> Sequence[Outgoing]:
        """Every durable message about a run goes the same way: through the machine."""
        await self._runs.apply(
            message.run_id,
            organization_of(meta),
            message,
            message_id=meta.id,
            at=meta.time,
            actor=meta.actor,
        )
        return ()

    async def upload_added(self, event: UploadAdded, meta: Meta) -> Sequence[Outgoing]:
        """UploadAdded."""
        if await self._triggers.upload_added(organization_of(meta), event, meta):
            self._admission.wake()
        return ()

    async def pipeline_run(self, event: PipelineRun, meta: Meta) -> Sequence[Outgoing]:
        """PipelineRun, told from outside."""
        if await self._triggers.pipeline_run(organization_of(meta), event, meta):
            self._admission.wake()
        return ()

    async def get_run(self, request: GetRun, meta: Meta) -> Run:
        """GetRun."""
        return await self._runs.get(organization_of(meta), request.run_id)

    async def check_retry(self, request: CheckRetry, meta: Meta) -> Run:
        """CheckRetry: asks what admission will ask, so that a refusal comes at once."""
        org_id = organization_of(meta)
        state = await self._runs.state(org_id, request.run_id)
        require_ended(state)
        if state.steps:
            await self._admission.plan(state, org_id)
        return view(state)

    async def check_queue(self, _: CheckQueue, meta: Meta) -> QueuePlaces:
        """CheckQueue: a run is queued by a command, which has no answer; one that cannot be is refused."""
        await self._disk.check()
        queued = await self._runs.count_queued(organization_of(meta), self._max_queued)
        if queued >= self._max_queued:
            raise problem(
                429,
                "queue_full",
                f"{self._max_queued} runs of your organisation wait in the queue, as many as may. "
                "Cancel some, or try again when some have begun.",
                retry_after=_WHEN_FULL,
            )
        return QueuePlaces(places=self._max_queued - queued)

    async def find_oldest_run(self, _: FindOldestRun, meta: Meta) -> OldestRun:
        """FindOldestRun."""
        return await self._runs.oldest(organization_of(meta))

    async def find_pinned_versions(self, request: FindPinnedVersions, meta: Meta) -> PinnedVersions:
        """FindPinnedVersions."""
        pinned = await self._runs.pinned(organization_of(meta), request.relations)
        return PinnedVersions(relations=pinned)

    async def list_runs(self, request: ListRuns, meta: Meta) -> RunList:
        """ListRuns."""
        return await self._history.list(organization_of(meta), request)

    async def list_run_events(self, request: ListRunEvents, meta: Meta) -> RunEvents:
        """ListRunEvents."""
        return await self._history.events(
            organization_of(meta), request.run_id, request.after_version
        )

    async def get_run_timeline(self, request: GetRunTimeline, meta: Meta) -> RunTimeline:
        """GetRunTimeline."""
        return await self._history.timeline(organization_of(meta), request.run_id)

    async def create_pipeline(self, request: CreatePipeline, meta: Meta) -> Pipeline:
        """CreatePipeline."""
        return await self._pipelines.create(organization_of(meta), request)

    async def get_pipeline(self, request: GetPipeline, meta: Meta) -> Pipeline:
        """GetPipeline."""
        return await self._pipelines.get(organization_of(meta), request.pipeline_id)

    async def list_pipelines(self, request: ListPipelines, meta: Meta) -> PipelineList:
        """ListPipelines."""
        return await self._pipelines.list(organization_of(meta), request)

    async def update_pipeline(self, request: UpdatePipeline, meta: Meta) -> Pipeline:
        """UpdatePipeline."""
        return await self._pipelines.update(organization_of(meta), request)

    async def delete_pipeline(self, request: DeletePipeline, meta: Meta) -> Done:
        """DeletePipeline."""
        await self._pipelines.delete(organization_of(meta), request)
        return Done()

    async def find_pipeline_users(self, request: FindPipelineUsers, meta: Meta) -> PipelineUsers:
        """FindPipelineUsers."""
        names = await self._pipelines.using(organization_of(meta), request.target_id)
        return PipelineUsers(names=names)

    async def set_schedule(self, request: SetSchedule, meta: Meta) -> Schedule:
        """SetSchedule."""
        schedule = await self._schedules.set(organization_of(meta), request, await self._clock())
        self._scheduler.wake()
        return schedule

    async def set_triggers(self, request: SetTriggers, meta: Meta) -> Pipeline:
        """SetTriggers."""
        return await self._pipelines.set_triggers(organization_of(meta), request)

    async def list_firings(self, request: ListFirings, meta: Meta) -> Firings:
        """ListFirings."""
        org_id = organization_of(meta)
        await self._pipelines.get(org_id, request.pipeline_id)
        return await self._schedules.firings(org_id, request.pipeline_id, request.limit)
