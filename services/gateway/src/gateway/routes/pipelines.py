"""Pipelines: sources and transformations that run together."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field

from contracts.orchestrator import (
    CreatePipeline,
    DeletePipeline,
    GetPipeline,
    ListPipelines,
    Pipeline,
    Run,
    UpdatePipeline,
)
from contracts.problem import ProblemError
from contracts.text import Name
from gateway.answers import sends
from gateway.conventions import (
    Body,
    Cursor,
    IdempotencyKey,
    IfMatch,
    Limit,
    link_next,
    mint,
    tag,
)
from gateway.edge import EdgeDep, Editor, Reader, Runner
from gateway.members import check_members, still_there
from gateway.run_filters import PipelineRunsFilters, asked_of
from gateway.runs import STARTED, Starting, start_run

router = APIRouter(prefix="/pipelines", tags=["pipelines"])

Ids = Annotated[tuple[UUID, ...], Field(max_length=500)]


class PipelineBody(Body):
    """What runs together; the order follows from what the recipes read."""

    name: Name
    source_ids: Ids = ()
    transformation_ids: Ids = ()


class PipelineChange(Body):
    """What is to be different; an absent field stays as it is."""

    name: Name | None = None
    source_ids: Ids | None = None
    transformation_ids: Ids | None = None


@router.get("", responses=sends(200, "Link"))
async def index(
    request: Request,
    response: Response,
    edge: EdgeDep,
    caller: Reader,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> list[Pipeline]:
    """The organisation's pipelines, by name."""
    page = await edge.ask(caller, ListPipelines(limit=limit, cursor=cursor))
    link_next(request, response, page.next_cursor)
    return list(page.pipelines)


@router.post("", status_code=201, responses=sends(201, "ETag", "Location"))
async def create(
    body: PipelineBody,
    response: Response,
    edge: EdgeDep,
    caller: Editor,
    idempotency_key: IdempotencyKey = None,
) -> Pipeline:
    """Keep a pipeline; 422 names a member that is not there, or misses what it reads."""
    await check_members(edge, caller, body.source_ids, body.transformation_ids)
    asked = CreatePipeline(
        pipeline_id=mint(caller, "pipelines", idempotency_key),
        name=body.name,
        source_ids=body.source_ids,
        transformation_ids=body.transformation_ids,
    )
    pipeline = await edge.ask(caller, asked)
    try:
        await still_there(edge, caller, pipeline)
    except ProblemError:
        undone = DeletePipeline(pipeline_id=pipeline.id, if_revision=pipeline.revision)
        await edge.ask(caller, undone)
        raise
    response.headers["Location"] = f"/api/v1/pipelines/{pipeline.id}"
    tag(response, pipeline.revision)
    return pipeline


@router.get("/{pipeline_id}", responses=sends(200, "ETag"))
async def show(pipeline_id: UUID, response: Response, edge: EdgeDep, caller: Reader) -> Pipeline:
    """One pipeline."""
    pipeline = await edge.ask(caller, GetPipeline(pipeline_id=pipeline_id))
    tag(response, pipeline.revision)
    return pipeline


@router.patch("/{pipeline_id}", responses=sends(200, "ETag"))
async def update(
    pipeline_id: UUID,
    body: PipelineChange,
    response: Response,
    edge: EdgeDep,
    caller: Editor,
    if_match: IfMatch,
) -> Pipeline:
    """Rename a pipeline or change its members."""
    known = None
    if body.source_ids is not None or body.transformation_ids is not None:
        known = await edge.ask(caller, GetPipeline(pipeline_id=pipeline_id))
        sources = known.source_ids if body.source_ids is None else body.source_ids
        recipes = (
            known.transformation_ids if body.transformation_ids is None else body.transformation_ids
        )
        await check_members(edge, caller, sources, recipes)
    asked = UpdatePipeline(
        pipeline_id=pipeline_id,
        if_revision=if_match,
        name=body.name,
        source_ids=body.source_ids,
        transformation_ids=body.transformation_ids,
    )
    pipeline = await edge.ask(caller, asked)
    if known is not None:
        try:
            await still_there(edge, caller, pipeline)
        except ProblemError:
            undone = UpdatePipeline(
                pipeline_id=pipeline_id,
                if_revision=pipeline.revision,
                source_ids=known.source_ids,
                transformation_ids=known.transformation_ids,
            )
            await edge.ask(caller, undone)
            raise
    tag(response, pipeline.revision)
    return pipeline


@router.delete("/{pipeline_id}", status_code=204)
async def delete(pipeline_id: UUID, edge: EdgeDep, caller: Editor, if_match: IfMatch) -> None:
    """Delete a pipeline; its runs stay in the history."""
    await edge.ask(caller, DeletePipeline(pipeline_id=pipeline_id, if_revision=if_match))


@router.post("/{pipeline_id}/run", status_code=202, responses=STARTED)
async def run(
    pipeline_id: UUID, response: Response, edge: EdgeDep, caller: Runner, options: Starting
) -> Run:
    """Sync the sources, build the transformations, publish all of it at once."""
    pipeline = await edge.ask(caller, GetPipeline(pipeline_id=pipeline_id))
    return await start_run(
        edge,
        caller,
        response,
        options,
        f"pipelines/{pipeline_id}/run",
        kind="pipeline",
        pipeline_id=pipeline.id,
        source_ids=pipeline.source_ids,
        transformation_ids=pipeline.transformation_ids,
    )


@router.get("/{pipeline_id}/runs", responses=sends(200, "Link"))
async def runs(
    pipeline_id: UUID,
    request: Request,
    response: Response,
    edge: EdgeDep,
    caller: Reader,
    filters: PipelineRunsFilters,
) -> list[Run]:
    """The pipeline's runs, newest first: those that fit every filter."""
    page = await edge.ask(caller, asked_of(filters, pipeline_id))
    link_next(request, response, page.next_cursor)
    return list(page.runs)
