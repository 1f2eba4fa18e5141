"""When pipelines run by themselves."""

from datetime import time
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import BeforeValidator, Field, WithJsonSchema

from contracts.auth import GetOrganization
from contracts.orchestrator import (
    Firing,
    Frequency,
    ListFirings,
    Overlap,
    Schedule,
    ScheduleRule,
    SetSchedule,
)
from contracts.text import ShortText
from gateway.conventions import Body, Limit
from gateway.edge import EdgeDep, Editor, Reader

router = APIRouter(prefix="/pipelines/{pipeline_id}", tags=["pipelines"])


def _clock(said: object) -> object:
    if isinstance(said, str) and len(said) == len("06:00"):
        return said
    raise ValueError("A time of day is written HH:MM. Example: 06:00")


Clock = Annotated[
    time,
    BeforeValidator(_clock),
    WithJsonSchema({"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"}),
]


class ScheduleBody(Body):
    """When the pipeline is to run; what a frequency does not need is ignored."""

    frequency: Frequency
    run_at: Clock | None = None
    """HH:MM, local; of `hourly` its minute counts."""
    day_of_week: Annotated[int | None, Field(ge=0, le=6)] = None
    """0 is Monday."""
    cron: Annotated[ShortText, Field(max_length=200)] | None = None
    """Minute, hour, day of month, month, day of week."""
    timezone: Annotated[ShortText, Field(max_length=100)] | None = None
    """IANA name; the organisation's by default."""
    is_active: bool = True
    """False: paused. What is due meanwhile is not made up for."""
    overlap: Overlap = "skip"
    """What becomes of a time that comes while the pipeline still runs."""
    grace_minutes: Annotated[int, Field(ge=0, le=7 * 24 * 60)] = 60
    """How late a missed time is still made up for: the latest one, once."""


@router.put("/schedule")
async def set_schedule(
    pipeline_id: UUID, body: ScheduleBody, edge: EdgeDep, caller: Editor
) -> Schedule:
    """Say when the pipeline runs by itself; the answer tells its next five times (UTC)."""
    zone = body.timezone
    if zone is None:
        zone = (await edge.ask(caller, GetOrganization())).timezone
    rule = ScheduleRule.model_validate(body.model_dump() | {"timezone": zone})
    return await edge.ask(caller, SetSchedule(pipeline_id=pipeline_id, rule=rule))


@router.get("/firings")
async def firings(
    pipeline_id: UUID, edge: EdgeDep, caller: Reader, limit: Limit = 50
) -> list[Firing]:
    """The last times at which it was due or set off, and what came of each, newest first."""
    answer = await edge.ask(caller, ListFirings(pipeline_id=pipeline_id, limit=limit))
    return list(answer.firings)
