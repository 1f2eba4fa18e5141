"""A service's place on the bus: ask, send, publish, watch.

PostgreSQL is the truth; JetStream delivers. Whatever is sent or published here has been
acknowledged by its stream when the call returns.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import ConnectionClosedError, FlushTimeoutError, NoRespondersError
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NatsTimeout
from nats.js.errors import APIError, NoStreamResponseError
from opentelemetry.trace import SpanKind

from chassis.database import require_no_transaction
from chassis.settings import BusSettings, servers_of
from chassis.signs_of_life import Patience
from chassis.telemetry import carry, log, tracer
from contracts.envelope import envelop, from_body, to_body, to_headers
from contracts.message import Answer, Command, Event, Part, Request
from contracts.problem import ProblemError, problem
from contracts.streams import CMD, EVT, Stream, inbox_prefix

REPLY = TypeVar("REPLY", bound=Part)

OUTAGE = 10.0
"""Seconds for which a publish is tried again while the server is away: a cluster may take 9 to elect."""

_TRY = 2.0
"""Seconds for one try: while a cluster elects a stream's leader, what is published gets no answer."""

_IN_PROCESS = 10158
"""The server's code for a repeat of a message that it has not finished storing."""


class Bus:
    """One NATS connection that reconnects for ever."""

    def __init__(self, connection: Client, service: str) -> None:
        self.connection = connection
        self.service = service
        self.jetstream = connection.jetstream(timeout=5)
        self._scopes: set[asyncio.Timeout] = set()
        self._on_reconnect: list[Callable[[], None]] = []
        self._patience = Patience(connection)
        self._line = Line(on_reconnect=self._reconnected)
        self.refused: dict[str, float] = {}
        """When a stream last did not take a message, by the loop's clock; until it takes one again."""

    @classmethod
    async def connect(cls, settings: BusSettings, service: str) -> "Bus":
        """Connect, waiting for the server as long as it takes; says what it waits for."""
        connection = Client()
        bus = cls(connection, service)
        options = connection_options(settings, service, bus._line) | settings.nats_login.options()
        delay = 0.2
        while True:
            try:
                await connection.connect(**options)
                return bus
            except (OSError, NatsError, TimeoutError) as error:
                log.warning(
                    "nats_not_reachable",
                    url=settings.nats_url,
                    error=str(error) or repr(error),
                    retry_in_s=delay,
                )
                await asyncio.sleep(delay)
                delay = min(delay * 2, 5.0)

    async def close(self) -> None:
        """Flush and leave. Subscriptions that still pull must be gone by now (nats-py hangs)."""
        self._line.leaving = True
        await self.connection.close()

    @property
    def is_connected(self) -> bool:
        """Whether the connection stands right now."""
        return self.connection.is_connected

    @asynccontextmanager
    async def one_connection(self) -> AsyncIterator[None]:
        """A block that the connection survives, else TimeoutError once there is a new one.

        What was asked of the old connection is not answered on the new one.
        """
        async with asyncio.timeout(None) as scope:
            self._scopes.add(scope)
            try:
                yield
            finally:
                self._scopes.discard(scope)

    def _reconnected(self) -> None:
        for scope in self._scopes:
            scope.reschedule(0)
        for tell in self._on_reconnect:
            tell()

    def when_reconnected(self, tell: Callable[[], None]) -> None:
        """Call this each time that the connection is a new one: what was said between is lost."""
        self._on_reconnect.append(tell)

    async def ask(
        self,
        request: Request[REPLY],
        *,
        org_id: UUID | None,
        actor: str = "system",
        timeout: float = 10.0,
    ) -> REPLY:
        """Ask the owner and wait for the answer, at most `timeout` seconds.

        Raises ProblemError: the owner's own problem, 503 when it does not run, and 504 when there
        is no answer, and after a few seconds no sign of one: whether it was done is not known.
        """
        require_no_transaction(f"asking {request.owner}")
        meta = envelop(request, source=self.service, org_id=org_id, actor=actor)
        with tracer.start_as_current_span(meta.type, kind=SpanKind.CLIENT):
            headers = to_headers(meta) | carry()
            began = asyncio.get_running_loop().time()
            try:
                async with self._patience.until_silence(str(meta.id), request.sign_of_life()):
                    reply = await self.connection.request(
                        request.subject(), to_body(request), timeout=timeout, headers=headers
                    )
            except NoRespondersError as error:
                raise problem(
                    503,
                    "service_unavailable",
                    f"The service '{request.owner}' does not run at the moment. Try again shortly.",
                ) from error
            except asyncio.CancelledError:
                await self._withdraw(request, meta.id)
                raise
            except (TimeoutError, ConnectionClosedError) as error:
                await self._withdraw(request, meta.id)
                waited = asyncio.get_running_loop().time() - began
                raise problem(
                    504,
                    "no_answer",
                    f"The service '{request.owner}' did not answer in {waited:.0f} s. "
                    "See whether it was done, or try again shortly.",
                ) from error
        return open_answer(type(request), reply.data)

    async def _withdraw(self, request: Request[REPLY], id: UUID) -> None:
        """Tell every replica of the owner that nobody waits for an answer."""
        if request.withdrawable and self.is_connected:
            await self.connection.publish(request.withdrawal(), str(id).encode())

    async def send(
        self,
        command: Command,
        *,
        org_id: UUID | None,
        actor: str = "system",
        id: UUID | None = None,
    ) -> None:
        """Hand a command to the stream CMD; returns when it is stored."""
        meta = envelop(command, source=self.service, org_id=org_id, actor=actor, id=id)
        with tracer.start_as_current_span(meta.type, kind=SpanKind.PRODUCER):
            await self.store(CMD, command.subject(), to_body(command), to_headers(meta) | carry())

    async def publish(
        self, event: Event, *, org_id: UUID | None, actor: str = "system", id: UUID | None = None
    ) -> None:
        """Hand an event to the stream EVT; returns when it is stored."""
        meta = envelop(event, source=self.service, org_id=org_id, actor=actor, id=id)
        with tracer.start_as_current_span(meta.type, kind=SpanKind.PRODUCER):
            subject = event.subject(org_id)
            await self.store(EVT, subject, to_body(event), to_headers(meta) | carry())

    async def store(
        self, stream: Stream, subject: str, body: bytes, headers: dict[str, str]
    ) -> None:
        """Publish to a stream and wait for its word; tries again while the server is away.

        The message id in the headers makes a repeat harmless.
        """
        deadline = asyncio.get_running_loop().time() + OUTAGE
        while True:
            try:
                await self.jetstream.publish(
                    subject, body, timeout=_TRY, stream=stream.name, headers=headers
                )
                self.refused.pop(stream.name, None)
                return
            except (NatsTimeout, NoStreamResponseError, APIError) as error:
                if isinstance(error, APIError) and not _passes(error):
                    raise
                self.refused[stream.name] = asyncio.get_running_loop().time()
                if asyncio.get_running_loop().time() > deadline:
                    raise problem(
                        503,
                        "bus_unavailable",
                        "The message bus does not answer. Try again shortly.",
                    ) from error
                await asyncio.sleep(0.2)

    async def store_all(
        self, messages: Sequence[tuple[Stream, str, bytes, dict[str, str]]]
    ) -> None:
        """As `store` for (stream, subject, body, headers) each: in order, none waits for another.

        Should one fail they are all said again, one after the other; what was stored is not stored
        twice, but may then come before what it should have followed.
        """
        saying: list[asyncio.Task[object]] = []
        for stream, subject, body, headers in messages:
            one = self.jetstream.publish(
                subject, body, timeout=_TRY, stream=stream.name, headers=headers
            )
            saying.append(asyncio.create_task(one))
            if len(saying) == 1:
                # Once round the loop to write it, and once for nats-py to send what is written: so
                # the first, mostly a command, is on its way before the others are made.
                await asyncio.sleep(0)
                await asyncio.sleep(0)
        said = await asyncio.gather(*saying, return_exceptions=True)
        if any(isinstance(word, BaseException) for word in said):
            for message in messages:
                await self.store(*message)
        else:
            for stream, *_ in messages:
                self.refused.pop(stream.name, None)

    async def watch(self, pattern: str, hear: Callable[[Msg], Awaitable[None]]) -> None:
        """Hear what is said on a subject from now on (core NATS: what is missed stays missed)."""
        await self.connection.subscribe(pattern, cb=hear)
        await settle(self.connection)

    async def tick(self, org_id: UUID, key: UUID, body: bytes) -> None:
        """Say live progress that nobody stores: `tick.<org>.<service>.<key>`."""
        await self.connection.publish(f"tick.{org_id.hex}.{self.service}.{key.hex}", body)


