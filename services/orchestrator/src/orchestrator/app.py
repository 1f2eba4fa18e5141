"""Composition root of the orchestrator, shared by the process and the tests."""

from typing import get_args

from chassis.service import Service
from contracts.orchestrator import (
    CreatePipeline,
    DeletePipeline,
    FindPipelineUsers,
    GetPipeline,
    GetRun,
    ListPipelines,
    ListRunEvents,
    ListRuns,
    UpdatePipeline,
)
from orchestrator.admission import Admission
from orchestrator.handlers import Handlers, RunMessage
from orchestrator.pipelines import PipelineStore
from orchestrator.settings import Settings
from orchestrator.store import RunStore


async def build(service: Service[Settings]) -> None:
    """Wire the orchestrator onto its open connections."""
    runs = RunStore(service.database, service.outbox)
    cap = service.settings.max_active_runs_per_organization
    admission = Admission(runs, service.bus, cap)
    handlers = Handlers(runs, PipelineStore(service.database), admission)

    answer = service.answers.answer
    answer(GetRun, handlers.get_run)
    answer(ListRuns, handlers.list_runs)
    answer(ListRunEvents, handlers.list_run_events)
    answer(CreatePipeline, handlers.create_pipeline)
    answer(GetPipeline, handlers.get_pipeline)
    answer(ListPipelines, handlers.list_pipelines)
    answer(UpdatePipeline, handlers.update_pipeline)
    answer(DeletePipeline, handlers.delete_pipeline)
    answer(FindPipelineUsers, handlers.find_pipeline_users)

    for message in get_args(RunMessage):
        service.jobs.handle(message, handlers.run_message)
    service.background("admission", admission.run)
