"""Serving HTTP until a signal ends it, and then letting the process end well."""

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator

import uvicorn
from starlette.types import ASGIApp

from chassis.connections import protocol
from chassis.health import Health, metrics_app
from chassis.settings import BusSettings, Limits
from chassis.telemetry import log

_ENDING = (signal.SIGTERM, signal.SIGINT)


def configured(app: ASGIApp, limits: Limits | None = None) -> uvicorn.Config:
    """How every HTTP server of ours is set, tests' too."""
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        # By default uvicorn lets anything on this machine say in headers where a request comes from;
        # the gateway believes the proxies of its settings alone.
        proxy_headers=False,
        lifespan="off",
        # No route of ours is one, and its connection would leave `connections` uncounted.
        ws="none",
        http=protocol(limits or Limits()),
        timeout_graceful_shutdown=5,
        # Of a kept-alive connection the next request would go on in the context of the one whose
        # body was read last: in its trace, with what its log lines name.
        reset_contextvars=True,
    )


class Server(uvicorn.Server):
    """A uvicorn that stops serving on SIGTERM and SIGINT, and nothing more.

    With a delay it goes on serving for so many seconds after the first signal, while it declares itself
    not ready: a load balancer has not noticed yet. A second signal ends that. `closing` is called when
    serving stops: it ends what would not end by itself, such as live streams.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        closing: Callable[[], None],
        health: Health | None = None,
        delay: float = 0.0,
    ) -> None:
        super().__init__(config)
        self._closing = closing
        self._health = health
        self._delay = delay
        self._leaving: asyncio.TimerHandle | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the signals while serving."""
        # uvicorn's own raises the signal again when it has stopped serving: the process would end
        # there, with its messages not handed back and its connections open.
        loop = asyncio.get_running_loop()
        for each in _ENDING:
            loop.add_signal_handler(each, self._leave, each)
        try:
            yield
        finally:
            for each in _ENDING:
                loop.remove_signal_handler(each)

    def _leave(self, number: int) -> None:
        if self._health is not None:
            self._health.is_leaving = True
        if self._delay and self._leaving is None:
            log.info("drain_begun", seconds=self._delay)
            # Idle connections are closed with the answer to their next request, and made elsewhere.
            self.config.encoded_headers.append((b"connection", b"close"))
            self.server_state.default_headers.append((b"connection", b"close"))
            loop = asyncio.get_running_loop()
            self._leaving = loop.call_later(self._delay, self.handle_exit, number, None)
            return
        if self._leaving is not None:
            self._leaving.cancel()
        self.handle_exit(number, None)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Called by uvicorn once a signal has been received."""
        self._closing()
        await super().shutdown(sockets)


class _Beside(uvicorn.Server):
    """A uvicorn beside another, which takes the signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take none."""
        yield


def _nothing() -> None:
    """For an app that has nothing to close."""


async def serve(
    app: ASGIApp,
    settings: BusSettings,
    health: Health,
    *,
    closing: Callable[[], None] = _nothing,
) -> None:
    """Serve the app, and metrics on their own port, until SIGTERM or SIGINT.

    `health` answers 503 from then on, for `http_drain_delay`; open requests then have 5 s to end. Ends
    the process when a port is taken.
    """
    async with metrics_served(settings.metrics_host, settings.metrics_port):
        config = configured(app, settings.http_limits)
        config.host, config.port = settings.http_host, settings.http_port
        await Server(config, closing, health, settings.http_drain_delay).serve()


@contextlib.asynccontextmanager
async def metrics_served(host: str, port: int) -> AsyncIterator[int]:
    """Serve the metrics of this process for the length of the block; gives the port."""
    try:
        async with served(metrics_app(), host, port) as own:
            log.info("metrics_served", host=host, port=own)
            yield own
    except PortTaken as error:
        log.critical("metrics_port_not_free", host=host, port=port, error=str(error))
        print(
            f"Setting METRICS_PORT: {host}:{port} cannot be listened on ({error}). Give every process "
            "of a machine a port of its own, or 0 for any that is free.",
            file=sys.stderr,
        )
        sys.exit(2)


class PortTaken(OSError):
    """Another program listens there, or this one may not."""


@contextlib.asynccontextmanager
async def served(app: ASGIApp, host: str, port: int) -> AsyncIterator[int]:
    """Serve an app beside what else the process does, for the length of the block; gives the port."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise PortTaken(*error.args) from error
    server = _Beside(configured(app))
    serving = asyncio.create_task(server.serve([listener]))
    try:
        yield int(listener.getsockname()[1])
    finally:
        server.should_exit = True
        await serving
        listener.close()
