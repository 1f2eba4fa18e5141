"""What comes of news that set pipelines off: a run of each, or the reason why not.

All of it happens in the transaction in which the news are dealt with, under ids that follow from
them: they can neither get lost on the way to a run nor start a second one.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from asyncpg import Record

from chassis.database import Connection, affected, collect, queries
from chassis.telemetry import log
from contracts.envelope import derived_id
from contracts.orchestrator import Cause, Overlap, StartRun, Trigger
from orchestrator.commands import changed
from orchestrator.domain import RunState

_queries = queries("orchestrator")


@dataclass(frozen=True)
class News:
    """Something that happened, and who is behind it."""

    id: UUID
    """Of the run that succeeded, or of the message that told."""
    cause: Cause
    actor: str


@dataclass(frozen=True)
class Follower:
    """A pipeline that news set off, held until the transaction ends."""

    pipeline_id: UUID
    source_ids: tuple[UUID, ...]
    transformation_ids: tuple[UUID, ...]
    overlap: Overlap

    @property
    def writes(self) -> list[UUID]:
        """Ids of the tables that a run of it would write."""
        return [*self.source_ids, *self.transformation_ids]


async def followers(rows: AsyncIterator[Record]) -> list[Follower]:
    """The pipelines in the rows of a query, in its order."""
    return [
        Follower(
            pipeline_id=row["pipeline_id"],
            source_ids=tuple(row["source_ids"]),
            transformation_ids=tuple(row["transformation_ids"]),
            overlap=row["overlap"],
        )
        for row in await collect(rows)
    ]


async def followers_of(connection: Connection, state: RunState) -> list[Follower]:
    """The pipelines that a run which has ended sets off."""
    if state.status != "succeeded" or state.kind != "pipeline":
        return []
    rows = _queries.followers_of(
        connection, pipeline_id=state.pipeline_id, has_published=bool(changed(state))
    )
    return await followers(rows)


def success(state: RunState) -> News:
    """A run that succeeded, as news."""
    cause = Cause(type="pipeline", pipeline_id=state.pipeline_id, run_id=state.run_id)
    return News(state.run_id, cause, state.trigger.actor)


async def decide(
    connection: Connection, org_id: UUID, follower: Follower, news: News, at: datetime
) -> StartRun | None:
    """Record what comes of news for a pipeline; the run to start, if one is and was not before."""
    reason = await _overlaps(connection, follower)
    run_id = None if reason else derived_id(follower.pipeline_id, "caused", news.id)
    status = await _queries.insert_caused_firing(
        connection,
        pipeline_id=follower.pipeline_id,
        org_id=org_id,
        caused_by=news.id,
        cause=news.cause.model_dump(mode="json", exclude_none=True),
        run_id=run_id,
        reason=reason,
        at=at,
    )
    if affected(status) == 0:
        return None
    log.info(
        "pipeline_set_off",
        pipeline_id=str(follower.pipeline_id),
        cause=news.cause.type,
        run_id=str(run_id) if run_id else None,
        reason=reason,
    )
    if run_id is None:
        return None
    return StartRun(
        run_id=run_id,
        run_kind="pipeline",
        pipeline_id=follower.pipeline_id,
        source_ids=follower.source_ids,
        transformation_ids=follower.transformation_ids,
        trigger=Trigger(type="event", actor=news.actor, caused_by=news.cause),
    )


async def _overlaps(connection: Connection, follower: Follower) -> str | None:
    row = await _queries.open_work_of(
        connection, pipeline_id=follower.pipeline_id, writes=follower.writes
    )
    if row["waiting"]:
        return "skipped: a run is waiting already"
    if row["runs"] and follower.overlap == "skip":
        return "skipped: the run before has not ended"
    return None
