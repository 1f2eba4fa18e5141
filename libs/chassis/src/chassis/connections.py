"""Connections of an HTTP server: how many there may be, and how slowly a request may arrive."""

import asyncio
from collections import Counter
from typing import Any, ClassVar, cast

import h11
from prometheus_client import Counter as Metric
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol
from uvicorn.server import ServerState

from chassis.networks import network_of
from chassis.settings import Limits
from contracts.problem import problem

REFUSED = Metric(
    "dalgo_http_connections_refused", "Connections that the server closed by itself", ["code"]
)

_LOOKS = 4
"""How often in a window the arrival of a body is looked at."""


def protocol(limits: Limits) -> type[H11Protocol]:
    """The protocol class of one server, for uvicorn's `http`."""

    class Limited(_Limited):
        _limits = limits
        _by_address: ClassVar[Counter[str]] = Counter()

    return Limited


class _Limited(H11Protocol):
    """uvicorn's protocol, which itself waits for ever for a request that has begun to arrive."""

    _limits: ClassVar[Limits]
    _by_address: ClassVar[Counter[str]]

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._address = ""
        self._head_timer: asyncio.TimerHandle | None = None
        self._body_timer: asyncio.TimerHandle | None = None
        self._arrived = 0
        """Bytes in the present window."""
        self._quiet = 0
        """Looks since the window began in which the client was the one who is waited for."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._address = network_of(self.client[0] if self.client else "") or ""
        self._by_address[self._address] += 1
        if (
            len(self.connections) > self._limits.connections
            or self._by_address[self._address] > self._limits.connections_per_address
        ):
            self._refuse(
                503, "too_many_connections", "There are too many connections. Try again shortly.", 2
            )
            return
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._by_address[self._address] -= 1
        if self._by_address[self._address] <= 0:
            del self._by_address[self._address]
        self._stop_timers()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        self._arrived += len(data)
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def send_400_response(self, msg: str) -> None:
        """What is not HTTP: a problem in place of uvicorn's plain text."""
        self._refuse(400, "malformed_request", msg)

    def _watch(self) -> None:
        """Have a timer for what is waited for now: headers, a body, or nothing."""
        if self.transport.is_closing():
            self._stop_timers()
            return
        awaits_body = self.conn.their_state is h11.SEND_BODY
        # Between two requests uvicorn's own timer of idle connections runs.
        has_begun = self.conn.their_state is h11.IDLE and bool(self.conn.trailing_data[0])
        if has_begun and self._head_timer is None:
            self._await_head()
        elif not has_begun and self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        if awaits_body and self._body_timer is None:
            self._begin_window()
            self._look_later()
        elif not awaits_body and self._body_timer is not None:
            self._body_timer.cancel()
            self._body_timer = None

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(self._limits.head_timeout, self._head_is_late)

    def _head_is_late(self) -> None:
        self._head_timer = None
        self._refuse(
            408,
            "request_too_slow",
            f"The request's headers did not arrive within {self._limits.head_timeout:g} seconds.",
        )

    def _begin_window(self) -> None:
        self._arrived = self._quiet = 0

    def _look_later(self) -> None:
        pause = self._limits.body_timeout / _LOOKS
        self._body_timer = self.loop.call_later(pause, self._look)

    def _look(self) -> None:
        self._body_timer = None
        if self.flow.read_paused or self.cycle.waiting_for_100_continue:
            # It is we who do not read, or have not asked for the body yet.
            self._begin_window()
        else:
            self._quiet += 1
        if self._arrived >= self._limits.body_bytes:
            self._begin_window()
        if self._quiet >= _LOOKS:
            self._refuse(
                408,
                "request_too_slow",
                f"Of the request's body fewer than {self._limits.body_bytes:,} bytes arrived in "
                f"{self._limits.body_timeout:g} seconds. Send it again over a better line.",
            )
            return
        self._look_later()

    def _refuse(self, status: int, code: str, detail: str, retry_after: int | None = None) -> None:
        """Answer with a problem if no answer has begun, and close; the route finds its client gone."""
        if self.transport.is_closing():
            return
        raised = problem(status, code, detail, retry_after=retry_after).problem
        has_begun = self.conn.our_state not in {h11.IDLE, h11.SEND_RESPONSE}
        if not has_begun:
            body = raised.model_dump_json(exclude_none=True).encode()
            headers = [
                (b"content-type", b"application/problem+json"),
                (b"content-length", str(len(body)).encode()),
                (b"connection", b"close"),
            ]
            if retry_after is not None:
                headers.append((b"retry-after", str(retry_after).encode()))
            answer = (
                h11.Response(status_code=status, headers=headers, reason=STATUS_PHRASES[status]),
                h11.Data(data=body),
                h11.EndOfMessage(),
            )
            for event in answer:
                self.transport.write(cast("bytes", self.conn.send(event)))
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._stop_timers()
        REFUSED.labels(code).inc()
        if has_begun:
            # Whoever does not send may not read either: nothing is kept for them.
            self.transport.abort()
        else:
            self.transport.close()

    def _stop_timers(self) -> None:
        for timer in (self._head_timer, self._body_timer):
            if timer is not None:
                timer.cancel()
        self._head_timer = self._body_timer = None
