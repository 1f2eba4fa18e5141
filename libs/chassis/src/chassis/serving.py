"""Serving HTTP until a signal ends it, and then letting the process end well."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator

import uvicorn
from starlette.types import ASGIApp

_ENDING = (signal.SIGTERM, signal.SIGINT)


class Server(uvicorn.Server):
    """A uvicorn that stops serving on SIGTERM and SIGINT, and nothing more.

    `closing` is called first: it ends what would not end by itself, such as live streams.
    """

    def __init__(self, config: uvicorn.Config, closing: Callable[[], None]) -> None:
        super().__init__(config)
        self._closing = closing

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the signals while serving."""
        # uvicorn's own raises the signal again when it has stopped serving: the process would end
        # there, with its messages not handed back and its connections open.
        loop = asyncio.get_running_loop()
        for each in _ENDING:
            loop.add_signal_handler(each, self.handle_exit, each, None)
        try:
            yield
        finally:
            for each in _ENDING:
                loop.remove_signal_handler(each)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Called by uvicorn once a signal has been received."""
        self._closing()
        await super().shutdown(sockets)


def _nothing() -> None:
    """For an app that has nothing to close."""


async def serve(
    app: ASGIApp, host: str, port: int, *, closing: Callable[[], None] = _nothing
) -> None:
    """Serve until SIGTERM or SIGINT; open requests then have 5 s to end."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        # By default uvicorn lets anything on this machine say in headers where a request comes from;
        # the gateway believes the proxies of its settings alone.
        proxy_headers=False,
        lifespan="off",
        timeout_graceful_shutdown=5,
    )
    await Server(config, closing).serve()
