"""Server-sent events: a run from any version on to its end, or a whole organisation from now on."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

from fastapi.sse import format_sse_event
from starlette.responses import StreamingResponse

from contracts.orchestrator import GetRun, ListRunEvents, RunEvent, RunEvents
from contracts.problem import ProblemError
from gateway.auth import Caller
from gateway.edge import Edge
from gateway.fanout import Closed, Heard

ENDED = frozenset({"succeeded", "failed", "cancelled"})
"""A run's status after which nothing more happens to it, unless it is retried."""

_LAST = frozenset({"run_succeeded", "run_failed", "run_cancelled"})
_HEARTBEAT = 15.0
"""Seconds of silence after which a comment shows that the line still stands."""


class EventStream(StreamingResponse):
    """Server-sent events, passed on as they come by proxies that honour it."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncIterator[bytes], status_code: int = 200) -> None:
        headers = {"Cache-Control": "no-cache, no-store", "X-Accel-Buffering": "no"}
        super().__init__(events, status_code, headers)


async def follow_run(edge: Edge, caller: Caller, run_id: UUID, after: int) -> EventStream:
    """What happened to a run after a version, then what happens, until its end.

    Raises ProblemError 404 before anything is sent.
    """
    run = await edge.ask(caller, GetRun(run_id=run_id))
    if run.status in ENDED and run.version <= after:
        return EventStream(_nothing_more())
    return EventStream(_run_events(edge, caller, run_id, after))


def follow_organization(edge: Edge, caller: Caller) -> EventStream:
    """Everything that happens to the organisation's runs from now on."""
    return EventStream(_organization_events(edge, caller))


async def _run_events(edge: Edge, caller: Caller, run_id: UUID, seen: int) -> AsyncIterator[bytes]:
    """Listens before it reads the history, so that nothing falls between the two."""
    with edge.fanout.listen(caller.org_id, run_id) as listener:
        missing = True
        while True:
            if missing:
                told = await _history(edge, caller, run_id, seen)
                for event in told.events:
                    seen = event.version
                    yield _encode(event, id=str(seen))
                if told.more:
                    continue
                # One that ended and was retried since goes on.
                if told.events and told.events[-1].type in _LAST:
                    return
            if (left := _left(caller)) <= 0:
                return
            try:
                heard = await listener.next(min(_HEARTBEAT, left))
            except Closed:
                return
            # Silence is looked into as well: the bus may have dropped an event on a reconnect.
            missing = heard is None
            if heard is None:
                yield _heartbeat()
            elif not isinstance(heard, RunEvent):
                yield _encode(heard)
            elif heard.version == seen + 1:
                seen = heard.version
                yield _encode(heard, id=str(seen))
                if heard.type in _LAST:
                    return
            else:
                missing = heard.version > seen


async def _organization_events(edge: Edge, caller: Caller) -> AsyncIterator[bytes]:
    """Ends when it has lost something: the reader comes back and reads what is there."""
    with edge.fanout.listen(caller.org_id) as listener:
        yield _heartbeat()
        while not listener.has_lost and (left := _left(caller)) > 0:
            try:
                heard = await listener.next(min(_HEARTBEAT, left))
            except Closed:
                return
            yield _heartbeat() if heard is None else _encode(heard)


async def _history(edge: Edge, caller: Caller, run_id: UUID, seen: int) -> RunEvents:
    try:
        return await edge.ask(caller, ListRunEvents(run_id=run_id, after_version=seen))
    except ProblemError:
        # The owner is away for a moment; asked again after the next event or heartbeat.
        return RunEvents(events=())


async def _nothing_more() -> AsyncIterator[bytes]:
    yield _heartbeat()


def _left(caller: Caller) -> float:
    """Seconds until the caller's token expires, and the stream with it."""
    return (caller.expires_at - datetime.now(UTC)).total_seconds()


def _encode(heard: Heard, id: str | None = None) -> bytes:
    if isinstance(heard, RunEvent):
        return format_sse_event(data_str=heard.model_dump_json(), event=heard.type, id=id)
    data = json.dumps({"run_id": str(heard.key), "data": heard.data})
    return format_sse_event(data_str=data, event="progress")


def _heartbeat() -> bytes:
    # No blank line after it: some readers take that for an event without data.
    return b": here\n"
