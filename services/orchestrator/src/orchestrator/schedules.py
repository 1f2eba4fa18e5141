"""Schedules of pipelines in PostgreSQL: their rules, the next time, and what came of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chassis.database import Connection, Database, affected, collect, queries
from contracts.orchestrator import Firing, Firings, Schedule, ScheduleRule, SetSchedule
from contracts.problem import not_found
from orchestrator.calendar import check, next_times

SHOWN = 5
_queries = queries("orchestrator")


@dataclass(frozen=True)
class Due:
    """A schedule whose time has come, held until the transaction ends."""

    pipeline_id: UUID
    rule: ScheduleRule
    due: datetime
    source_ids: tuple[UUID, ...]
    transformation_ids: tuple[UUID, ...]


class Schedules:
    """The schedules of all organisations, each behind its organisation's row-level security."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def set(self, org_id: UUID, request: SetSchedule, now: datetime) -> Schedule:
        """Keep a rule; from `now` on it counts. Raises problems 404 and 422."""
        rule = request.rule
        check(rule)
        upcoming = next_times(rule, now) if rule.is_active else ()
        next_run_at = upcoming[0] if upcoming else None
        async with self._database.organization(org_id) as connection:
            if await _queries.lock_pipeline(connection, pipeline_id=request.pipeline_id) is None:
                raise not_found("pipeline", request.pipeline_id)
            await _queries.set_schedule(
                connection,
                pipeline_id=request.pipeline_id,
                org_id=org_id,
                rule=rule.model_dump(mode="json"),
                next_run_at=next_run_at,
            )
        return shown(rule, next_run_at)

    async def firings(self, org_id: UUID, pipeline_id: UUID, limit: int) -> Firings:
        """What came of a pipeline's times and triggers, newest first."""
        async with self._database.organization(org_id) as connection:
            rows = await collect(
                _queries.list_firings(connection, pipeline_id=pipeline_id, page=limit)
            )
        return Firings(firings=tuple(Firing.model_validate(dict(row)) for row in rows))

    async def forget_firings(self) -> None:
        """Drop what nobody looks at any more."""
        async with self._database.system() as connection:
            await _queries.forget_firings(connection)

    async def due(self, now: datetime, batch: int) -> Sequence[tuple[UUID, UUID]]:
        """(pipeline id, organisation id) of schedules whose time has come."""
        async with self._database.system() as connection:
            rows = await collect(_queries.due_schedules(connection, now=now, batch=batch))
        return [(row["pipeline_id"], row["org_id"]) for row in rows]

    async def next_due(self) -> datetime | None:
        """The first time that any schedule comes to."""
        async with self._database.system() as connection:
            return await _queries.next_due(connection)


async def hold(connection: Connection, pipeline_id: UUID, now: datetime) -> Due | None:
    """The schedule, if its time has come and nobody else holds it."""
    row = await _queries.lock_due_schedule(connection, pipeline_id=pipeline_id, now=now)
    if row is None:
        return None
    return Due(
        pipeline_id=pipeline_id,
        rule=ScheduleRule.model_validate(row["rule"]),
        due=row["next_run_at"],
        source_ids=tuple(row["source_ids"]),
        transformation_ids=tuple(row["transformation_ids"]),
    )


async def open_runs(connection: Connection, pipeline_id: UUID) -> list[str]:
    """Status of each run of a pipeline that has not ended."""
    rows = await collect(_queries.open_runs_of(connection, pipeline_id=pipeline_id))
    return [row["status"] for row in rows]


async def record(
    connection: Connection, org_id: UUID, pipeline_id: UUID, firing: Firing, rule: ScheduleRule
) -> bool:
    """Keep what came of a time and when the next is; False when the time was dealt with before."""
    upcoming = next_times(rule, firing.at)
    await _queries.set_next_run(
        connection, pipeline_id=pipeline_id, next_run_at=upcoming[0] if upcoming else None
    )
    status = await _queries.insert_firing(
        connection,
        pipeline_id=pipeline_id,
        org_id=org_id,
        **firing.model_dump(exclude={"cause"}),
    )
    return affected(status) == 1


def shown(rule: ScheduleRule, next_run_at: datetime | None) -> Schedule:
    """A schedule as people see it."""
    following = (
        (next_run_at, *next_times(rule, next_run_at, SHOWN - 1)) if next_run_at is not None else ()
    )
    return Schedule(
        frequency=rule.frequency,
        run_at_time=rule.run_at,
        run_at_day=rule.day_of_week,
        cron=rule.cron,
        timezone=rule.timezone,
        is_active=rule.is_active,
        overlap=rule.overlap,
        grace_minutes=rule.grace_minutes,
        next_run_at=next_run_at,
        next_runs=following,
    )
