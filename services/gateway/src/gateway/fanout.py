"""Live events in memory: one subscription a replica, handed to everyone who listens."""

import asyncio
import contextlib
import json
from collections.abc import Container, Iterator
from dataclasses import dataclass
from uuid import UUID

from nats.aio.msg import Msg

from chassis.bus import Bus
from chassis.telemetry import log
from contracts.envelope import MalformedMessage, from_body, from_headers
from contracts.message import Event, lookup
from contracts.orchestrator import RunEvent

_ROOM = 1000
"""Events that a slow listener may be behind before it loses some."""


@dataclass(frozen=True)
class Tick:
    """Progress that nobody stores; `key` is the id of the run it belongs to."""

    key: UUID
    data: object


@dataclass(frozen=True)
class Gap:
    """The line to the bus was cut: events may have been missed."""


@dataclass(frozen=True)
class Placed:
    """An event, and its position in the stream: grows from event to event, with gaps."""

    position: int
    event: RunEvent


Heard = RunEvent | Tick | Gap | Placed


class Closed(Exception):
    """The gateway stops; whoever follows may come back to another replica."""


class Listener:
    """The events of one organisation, or of one of its runs, from now on."""

    def __init__(self, run_id: UUID | None) -> None:
        self.has_lost = False
        """Whether there was no room for an event once."""
        self._run_id = run_id
        self._queue: asyncio.Queue[Heard | None] = asyncio.Queue(_ROOM)

    async def next(self, timeout: float) -> Heard | None:
        """The next event, None after `timeout` seconds without one; raises Closed."""
        try:
            async with asyncio.timeout(timeout):
                heard = await self._queue.get()
        except TimeoutError:
            return None
        if heard is None:
            raise Closed
        return heard

    def offer(self, heard: Heard) -> None:
        """Take an event, if it is for this listener and there is room."""
        if self._run_id not in (None, _run_of(heard)) and not isinstance(heard, Gap):
            return
        try:
            self._queue.put_nowait(heard)
        except asyncio.QueueFull:
            self.has_lost = True

    async def put(self, heard: Heard) -> None:
        """Take an event once there is room."""
        await self._queue.put(heard)

    def close(self) -> None:
        """Wake the listener for the last time; what it has not read yet is dropped."""
        while not self._queue.empty():
            self._queue.get_nowait()
        self._queue.put_nowait(None)


class Fanout:
    """All listeners of this replica, by organisation."""

    def __init__(self) -> None:
        self._listeners: dict[UUID, set[Listener]] = {}

    async def start(self, bus: Bus) -> None:
        """Subscribe, once for the process."""
        bus.when_reconnected(self._tell_gap)
        await bus.watch("evt.*.orchestrator.>", self._hear_event)
        await bus.watch("tick.>", self._hear_tick)

    @contextlib.contextmanager
    def listen(self, org_id: UUID, run_id: UUID | None = None) -> Iterator[Listener]:
        """Hear what is said in an organisation, or of one run, while the context lasts."""
        listener = Listener(run_id)
        self._listeners.setdefault(org_id, set()).add(listener)
        try:
            yield listener
        finally:
            self._listeners[org_id].discard(listener)
            if not self._listeners[org_id]:
                del self._listeners[org_id]

    def close(self) -> None:
        """End all streams, so that the process can stop without cutting them."""
        for listeners in self._listeners.values():
            for listener in listeners:
                listener.close()

    def hand_out(self, org_id: UUID, heard: Heard) -> None:
        """Give an event to the listeners of its organisation."""
        for listener in self._listeners.get(org_id, ()):
            listener.offer(heard)

    def _tell_gap(self) -> None:
        for org_id in self._listeners:
            self.hand_out(org_id, Gap())

    async def _hear_event(self, message: Msg) -> None:
        heard = run_event_of(message, only=self._listeners)
        if heard is not None:
            self.hand_out(*heard)

    async def _hear_tick(self, message: Msg) -> None:
        try:
            _, org, _, key = message.subject.split(".")
            org_id = UUID(hex=org)
            if org_id not in self._listeners:
                return
            tick = Tick(UUID(hex=key), json.loads(message.data))
        except ValueError:
            log.warning("tick_not_understood", subject=message.subject)
            return
        self.hand_out(org_id, tick)


def _run_of(heard: Heard) -> UUID | None:
    if isinstance(heard, RunEvent):
        return heard.run_id
    return heard.key if isinstance(heard, Tick) else None


def run_event_of(message: Msg, only: Container[UUID] | None = None) -> tuple[UUID, RunEvent] | None:
    """The organisation and the run event that a message tells, unless it tells something else.

    `only`: the organisations whose events are wanted; others are not read.
    """
    try:
        meta = from_headers(message.headers, message.subject)
        kind = lookup(meta.type)
        if kind is None or not issubclass(kind, Event) or meta.org_id is None:
            return None
        if only is not None and meta.org_id not in only:
            return None
        body = from_body(kind, message.data).model_dump(mode="json")
    except MalformedMessage as error:
        log.warning("event_not_understood", subject=message.subject, error=str(error))
        return None
    if "run_id" not in body or "version" not in body:
        return None
    event = RunEvent.model_validate(
        {
            "run_id": body["run_id"],
            "version": body["version"],
            "type": kind.token.rpartition(".")[0],
            "time": meta.time,
            "data": body,
        }
    )
    return meta.org_id, event
