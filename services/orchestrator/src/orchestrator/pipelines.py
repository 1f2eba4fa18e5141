"""Pipelines in PostgreSQL."""

from uuid import UUID

import asyncpg

from chassis.database import Database, affected, collect, queries
from chassis.paging import after, cursor, name_key
from chassis.shares import require_room
from contracts.orchestrator import (
    CreatePipeline,
    DeletePipeline,
    ListPipelines,
    Pipeline,
    PipelineList,
    ScheduleRule,
    SetTriggers,
    UpdatePipeline,
)
from contracts.problem import ProblemError, not_found, problem
from contracts.shares import PIPELINES
from orchestrator import trigger_rules
from orchestrator.schedules import shown

_queries = queries("orchestrator")


class PipelineStore:
    """The pipelines of all organisations, each behind its organisation's row-level security."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, org_id: UUID, request: CreatePipeline) -> Pipeline:
        """Insert once; a repeat of the same request gives the same pipeline.

        Raises problems 409 `name_taken`, `too_many_pipelines` and 422 `idempotency_mismatch`.
        """
        digest = request.digest()
        async with self._database.organization(org_id) as connection:
            await _queries.lock_pipelines(connection, org_id=org_id)
            if await _queries.get_pipeline(connection, pipeline_id=request.pipeline_id) is None:
                held = await _queries.count_pipelines(connection)
                require_room(PIPELINES, held, "Delete one that is not needed any more.")
            try:
                await _queries.insert_pipeline(
                    connection,
                    pipeline_id=request.pipeline_id,
                    org_id=org_id,
                    name=request.name,
                    name_key=name_key(request.name),
                    source_ids=list(request.source_ids),
                    transformation_ids=list(request.transformation_ids),
                    digest=digest,
                )
            except asyncpg.UniqueViolationError as error:
                raise _name_taken(request.name) from error
            row = await _queries.get_pipeline(connection, pipeline_id=request.pipeline_id)
        if row is None:
            # The id is another organisation's: to this one it does not exist.
            raise not_found("pipeline", request.pipeline_id)
        if row["digest"] != digest:
            raise problem(
                422,
                "idempotency_mismatch",
                "This Idempotency-Key was used for another pipeline. Use a new key.",
            )
        return _pipeline(row)

    async def get(self, org_id: UUID, pipeline_id: UUID) -> Pipeline:
        """One pipeline; raises a 404 problem."""
        async with self._database.organization(org_id) as connection:
            row = await _queries.get_pipeline(connection, pipeline_id=pipeline_id)
        if row is None:
            raise not_found("pipeline", pipeline_id)
        return _pipeline(row)

    async def list(self, org_id: UUID, request: ListPipelines) -> PipelineList:
        """A page of pipelines, by name."""
        (after_key,) = after(request.cursor, str)
        async with self._database.organization(org_id) as connection:
            rows = await collect(
                _queries.list_pipelines(connection, after_key=after_key, page=request.limit + 1)
            )
        page = rows[: request.limit]
        more = len(rows) > request.limit
        return PipelineList(
            pipelines=tuple(_pipeline(row) for row in page),
            next_cursor=cursor(page[-1]["name_key"]) if more else None,
        )

    async def update(self, org_id: UUID, request: UpdatePipeline) -> Pipeline:
        """Change what is given; raises problems 404, 409 `name_taken` and 412."""
        async with self._database.organization(org_id) as connection:
            try:
                status = await _queries.update_pipeline(
                    connection,
                    pipeline_id=request.pipeline_id,
                    if_revision=request.if_revision,
                    name=request.name,
                    name_key=name_key(request.name) if request.name else None,
                    source_ids=_ids(request.source_ids),
                    transformation_ids=_ids(request.transformation_ids),
                )
            except asyncpg.UniqueViolationError as error:
                raise _name_taken(request.name or "") from error
            row = await _queries.get_pipeline(connection, pipeline_id=request.pipeline_id)
        if row is None:
            raise not_found("pipeline", request.pipeline_id)
        if affected(status) == 0:
            raise _changed(row["revision"])
        return _pipeline(row)

    async def set_triggers(self, org_id: UUID, request: SetTriggers) -> Pipeline:
        """Say what sets a pipeline off; raises problems 404, 412 and 422."""
        pipeline_id = request.pipeline_id
        async with self._database.organization(org_id) as connection:
            await _queries.lock_triggers(connection, org_id=org_id)
            status = await _queries.update_pipeline(
                connection,
                pipeline_id=pipeline_id,
                if_revision=request.if_revision,
                name=None,
                name_key=None,
                source_ids=None,
                transformation_ids=None,
            )
            row = await _queries.get_pipeline(connection, pipeline_id=pipeline_id)
            if row is None:
                raise not_found("pipeline", pipeline_id)
            if affected(status) == 0:
                raise _changed(row["revision"])
            await trigger_rules.keep(connection, org_id, row, request.triggers)
            row = await _queries.get_pipeline(connection, pipeline_id=pipeline_id)
        return _pipeline(row)

    async def delete(self, org_id: UUID, request: DeletePipeline) -> None:
        """Delete; raises problems 404 and 412. Its runs stay in the history."""
        async with self._database.organization(org_id) as connection:
            status = await _queries.delete_pipeline(
                connection, pipeline_id=request.pipeline_id, if_revision=request.if_revision
            )
            if affected(status) == 1:
                return
            row = await _queries.get_pipeline(connection, pipeline_id=request.pipeline_id)
        if row is None:
            raise not_found("pipeline", request.pipeline_id)
        raise _changed(row["revision"])

    async def using(self, org_id: UUID, target_id: UUID) -> tuple[str, ...]:
        """Names of the pipelines that run a source or a transformation."""
        async with self._database.organization(org_id) as connection:
            rows = await collect(_queries.pipelines_using(connection, target_id=target_id))
        return tuple(row["name"] for row in rows)


def _pipeline(row: asyncpg.Record) -> Pipeline:
    rule = row["rule"] and ScheduleRule.model_validate(row["rule"])
    schedule = rule and shown(rule, row["next_run_at"])
    triggers = tuple(trigger_rules.kept(trigger) for trigger in row["triggers"])
    return Pipeline.model_validate({**row, "schedule": schedule, "triggers": triggers})


def _ids(ids: tuple[UUID, ...] | None) -> list[UUID] | None:
    return None if ids is None else list(ids)


def _name_taken(name: str) -> ProblemError:
    return problem(409, "name_taken", f"There is a pipeline '{name}' already. Choose another name.")


def _changed(revision: int) -> ProblemError:
    return problem(
        412,
        "changed_meanwhile",
        f"The pipeline was changed by somebody else (revision {revision} now). "
        "Load it again and repeat your change.",
    )
