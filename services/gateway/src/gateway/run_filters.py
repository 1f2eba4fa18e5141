"""What lists of runs are filtered by, as it stands in their query."""

from typing import Annotated
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from contracts.orchestrator import ListRuns, RunKind, RunStatus, TriggerType
from contracts.text import Moment, ShortText


class PipelineRunsQuery(BaseModel):
    """Filters of a pipeline's runs; a name that is none of them is an error, not a silence."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    status: tuple[RunStatus, ...] = Field((), description="May be repeated.")
    trigger: tuple[TriggerType, ...] = Field((), description="Why it began. May be repeated.")
    created_after: Moment | None = Field(
        None, description="At this time or later: 2026-03-01T00:00:00Z."
    )
    created_before: Moment | None = None
    limit: int = Field(50, ge=1, le=500, description="Entries a page, at most.")
    cursor: ShortText | None = Field(None, description="From the `Link` header of the page before.")


class RunsQuery(PipelineRunsQuery):
    """Filters of all runs."""

    kind: tuple[RunKind, ...] = Field((), description="May be repeated.")
    pipeline_id: UUID | None = None
    source_id: UUID | None = Field(None, description="Runs that sync it.")
    transformation_id: UUID | None = Field(None, description="Runs that build it.")


PipelineRunsFilters = Annotated[PipelineRunsQuery, Query()]
RunsFilters = Annotated[RunsQuery, Query()]


def asked_of(filters: PipelineRunsQuery, pipeline_id: UUID | None = None) -> ListRuns:
    """What the owner of runs is asked; `pipeline_id` as the path names it."""
    told = filters.model_dump(exclude={"status", "trigger", "kind"})
    if pipeline_id is not None:
        told["pipeline_id"] = pipeline_id
    kinds = filters.kind if isinstance(filters, RunsQuery) else ()
    return ListRuns(statuses=filters.status, triggers=filters.trigger, kinds=kinds, **told)
