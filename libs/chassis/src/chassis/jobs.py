"""The one loop for every durable message.

Wait for a free slot, fetch one, keep saying `in progress`, run the handler (which commits), publish
the outcome, acknowledge. A message whose organisation has used up its share of the slots waits here
for its turn, and the next is fetched. A crash anywhere repeats the message; handlers are therefore
idempotent and say their outcome again under the same message id. FastStream's own JetStream
subscribers are not used for this: they terminate a message on any exception, and may run one twice
at once.
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar
from uuid import UUID

from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.client import JetStreamContext
from opentelemetry.trace import SpanKind

from chassis.bus import Bus
from chassis.crash_points import reached
from chassis.database import AWAY, Database
from chassis.errors import Reject, Retry
from chassis.outbox import Outgoing
from chassis.shares import Share, Turn
from chassis.telemetry import about, log, received
from contracts.envelope import MalformedMessage, Meta, derived_id, from_body, from_headers
from contracts.message import Command, Event, lookup
from contracts.problem import ProblemError
from contracts.shares import Slots
from contracts.streams import Consumer, service

M = TypeVar("M", bound=Command | Event)

Handler = Callable[[M, Meta], Awaitable[Sequence[Outgoing]]]
"""Does the work, commits, and returns what is to be said about it."""

OnDead = Callable[[M, Meta, str], Awaitable[Sequence[Outgoing]]]
"""What to say when a message is given up (the failure of its step), with the reason."""

_FETCH = 5.0
"""Seconds; a request to pull dies with the server that leads the consumer, and nobody says so."""
_ATTEMPTS = 12
"""Deliveries after which a message is given up; with the backoff below about five minutes."""
_COME_BACK = 15.0
"""Seconds until a message comes again for which there was no place among those that wait."""
HOLDER_SILENCE = 30.0
"""Seconds without a heartbeat after which another message may take a step from its holder: three
times `Consumer.ack_wait`, within which three heartbeats are due and a redelivery comes."""
_HAND_BACK = """
INSERT INTO hand_backs AS own (message_id) VALUES ($1)
ON CONFLICT (message_id) DO UPDATE SET times = own.times + 1, last_at = now()
"""
_HANDED_BACK = "SELECT times FROM hand_backs WHERE message_id = $1"
_MAY_WAIT = 200
"""Messages of one organisation that wait in a replica, where none says otherwise: far fewer than a
consumer hands out at once (`Consumer.max_ack_pending`), so that all have room for theirs."""


@dataclass(frozen=True)
class Registration(Generic[M]):
    """How one class of message is handled."""

    kind: type[M]
    handle: Handler[M]
    slots: Slots
    on_dead: OnDead[M] | None
    key: Callable[[M], object] | None
    heartbeat: Callable[[M, Meta], Awaitable[bool]] | None


class Stopped(Exception):
    """The work was called off: acknowledge, say nothing."""


class Jobs:
    """All durable messages of one service."""

    def __init__(self, bus: Bus, database: Database, name: str) -> None:
        self._bus = bus
        self._database = database
        self._name = name
        self._registered: dict[str, Registration] = {}
        self._running: dict[asyncio.Task[None], object] = {}
        self._stopped: set[asyncio.Task[None]] = set()
        self._alive: dict[str, bool] = {}

    def handle(
        self,
        kind: type[M],
        handler: Handler[M],
        *,
        slots: int = 8,
        share: Slots | None = None,
        on_dead: OnDead[M] | None = None,
        key: Callable[[M], object] | None = None,
        heartbeat: Callable[[M, Meta], Awaitable[bool]] | None = None,
    ) -> None:
        """Handle a class of command or event, at most `slots` of its consumer at once.

        With a `share` (which says how many slots there are) an organisation takes its part of them
        and no more: its further messages wait for a turn, stoppable like running work.
        `key` makes running work stoppable (`stop`). `heartbeat` is called every few seconds while
        the work lasts, notes that it is alive, and gives whether it has to stop: it was called off
        while this replica did not listen, or another has taken it over.
        """
        of_all = Slots(kind.type_name(), "", total=slots, each=slots, waiting=_MAY_WAIT)
        self._registered[kind.type_name()] = Registration(
            kind, handler, share or of_all, on_dead, key, heartbeat
        )

    def stop(self, key: object) -> int:
        """Cancel the work with this key in this process; returns how much there was.

        Work that is stopping already is left to tidy up after itself.
        """
        running = self._running.items()
        tasks = [task for task, own in running if own == key and task not in self._stopped]
        for task in tasks:
            self._stopped.add(task)
            task.cancel()
        return len(tasks)

    def check(self) -> None:
        """Raise unless every consumer could be pulled from lately (a deleted one is silence)."""
        silent = [name for name, alive in self._alive.items() if not alive]
        if silent:
            raise RuntimeError(f"cannot pull from {', '.join(sorted(silent))}")

    async def run(self) -> None:
        """Pull from all consumers of the service until cancelled, then hand back what was taken."""
        consumers = list(service(self._name).consumers())
        for consumer in consumers:
            self._alive[consumer.name] = False
        async with asyncio.TaskGroup() as group:
            for consumer in consumers:
                group.create_task(self._pull(consumer))

    async def _pull(self, consumer: Consumer) -> None:
        share = Share(self._slots(consumer), consumer.name, longest_wait=None)
        tasks: set[asyncio.Task[None]] = set()
        subscription: JetStreamContext.PullSubscription | None = None
        try:
            while True:
                leave_if_cancelled()
                await share.vacancy()
                try:
                    if subscription is None:
                        subscription = await self._bus.jetstream.pull_subscribe_bind(
                            consumer=consumer.name, stream=consumer.stream.name
                        )
                        await subscription.consumer_info()
                        self._alive[consumer.name] = True
                    async with self._bus.one_connection():
                        (message,) = await subscription.fetch(1, timeout=_FETCH)
                except TimeoutError:
                    # Nothing to do, another connection, or nobody there any more: asking tells.
                    self._alive[consumer.name] = await self._is_there(subscription)
                    continue
                except (NatsError, OSError) as error:
                    self._alive[consumer.name] = False
                    log.warning("consumer_lost", consumer=consumer.name, error=repr(error))
                    subscription = await self._leave(subscription)
                    await asyncio.sleep(0.5)
                    continue
                self._alive[consumer.name] = True
                try:
                    turn = share.enter(_organization(message))
                except ProblemError:
                    # As many of its organisation wait as may: what is behind it has its turn.
                    with contextlib.suppress(NatsError, OSError):
                        await message.nak(delay=_COME_BACK)
                    continue
                task = asyncio.create_task(self._work(message, consumer, turn))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                task.add_done_callback(lambda _, turn=turn: turn.close())
        finally:
            await self._leave(subscription)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _slots(self, consumer: Consumer) -> Slots:
        subjects = set(consumer.subjects)
        slots = [
            registration.slots
            for registration in self._registered.values()
            if (
                registration.kind.pattern()
                if issubclass(registration.kind, Event)
                else registration.kind.subject()
            )
            in subjects
        ]
        if not slots:
            raise RuntimeError(f"nobody handles the messages of {consumer.name}")
        fewest = min(slots, key=lambda each: each.total)
        # What has no place here comes back much later: others' messages always have one.
        return replace(fewest, waiting_in_all=consumer.max_ack_pending)

    async def _is_there(self, subscription: JetStreamContext.PullSubscription | None) -> bool:
        try:
            if subscription is not None:
                await subscription.consumer_info()
                return True
        except (NatsError, OSError, TimeoutError):
            pass
        return False

    async def _leave(self, subscription: JetStreamContext.PullSubscription | None) -> None:
        # Unsubscribed before the connection closes: nats-py's drain would hang on it for 30 s.
        if subscription is not None:
            with contextlib.suppress(NatsError, OSError):
                await subscription.unsubscribe()

    async def _work(self, message: Msg, consumer: Consumer, turn: Turn) -> None:
        """One message from fetch to acknowledgement; never raises but when cancelled."""
        reached("job.fetched")
        try:
            meta = from_headers(message.headers, message.subject)
            kind = lookup(meta.type)
            registration = self._registered.get(meta.type)
            if kind is None or registration is None:
                raise MalformedMessage(f"{meta.type} is not handled by {self._name}")
            body = from_body(registration.kind, message.data)
        except MalformedMessage as error:
            await self._bury(message, consumer, str(error), None, None, None)
            return
        with (
            received(meta.type, message.headers, SpanKind.CONSUMER),
            about(meta.org_id, body),
        ):
            await self._attempt(message, consumer, registration, body, meta, turn)

    async def _attempt(
        self,
        message: Msg,
        consumer: Consumer,
        registration: Registration[M],
        body: M,
        meta: Meta,
        turn: Turn,
    ) -> None:
        task = asyncio.create_task(self._outcome(registration, body, meta, turn))
        self._running[task] = registration.key(body) if registration.key else None
        # Most work is done before the first beat, and pays for no task.
        hearts: list[asyncio.Task[None]] = []

        def live_on() -> None:
            beating = self._beat(message, consumer, registration, body, meta, task)
            hearts.append(asyncio.create_task(beating))

        first_beat = asyncio.get_running_loop().call_later(consumer.ack_wait / 3, live_on)
        try:
            await asyncio.shield(task)
            await message.ack_sync(timeout=5)
            reached("job.acknowledged")
        except asyncio.CancelledError:
            if task in self._stopped:
                # It has ended, but when the process shuts down at the same moment.
                await asyncio.gather(task, return_exceptions=True)
                await message.ack_sync(timeout=5)
                log.info("work_stopped", message=meta.type, id=str(meta.id))
                return
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self._hand_back(message, meta)
            raise
        except Stopped:
            await message.ack_sync(timeout=5)
        except Reject as error:
            await self._bury(message, consumer, str(error), registration, body, meta)
        except Exception as error:
            await self._again(message, consumer, registration, body, meta, error)
        finally:
            first_beat.cancel()
            for heart in hearts:
                heart.cancel()
            self._running.pop(task, None)
            self._stopped.discard(task)

    async def _outcome(
        self, registration: Registration[M], body: M, meta: Meta, turn: Turn
    ) -> None:
        await turn.wait()
        said = await registration.handle(body, meta)
        reached("job.committed")
        await self._say(said)
        reached("job.said")

    async def _say(self, said: Sequence[Outgoing]) -> None:
        for outgoing in said:
            message = outgoing.message
            org_id, actor, own_id = outgoing.org_id, outgoing.actor, outgoing.id
            if isinstance(message, Event):
                await self._bus.publish(message, org_id=org_id, actor=actor, id=own_id)
            else:
                await self._bus.send(message, org_id=org_id, actor=actor, id=own_id)

    async def _beat(
        self,
        message: Msg,
        consumer: Consumer,
        registration: Registration[M],
        body: M,
        meta: Meta,
        task: asyncio.Task[None],
    ) -> None:
        while True:
            with contextlib.suppress(NatsError, OSError):
                await message.in_progress()
            if registration.heartbeat is not None:
                # One that waits for a connection may not hold up the next sign of life to the bus.
                with contextlib.suppress(*AWAY):
                    async with asyncio.timeout(consumer.ack_wait / 3):
                        has_to_stop = await registration.heartbeat(body, meta)
                    if has_to_stop and task not in self._stopped:
                        self._stopped.add(task)
                        task.cancel()
            await asyncio.sleep(consumer.ack_wait / 3)

    async def _hand_back(self, message: Msg, meta: Meta) -> None:
        """Give a message to another replica, at once; a delivery that is no failure of it."""
        with contextlib.suppress(*AWAY):
            async with asyncio.timeout(1), self._database.transaction() as connection:
                await connection.execute(_HAND_BACK, meta.id)
        with contextlib.suppress(NatsError, OSError, TimeoutError):
            await message.nak()

    async def _is_to_be_given_up(self, meta: Meta, deliveries: int, error: Exception) -> bool:
        if deliveries < _ATTEMPTS or _is_of_the_bus(error):
            return False
        try:
            async with self._database.transaction() as connection:
                handed_back = await connection.fetchval(_HANDED_BACK, meta.id)
        except AWAY:
            # It could not be kept among the dead letters either.
            return False
        return deliveries - (handed_back or 0) >= _ATTEMPTS

    async def _again(
        self,
        message: Msg,
        consumer: Consumer,
        registration: Registration[M],
        body: M,
        meta: Meta,
        error: Exception,
    ) -> None:
        deliveries = message.metadata.num_delivered
        if await self._is_to_be_given_up(meta, deliveries, error):
            reason = f"given up after {deliveries} tries: {error or repr(error)}"
            await self._bury(message, consumer, reason, registration, body, meta)
            return
        if isinstance(error, Retry) and error.after is not None:
            delay = error.after
        else:
            delay = min(0.5 * 2 ** min(deliveries - 1, 7), 60.0) * random.uniform(0.75, 1.25)
        expected = isinstance(error, (Retry, ProblemError, NatsError, *AWAY))
        log.warning(
            "message_retried",
            message=meta.type,
            id=str(meta.id),
            deliveries=deliveries,
            retry_in_s=round(delay, 2),
            error=str(error) or repr(error),
            exc_info=None if expected else error,
        )
        with contextlib.suppress(NatsError, OSError):
            await message.nak(delay=delay)

    async def _bury(
        self,
        message: Msg,
        consumer: Consumer,
        reason: str,
        registration: Registration[M] | None,
        body: M | None,
        meta: Meta | None,
    ) -> None:
        """Keep the message among the dead letters, say its failure, and take it off the stream."""
        log.error("message_buried", subject=message.subject, reason=reason)
        try:
            metadata = message.metadata
            key = derived_id(consumer.name, metadata.sequence.stream, metadata.timestamp)
            async with self._database.transaction() as connection:
                await connection.execute(
                    "INSERT INTO dead_letters (id, stream, subject, headers, body, reason, deliveries) "
                    "VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING",
                    key,
                    consumer.stream.name,
                    message.subject,
                    dict(message.headers or {}),
                    message.data,
                    reason,
                    metadata.num_delivered,
                )
            if registration and registration.on_dead and body is not None and meta is not None:
                # What can never be handled may have nobody to tell either.
                with contextlib.suppress(Reject):
                    await self._say(await registration.on_dead(body, meta, reason))
            await message.term()
        except Exception:
            # Nothing is lost: unacknowledged, the message comes back after ack_wait.
            log.exception("burial_failed", subject=message.subject)


def _organization(message: Msg) -> UUID | None:
    """Whose share a message takes of; one that names nobody is refused once it is parsed."""
    try:
        return UUID((message.headers or {})["ce-orgid"])
    except (KeyError, ValueError):
        return None


def _is_of_the_bus(error: Exception) -> bool:
    """Whether the outcome could not be stored: the message is not at fault, however often it comes."""
    return isinstance(error, ProblemError) and error.problem.code == "bus_unavailable"


def leave_if_cancelled() -> None:
    """Raise the cancellation of this task that a library kept to itself.

    `wait_for` of Python 3.11, in which nats-py waits, loses one that meets the arrival of what it
    waits for (python/cpython#86296); the task still knows how often it was cancelled.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