def _passes(error: APIError) -> bool:
    """Whether it is a matter of time: no leader yet, no quorum, or the first try is at work."""
    return (error.code or 0) >= 500 or error.err_code == _IN_PROCESS


_SETTLED = 20
"""Seconds for the answer to a flush; more than a silent server is waited for (`ping_interval`).

An answer that came after its flush was given up would end nats-py's reading of the connection.
"""


async def settle(connection: Client) -> None:
    """Return once the server knows every subscription made so far, however long it is away.

    Twice, because nats-py writes a flush's PING ahead of the commands that its flusher still holds;
    by the answer to the first they are written, and the second goes behind them.
    """
    while True:
        before = connection.stats["reconnects"]
        if connection.is_connected:
            # A new connection makes the subscriptions again by itself; that must be waited for too.
            with contextlib.suppress(OSError, FlushTimeoutError):
                await connection.flush(_SETTLED)
                await connection.flush(_SETTLED)
                if connection.is_connected and connection.stats["reconnects"] == before:
                    return
        if connection.is_closed:
            raise ConnectionClosedError
        await asyncio.sleep(0.05)


@dataclass
class Line:
    """What a connection's callbacks need to know of whoever uses it, and whom they tell."""

    on_reconnect: Callable[[], None] = lambda: None
    leaving: bool = False
    """The end that comes now is meant."""


def connection_options(settings: BusSettings, service: str, line: Line) -> dict[str, Any]:
    """Arguments of a connection that never gives up and tells what it is refused, without its login."""

    async def on_error(error: Exception) -> None:
        # A denied publish or subscription shows up here and as a time-out, nowhere else.
        log.error("nats_error", error=str(error) or repr(error))

    async def on_disconnect() -> None:
        if not line.leaving:
            log.warning("nats_disconnected")

    async def on_reconnect() -> None:
        log.info("nats_reconnected")
        line.on_reconnect()

    options: dict[str, Any] = {
        "servers": servers_of(settings.nats_url),
        "name": service,
        "inbox_prefix": inbox_prefix(service),
        "max_reconnect_attempts": -1,
        "reconnect_time_wait": 0.2,
        "connect_timeout": 2,
        # A server that is gone without a word is noticed within 15 s (the default takes minutes).
        "ping_interval": 5,
        "max_outstanding_pings": 2,
        "error_cb": on_error,
        "disconnected_cb": on_disconnect,
        "reconnected_cb": on_reconnect,
    }
    return options


def open_answer(request: type[Request[REPLY]], data: bytes) -> REPLY:
    """The result out of an answer; raises the ProblemError that it carries."""
    answer = from_body(Answer, data)
    if answer.problem is not None:
        raise ProblemError(answer.problem)
    return request.reply_type().model_validate(answer.result)  # pyright: ignore[reportReturnType]
