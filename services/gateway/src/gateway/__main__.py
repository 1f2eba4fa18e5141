"""The gateway process: `python -m gateway`."""

import asyncio
import socket

import uvicorn
from fastapi import FastAPI

from chassis import telemetry
from chassis.settings import load
from gateway.app import running
from gateway.settings import Settings


class Server(uvicorn.Server):
    """Ends the live streams before it waits for open requests: they would never end themselves."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Called by uvicorn once a signal has been received."""
        self._app.state.edge.fanout.close()
        await super().shutdown(sockets)


async def serve(settings: Settings) -> None:
    """Serve HTTP until SIGTERM or SIGINT."""
    async with running(settings) as app:
        config = uvicorn.Config(
            app,
            host=settings.http_host,
            port=settings.http_port,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=5,
        )
        await Server(config, app).serve()


def main() -> None:
    """Run the gateway as this process."""
    settings = load(Settings)
    telemetry.configure("gateway", settings)
    asyncio.run(serve(settings))


if __name__ == "__main__":
    main()
