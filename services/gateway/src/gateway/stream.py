"""Server-sent events: of a run from any version on to its end, or of a whole organisation."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    aclosing,
    asynccontextmanager,
    contextmanager,
    nullcontext,
)
from datetime import UTC, datetime
from uuid import UUID

from fastapi.sse import format_sse_event
from nats.errors import Error as NatsError
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from chassis.telemetry import log
from contracts.orchestrator import GetRun, ListRunEvents, RunEvent, RunEvents
from contracts.problem import ProblemError, problem
from contracts.shares import LIVE_STREAMS, LIVE_STREAMS_OF_PERSON
from gateway.auth import Caller
from gateway.edge import Edge
from gateway.fanout import Closed, Gap, Listener, Placed, Tick
from gateway.replay import Bounds, bounds, replay

ENDED = frozenset({"succeeded", "failed", "cancelled"})
"""A run's status after which nothing more happens to it, unless it is retried."""

_LAST = frozenset({"run_succeeded", "run_failed", "run_cancelled"})
_HEARTBEAT = 15.0
"""Seconds of silence after which a comment shows that the line still stands."""


class EventStream(StreamingResponse):
    """Server-sent events, passed on as they come by proxies that honour it."""

    media_type = "text/event-stream"

    def __init__(
        self,
        events: AsyncIterator[bytes],
        status_code: int = 200,
        slot: AbstractAsyncContextManager[None] | None = None,
    ) -> None:
        """`slot` is held while the stream is open; a ProblemError of it is the answer."""
        headers = {"Cache-Control": "no-cache, no-store", "X-Accel-Buffering": "no"}
        super().__init__(events, status_code, headers)
        self._slot = slot or nullcontext()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        async with self._slot:
            await super().__call__(scope, receive, send)


async def follow_run(edge: Edge, caller: Caller, run_id: UUID, after: int) -> EventStream:
    """What happened to a run after a version, then what happens, until its end.

    Raises ProblemError 404 before anything is sent; the response raises 429.
    """
    run = await edge.ask(caller, GetRun(run_id=run_id))
    if run.status in ENDED and run.version <= after:
        return EventStream(_nothing_more())
    return EventStream(_run_events(edge, caller, run_id, after), slot=_slot(edge, caller))


async def follow_organization(edge: Edge, caller: Caller, seen: int | None) -> EventStream:
    """Everything that happens to the organisation's runs after a position, or from now on.

    Raises ProblemError 503 while the bus is away.
    """
    try:
        begin = await bounds(edge.bus, caller.org_id, seen)
    except (NatsError, TimeoutError) as error:
        raise problem(
            503, "bus_unavailable", "The message bus does not answer. Try again shortly."
        ) from error
    return EventStream(_organization_events(edge, caller, begin), slot=_slot(edge, caller))


@asynccontextmanager
async def _slot(edge: Edge, caller: Caller) -> AsyncIterator[None]:
    """One of the streams that a user and their organisation may have open; raises ProblemError 429."""
    async with (
        edge.shares.of(LIVE_STREAMS_OF_PERSON).slot(caller.user_id),
        edge.shares.of(LIVE_STREAMS).slot(caller.org_id),
    ):
        yield


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
            missing = heard is None or isinstance(heard, Gap)
            if heard is None:
                yield _heartbeat()
            elif isinstance(heard, Tick):
                yield _encode(heard)
            elif not isinstance(heard, RunEvent):
                continue
            elif heard.version == seen + 1:
                seen = heard.version
                yield _encode(heard, id=str(seen))
                if heard.type in _LAST:
                    return
            else:
                missing = heard.version > seen


async def _organization_events(edge: Edge, caller: Caller, begin: Bounds) -> AsyncIterator[bytes]:
    """Events come from the stream, where each has its position; only progress is heard live."""
    with edge.fanout.listen(caller.org_id) as listener:
        told = json.dumps({"complete": begin.is_complete})
        yield format_sse_event(data_str=told, event="listening", id=str(begin.after))
        with _replayed(edge, caller, begin, listener):
            while (left := _left(caller)) > 0:
                try:
                    heard = await listener.next(min(_HEARTBEAT, left))
                except Closed:
                    return
                if heard is None:
                    yield _heartbeat()
                elif isinstance(heard, Placed):
                    yield _encode(heard.event, id=str(heard.position))
                elif isinstance(heard, Tick):
                    yield _encode(heard)


@contextmanager
def _replayed(edge: Edge, caller: Caller, begin: Bounds, listener: Listener) -> Iterator[None]:
    """Give a listener the events as it has room for them, while the context lasts."""

    async def pass_on() -> None:
        try:
            async with aclosing(replay(edge.bus, caller.org_id, begin.after)) as events:
                async for event in events:
                    await listener.put(event)
        except Exception:
            log.exception("replay_failed")
        # The reader comes back, and goes on where it is.
        listener.close()

    passing = asyncio.create_task(pass_on())
    try:
        yield
    finally:
        passing.cancel()


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


def _encode(heard: RunEvent | Tick, id: str | None = None) -> bytes:
    if isinstance(heard, RunEvent):
        return format_sse_event(data_str=heard.model_dump_json(), event=heard.type, id=id)
    data = json.dumps({"run_id": str(heard.key), "data": heard.data})
    return format_sse_event(data_str=data, event="progress")


def _heartbeat() -> bytes:
    # No blank line after it: some readers take that for an event without data.
    return b": here\n"
