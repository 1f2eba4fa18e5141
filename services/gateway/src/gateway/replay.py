"""An organisation's run events from any position of the stream EVT on: each once, in its order."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from uuid import UUID

from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from chassis.bus import Bus
from chassis.telemetry import log
from contracts.envelope import new_id
from contracts.streams import EVT
from gateway.fanout import Placed, run_event_of

_HEARTBEAT = 3.0
"""Seconds of silence after which the server says how far it has come."""
_AWAY = 3 * _HEARTBEAT
_LEFT_ALONE = 30.0
"""Seconds after which the server drops a consumer that nobody listens to."""
_ROOM = 500
"""Events that wait here for a slow reader; later ones stay in the stream until there is room."""


@dataclass(frozen=True)
class Bounds:
    """Where a reading begins, and whether nothing is missing before that."""

    after: int
    is_complete: bool


async def bounds(bus: Bus, org_id: UUID, seen: int | None) -> Bounds:
    """Where to go on after the position `seen`; None: from now on.

    Not complete when the stream does not reach back so far any more, or was made anew since, or the
    organisation has had so many events of one type since that the oldest of them went.
    Raises a NATS error while the server is away.
    """
    own = _events_of(org_id)
    state = (await bus.jetstream.stream_info(EVT.name, subjects_filter=own)).state
    if seen is None:
        return Bounds(state.last_seq, True)
    if state.first_seq - 1 <= seen <= state.last_seq:
        full = [
            subject
            for subject, count in (state.subjects or {}).items()
            if EVT.max_per_subject is not None and count >= EVT.max_per_subject
        ]
        if all([await _oldest(bus, subject) <= seen + 1 for subject in full]):
            return Bounds(seen, True)
    return Bounds(state.last_seq, False)


async def _oldest(bus: Bus, subject: str) -> int:
    """The position of the oldest event that the stream still has of a type."""
    found = await bus.jetstream.get_msg(EVT.name, seq=1, subject=subject, next=True)
    assert found.seq is not None
    return found.seq


def _events_of(org_id: UUID) -> str:
    return f"evt.{org_id.hex}.orchestrator.>"


async def replay(bus: Bus, org_id: UUID, after: int) -> AsyncGenerator[Placed, None]:
    """What comes after a position, until the connection closes for good.

    Gaps and lost connections are mended: a consumer numbers what it delivers, so whatever gets
    lost shows; then it is asked for anew. Ends when the stream was made anew,
    whose positions are others.
    """
    known = None
    while not bus.connection.is_closed:
        try:
            created = (await bus.jetstream.stream_info(EVT.name)).created
            if (known := known or created) != created:
                return
            async with _consumer(bus, org_id, after) as delivered:
                async for placed in _unbroken(delivered):
                    after = placed.position
                    yield placed
        except (NatsError, TimeoutError) as error:
            log.info("replay_begins_anew", after=after, error=str(error) or repr(error))
            await asyncio.sleep(0.2)


@contextlib.asynccontextmanager
async def _consumer(bus: Bus, org_id: UUID, after: int) -> AsyncIterator[asyncio.Queue[Msg]]:
    """Short-lived, in the server's memory, without acknowledgements."""
    delivered: asyncio.Queue[Msg] = asyncio.Queue(_ROOM)

    async def take(message: Msg) -> None:
        # What there is no room for is missed, and asked for once the reader has come so far.
        with contextlib.suppress(asyncio.QueueFull):
            delivered.put_nowait(message)

    inbox = bus.connection.new_inbox()
    subscription = await bus.connection.subscribe(inbox, cb=take)
    try:
        config = ConsumerConfig(
            name=f"gateway_{new_id().hex}",
            deliver_subject=inbox,
            filter_subject=_events_of(org_id),
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=after + 1,
            ack_policy=AckPolicy.NONE,
            idle_heartbeat=_HEARTBEAT,
            inactive_threshold=_LEFT_ALONE,
            mem_storage=True,
            num_replicas=1,
        )
        await bus.jetstream.add_consumer(EVT.name, config)
        yield delivered
    finally:
        with contextlib.suppress(NatsError):
            await subscription.unsubscribe()


async def _unbroken(delivered: asyncio.Queue[Msg]) -> AsyncIterator[Placed]:
    """Until something is missing; raises TimeoutError when the server is silent for too long."""
    count = 0
    while True:
        async with asyncio.timeout(_AWAY):
            message = await delivered.get()
        if (last := _heartbeat(message)) is not None:
            if last > count:
                return
            continue
        number = message.metadata.sequence
        if number.consumer != count + 1:
            return
        count = number.consumer
        heard = run_event_of(message)
        if heard is not None:
            yield Placed(number.stream, heard[1])


def _heartbeat(message: Msg) -> int | None:
    """How many messages the server has delivered, if this one only says that it is there."""
    headers = message.headers or {}
    if headers.get("Status") != "100":
        return None
    return int(headers.get("Nats-Last-Consumer", "0"))
