"""What sets pipelines off, besides their schedules and people."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import Field

from contracts.ingest import GetSource
from contracts.orchestrator import AfterPipeline, OnUpload, Overlap, Pipeline, SetTriggers
from contracts.problem import FieldProblem, ProblemError, problem
from gateway.answers import sends
from gateway.auth import Caller
from gateway.conventions import Body, IfMatch, tag
from gateway.edge import Edge, EdgeDep, Editor

router = APIRouter(prefix="/pipelines/{pipeline_id}", tags=["pipelines"])


class _TriggerBody(Body):
    is_active: bool = True
    """False: paused. What happens meanwhile is not made up for."""
    overlap: Overlap = "queue"
    """What becomes of news that come while the pipeline still runs: it may not have seen them."""


class AfterPipelineBody(_TriggerBody):
    """When another pipeline has succeeded, also when it found nothing new."""

    type: Literal["pipeline"]
    pipeline_id: UUID
    only_if_changed: bool = False
    """Only when it published something."""


class OnUploadBody(_TriggerBody):
    """When a source of the pipeline got a new file."""

    type: Literal["upload"]
    source_id: UUID | None = None
    """Of this source only; without one: of any that the pipeline has by then."""


class TriggersBody(Body):
    """All of them: what does not stand here is no trigger any more."""

    triggers: Annotated[
        tuple[Annotated[AfterPipelineBody | OnUploadBody, Field(discriminator="type")], ...],
        Field(max_length=50),
    ]


@router.put("/triggers", responses=sends(200, "ETag"))
async def set_triggers(
    pipeline_id: UUID,
    body: TriggersBody,
    response: Response,
    edge: EdgeDep,
    caller: Editor,
    if_match: IfMatch,
) -> Pipeline:
    """Say what sets the pipeline off; 422 tells the way of pipelines that would never end."""
    rules: list[AfterPipeline | OnUpload] = []
    for place, given in enumerate(body.triggers):
        if isinstance(given, AfterPipelineBody):
            rules.append(AfterPipeline.model_validate(given.model_dump()))
            continue
        if given.source_id is not None:
            await _require_files(edge, caller, given.source_id, place)
        rules.append(OnUpload.model_validate(given.model_dump()))
    asked = SetTriggers(pipeline_id=pipeline_id, if_revision=if_match, triggers=tuple(rules))
    pipeline = await edge.ask(caller, asked)
    tag(response, pipeline.revision)
    return pipeline


async def _require_files(edge: Edge, caller: Caller, source_id: UUID, place: int) -> None:
    """Raise ProblemError 422 for a source that will never get an upload."""
    field = f"triggers.{place}.source_id"
    try:
        source = await edge.ask(caller, GetSource(source_id=source_id))
    except ProblemError as error:
        if error.problem.status != 404:
            raise
        entry = FieldProblem(field=field, code="not_found", message=error.problem.detail)
        raise problem(422, "unknown_source", error.problem.detail, (entry,)) from error
    if source.source_type != "csv":
        message = f"'{source.name}' is not made of files: nothing is ever uploaded for it."
        entry = FieldProblem(field=field, code="no_files", message=message)
        raise problem(422, "no_files", message, (entry,))
