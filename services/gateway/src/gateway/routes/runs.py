"""Runs: everything that changes data, and how it goes."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Request, Response

from contracts.orchestrator import GetRun, GetRunTimeline, Run, RunTimeline
from contracts.text import MAX_INTEGER, Count
from gateway.answers import sends
from gateway.conventions import link_next, tag
from gateway.edge import EdgeDep, Reader, Runner
from gateway.run_filters import RunsFilters, asked_of
from gateway.runs import cancel_run, retry_run
from gateway.stream import EventStream, follow_organization, follow_run

router = APIRouter(tags=["runs"])

LastEventId = Annotated[
    Count, Header(alias="Last-Event-ID", description="Version of the last event seen.")
]


Position = Annotated[
    int | None,
    Header(
        alias="Last-Event-ID", ge=0, le=MAX_INTEGER, description="The `id` of the last event seen."
    ),
]


@router.get("/runs", responses=sends(200, "Link"))
async def index(
    request: Request, response: Response, edge: EdgeDep, caller: Reader, filters: RunsFilters
) -> list[Run]:
    """The organisation's runs, newest first: those that fit every filter."""
    page = await edge.ask(caller, asked_of(filters))
    link_next(request, response, page.next_cursor)
    return list(page.runs)


@router.get("/runs/{run_id}", responses=sends(200, "ETag"))
async def show(run_id: UUID, response: Response, edge: EdgeDep, caller: Reader) -> Run:
    """One run with its steps."""
    run = await edge.ask(caller, GetRun(run_id=run_id))
    tag(response, run.version)
    return run


@router.get("/runs/{run_id}/timeline")
async def timeline(run_id: UUID, edge: EdgeDep, caller: Reader) -> RunTimeline:
    """How the run went: its attempts, their steps, and how long each of them waited and took."""
    return await edge.ask(caller, GetRunTimeline(run_id=run_id))


@router.post("/runs/{run_id}/cancel", responses={202: {"model": Run}})
async def cancel(run_id: UUID, response: Response, edge: EdgeDep, caller: Runner) -> Run:
    """Stop a run: 202 while it stops, 200 when it has ended already."""
    return await cancel_run(edge, caller, response, run_id)


@router.post("/runs/{run_id}/retry", status_code=202)
async def retry(run_id: UUID, edge: EdgeDep, caller: Runner) -> Run:
    """Begin a run that failed or was cancelled again: what went well is kept, the rest is done anew.

    409 says why it cannot be: it has not ended, newer data was published, or its data is gone.
    """
    return await retry_run(edge, caller, run_id)


@router.get("/runs/{run_id}/events", response_class=EventStream)
async def events(
    run_id: UUID, edge: EdgeDep, caller: Reader, last_event_id: LastEventId = 0
) -> EventStream:
    """What happened to the run, then what happens, until its end.

    Each event's `id` is the run's version and its `data` a RunEvent; `progress` has no id and is
    not repeated. The stream ends with the run, or with the access token.
    """
    return await follow_run(edge, caller, run_id, last_event_id)


@router.get("/events/stream", response_class=EventStream)
async def organization_events(
    edge: EdgeDep, caller: Reader, last_event_id: Position = None
) -> EventStream:
    """What happens to all of the organisation's runs: after the last event seen, or from now on.

    Each event comes once and in order, also after a lost connection: its `id` is a position, to
    be given back as it is. First comes `listening` with `complete`: false when the position is too
    old (14 days), so that events are missing and the lists must be read anew. `progress` has no id
    and is not repeated. The stream ends with the access token.
    """
    return await follow_organization(edge, caller, last_event_id)
