"""A pipeline's members, checked with their owners before the pipeline is kept."""

import asyncio
from uuid import UUID

from contracts.ingest import PlanSources
from contracts.orchestrator import Pipeline
from contracts.problem import FieldProblem, ProblemError, problem
from contracts.transform import PlanTransformations
from gateway.auth import Caller
from gateway.edge import Edge

_LOOKS, _BETWEEN = 50, 0.1
"""How often, and seconds between: a delete takes milliseconds."""


async def check_members(
    edge: Edge,
    caller: Caller,
    source_ids: tuple[UUID, ...],
    transformation_ids: tuple[UUID, ...],
) -> None:
    """Raise ProblemError 422 naming what is not there, or what a recipe reads and never existed.

    A recipe may read what the pipeline's own sources and recipes write, and what is published.
    """
    tables: tuple[UUID, ...] = ()
    if source_ids:
        try:
            plan = await edge.ask(caller, PlanSources(source_ids=source_ids))
        except ProblemError as error:
            raise _at("source_ids", error) from error
        tables = plan.table_ids
    if transformation_ids:
        asked = PlanTransformations(transformation_ids=transformation_ids, source_table_ids=tables)
        try:
            await edge.ask(caller, asked)
        except ProblemError as error:
            raise _at("transformation_ids", error) from error


async def still_there(edge: Edge, caller: Caller, pipeline: Pipeline) -> None:
    """Raise ProblemError 422 when a transformation went while the pipeline was being kept.

    Whoever deletes one marks it before asking for pipelines that run it: a pipeline that was kept
    before the mark is seen by them, and one that was kept after it sees the mark, and waits here
    for what comes of it.
    """
    if not pipeline.transformation_ids:
        return
    asked = PlanTransformations(
        transformation_ids=pipeline.transformation_ids, source_table_ids=pipeline.source_ids
    )
    for _ in range(_LOOKS):
        try:
            await edge.ask(caller, asked)
        except ProblemError as error:
            if error.problem.code == "being_deleted":
                await asyncio.sleep(_BETWEEN)
                continue
            if error.problem.status == 404:
                raise _at("transformation_ids", error) from error
        return


def _at(field: str, error: ProblemError) -> ProblemError:
    """The owner's word, as a fault of the field that named the member."""
    said = error.problem
    if said.status >= 500:
        return error
    entry = FieldProblem(field=field, code=said.code, message=said.detail)
    code = "unknown_member" if said.status == 404 else said.code
    return problem(422, code, said.detail, (entry, *said.errors))
