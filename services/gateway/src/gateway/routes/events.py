"""What other systems tell, as CloudEvents."""

from collections.abc import Sequence

from fastapi import APIRouter, Request
from pydantic import BaseModel

from chassis.telemetry import carry
from contracts.envelope import to_headers
from contracts.message import Outside
from contracts.orchestrator import GetPipeline
from contracts.outside import PipelineRun
from contracts.problem import FieldProblem, ProblemError, problem
from contracts.streams import EXT
from gateway import cloud_events
from gateway.auth import Caller
from gateway.cloud_events import CloudEvent
from gateway.edge import Edge, EdgeDep, Runner

_ONE = CloudEvent.model_json_schema(ref_template="#/components/schemas/{model}")
_EVENTS = {
    "required": True,
    "content": {
        "application/cloudevents+json": {"schema": _ONE},
        "application/cloudevents-batch+json": {
            "schema": {"type": "array", "items": _ONE, "maxItems": cloud_events.MOST}
        },
        "application/json": {
            "schema": {"description": "The data; the attributes are headers (`ce-id`, …)."}
        },
    },
}

router = APIRouter(tags=["events"])

PATH = "/events"
MAX_BODY = 256 * 1024
"""Bytes of a batch: what its types need is a small part of it."""


class TakenIn(BaseModel):
    """An event that is stored for the service that acts on its type."""

    id: str
    type: str


@router.post(PATH, status_code=202, openapi_extra={"requestBody": _EVENTS})
async def tell(request: Request, edge: EdgeDep, caller: Runner) -> list[TakenIn]:
    """Tell one event or several; all of them are taken in, or none.

    They are the organisation's of the token. `source.synced` {table, rows?} tells that another
    system has filled a table of an external source, `pipeline.run` {pipeline_id} starts a
    pipeline; 422 names one that is not there. Other types are 422. An event that was told before
    (same `source` and `id`) counts once. 429 past the organisation's events a minute.
    """
    events = cloud_events.read(request.headers, await request.body())
    await edge.quotas.events(caller.org_id, len(events))
    await _require_pipelines(edge, caller, events)
    for event, body in events:
        headers = to_headers(event.meta(caller.org_id, caller.actor)) | carry()
        subject = Outside.subject_of(caller.org_id, event.type)
        await edge.bus.store(EXT, subject, body, headers)
    return [TakenIn(id=event.id, type=event.type) for event, _ in events]


async def _require_pipelines(
    edge: Edge, caller: Caller, events: Sequence[tuple[CloudEvent, bytes]]
) -> None:
    """Raise ProblemError 422 for a run of a pipeline that is not there.

    When nobody can say at the moment the event is taken in all the same: it is kept.
    """
    asked = {
        PipelineRun.model_validate_json(body).pipeline_id: event
        for event, body in events
        if event.type == PipelineRun.outside_type()
    }
    for pipeline_id, event in asked.items():
        try:
            await edge.ask(caller, GetPipeline(pipeline_id=pipeline_id))
        except ProblemError as error:
            if error.problem.status == 404:
                said = f"Event '{event.id}': {error.problem.detail}"
                entry = FieldProblem(field="data.pipeline_id", code="not_found", message=said)
                raise problem(422, "unknown_pipeline", said, (entry,)) from error
            if error.problem.status < 500:
                raise
            return
