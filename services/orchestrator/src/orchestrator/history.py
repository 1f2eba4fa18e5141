"""What ran: lists of runs, what happened to one, and how its attempts went."""

from datetime import datetime
from typing import TypeVar
from uuid import UUID

from asyncpg import Record
from pydantic import BaseModel

from chassis.answers import MAX_REPLY
from chassis.database import Connection, Database, collect, queries
from chassis.paging import after, cursor
from contracts.orchestrator import (
    ListRuns,
    Run,
    RunEvent,
    RunEvents,
    RunList,
    RunStatus,
    RunTimeline,
)
from contracts.problem import not_found
from orchestrator.timeline import attempts

T = TypeVar("T", bound=BaseModel)

_MOST_EVENTS = 1000
_ROOM = MAX_REPLY * 9 // 10
"""Bytes of a page; a long run's steps alone are some hundred thousand."""

_queries = queries("orchestrator")


class History:
    """Reads what the store has written, for people."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self, org_id: UUID, asked: ListRuns) -> RunList:
        """A page of runs, newest first; raises a 400 problem for a cursor that is none of ours."""
        async with self._database.organization(org_id) as connection:
            rows = await _listed(connection, asked)
        runs = [Run.model_validate(row["run"]) for row in rows[: asked.limit]]
        page = _that_fit(runs)
        following = None
        if len(page) < len(rows):
            last = rows[len(page) - 1]
            following = cursor(last["created_at"].isoformat(), last["id"])
        return RunList(runs=tuple(page), next_cursor=following)

    async def events(self, org_id: UUID, run_id: UUID, after_version: int) -> RunEvents:
        """What happened to a run after a version; raises a 404 problem."""
        async with self._database.organization(org_id) as connection:
            await _require(connection, run_id)
            rows = await collect(
                _queries.list_run_events(
                    connection, run_id=run_id, after_version=after_version, page=_MOST_EVENTS + 1
                )
            )
        events = [RunEvent.model_validate(dict(row)) for row in rows[:_MOST_EVENTS]]
        page = _that_fit(events)
        return RunEvents(events=tuple(page), more=len(page) < len(rows))

    async def timeline(self, org_id: UUID, run_id: UUID) -> RunTimeline:
        """How a run went, attempt by attempt; raises a 404 problem."""
        async with self._database.organization(org_id) as connection:
            status = await _require(connection, run_id)
            rows = await collect(
                _queries.list_run_events(connection, run_id=run_id, after_version=0, page=None)
            )
        events = [RunEvent.model_validate(dict(row)) for row in rows]
        return RunTimeline(run_id=run_id, attempts=attempts(events, status))


async def _listed(connection: Connection, asked: ListRuns) -> list[Record]:
    before_time, before_id = after(asked.cursor, datetime, UUID)
    statuses = {*asked.statuses, *([asked.status] if asked.status else [])}
    # A plan for all filters is a good one for none of them.
    await _queries.plan_each_time(connection)
    return await collect(
        _queries.list_runs(
            connection,
            pipeline_id=asked.pipeline_id,
            statuses=sorted(statuses) or None,
            kinds=list(asked.kinds) or None,
            triggers=list(asked.triggers) or None,
            source_id=asked.source_id,
            transformation_id=asked.transformation_id,
            created_after=asked.created_after,
            created_before=asked.created_before,
            before_time=before_time,
            before_id=before_id,
            page=asked.limit + 1,
        )
    )


async def _require(connection: Connection, run_id: UUID) -> RunStatus:
    """The status of a run; raises a 404 problem."""
    status = await _queries.status_of_run(connection, run_id=run_id)
    if status is None:
        raise not_found("run", run_id)
    return status


def _that_fit(items: list[T]) -> list[T]:
    """The first of the items that one answer has room for: one at least."""
    room = _ROOM
    for number, item in enumerate(items):
        room -= len(item.model_dump_json())
        if room < 0 and number:
            return items[:number]
    return items
