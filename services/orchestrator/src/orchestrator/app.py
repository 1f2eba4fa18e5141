"""Composition root of the orchestrator, shared by the process and the tests."""

from typing import get_args

from chassis.service import Service
from contracts.ingest import UploadAdded
from contracts.orchestrator import (
    CheckQueue,
    CheckRetry,
    CreatePipeline,
    DeletePipeline,
    FindOldestRun,
    FindPinnedVersions,
    FindPipelineUsers,
    GetPipeline,
    GetRun,
    GetRunTimeline,
    ListFirings,
    ListPipelines,
    ListRunEvents,
    ListRuns,
    SetSchedule,
    SetTriggers,
    UpdatePipeline,
)
from contracts.outside import PipelineRun
from orchestrator.admission import Admission
from orchestrator.deadlines import Deadlines
from orchestrator.handlers import Handlers, RunMessage
from orchestrator.history import History
from orchestrator.pipelines import PipelineStore
from orchestrator.retention import Retention
from orchestrator.room import Slots
from orchestrator.scheduler import Clock, Scheduler, database_clock
from orchestrator.schedules import Schedules
from orchestrator.settings import Settings
from orchestrator.store import RunStore
from orchestrator.triggers import Triggers
from orchestrator.watching import Watch


async def build(service: Service[Settings], clock: Clock | None = None) -> None:
    """Wire the orchestrator onto its open connections; `clock` is the database's by default."""
    clock = clock or database_clock(service.database)
    deadlines = Deadlines.of(service.settings)
    slots = Slots(
        service.settings.max_syncs_per_organization, service.settings.max_builds_per_organization
    )
    runs = RunStore(service.database, service.outbox, deadlines, slots)
    cap = service.settings.max_active_runs_per_organization
    admission = Admission(runs, service.bus, cap)
    schedules = Schedules(service.database)
    scheduler = Scheduler(
        service.database,
        schedules,
        runs,
        service.outbox,
        admission,
        clock,
        service.settings.schedule_every,
    )
    watch = Watch(
        service.database,
        runs,
        service.outbox,
        admission,
        deadlines,
        clock,
        service.settings.watch_every,
    )
    pipelines = PipelineStore(service.database)
    triggers = Triggers(service.database, runs, service.outbox)
    history = History(service.database)
    handlers = Handlers(
        runs,
        history,
        pipelines,
        schedules,
        triggers,
        admission,
        scheduler,
        clock,
        service.settings.max_queued_runs_per_organization,
        service.disk,
    )

    answer = service.answers.answer
    answer(GetRun, handlers.get_run)
    answer(CheckRetry, handlers.check_retry)
    answer(CheckQueue, handlers.check_queue)
    answer(ListRuns, handlers.list_runs)
    answer(FindOldestRun, handlers.find_oldest_run)
    answer(FindPinnedVersions, handlers.find_pinned_versions)
    answer(ListRunEvents, handlers.list_run_events)
    answer(GetRunTimeline, handlers.get_run_timeline)
    answer(CreatePipeline, handlers.create_pipeline)
    answer(GetPipeline, handlers.get_pipeline)
    answer(ListPipelines, handlers.list_pipelines)
    answer(UpdatePipeline, handlers.update_pipeline)
    answer(DeletePipeline, handlers.delete_pipeline)
    answer(FindPipelineUsers, handlers.find_pipeline_users)
    answer(SetSchedule, handlers.set_schedule)
    answer(SetTriggers, handlers.set_triggers)
    answer(ListFirings, handlers.list_firings)

    for message in get_args(RunMessage):
        service.jobs.handle(message, handlers.run_message)
    service.jobs.handle(UploadAdded, handlers.upload_added)
    service.jobs.handle(PipelineRun, handlers.pipeline_run)
    service.background("admission", admission.run)
    service.background("scheduler", scheduler.run)
    service.background("watch", watch.run)
    service.lost_streams.repair(watch.stream_lost)
    retention = Retention(
        service.database,
        service.outbox,
        days=service.settings.keep_runs_days,
        kept=service.settings.keep_runs_per_organization,
    )
    service.background("retention", retention.run)
