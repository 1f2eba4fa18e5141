"""Composition root of the orchestrator, shared by the process and the tests."""

from typing import get_args

from chassis.service import Service
from contracts.orchestrator import (
    CheckRetry,
    CreatePipeline,
    DeletePipeline,
    FindOldestRun,
    FindPipelineUsers,
    GetPipeline,
    GetRun,
    GetRunTimeline,
    ListFirings,
    ListPipelines,
    ListRunEvents,
    ListRuns,
    SetSchedule,
    UpdatePipeline,
)
from orchestrator.admission import Admission
from orchestrator.deadlines import Deadlines
from orchestrator.handlers import Handlers, RunMessage
from orchestrator.history import History
from orchestrator.pipelines import PipelineStore
from orchestrator.retention import Retention
from orchestrator.scheduler import Clock, Scheduler, database_clock
from orchestrator.schedules import Schedules
from orchestrator.settings import Settings
from orchestrator.store import RunStore
from orchestrator.watching import Watch


async def build(service: Service[Settings], clock: Clock | None = None) -> None:
    """Wire the orchestrator onto its open connections; `clock` is the database's by default."""
    clock = clock or database_clock(service.database)
    deadlines = Deadlines.of(service.settings)
    runs = RunStore(service.database, service.outbox, deadlines)
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
    history = History(service.database)
    handlers = Handlers(runs, history, pipelines, schedules, admission, scheduler, clock)

    answer = service.answers.answer
    answer(GetRun, handlers.get_run)
    answer(CheckRetry, handlers.check_retry)
    answer(ListRuns, handlers.list_runs)
    answer(FindOldestRun, handlers.find_oldest_run)
    answer(ListRunEvents, handlers.list_run_events)
    answer(GetRunTimeline, handlers.get_run_timeline)
    answer(CreatePipeline, handlers.create_pipeline)
    answer(GetPipeline, handlers.get_pipeline)
    answer(ListPipelines, handlers.list_pipelines)
    answer(UpdatePipeline, handlers.update_pipeline)
    answer(DeletePipeline, handlers.delete_pipeline)
    answer(FindPipelineUsers, handlers.find_pipeline_users)
    answer(SetSchedule, handlers.set_schedule)
    answer(ListFirings, handlers.list_firings)

    for message in get_args(RunMessage):
        service.jobs.handle(message, handlers.run_message)
    service.background("admission", admission.run)
    service.background("scheduler", scheduler.run)
    service.background("watch", watch.run)
    retention = Retention(
        service.database,
        service.outbox,
        days=service.settings.keep_runs_days,
        kept=service.settings.keep_runs_per_organization,
    )
    service.background("retention", retention.run)
