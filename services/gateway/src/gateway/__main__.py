"""The gateway process: `python -m gateway`."""

import asyncio

from chassis import crash_points, telemetry
from chassis.serving import serve
from chassis.settings import load
from gateway.app import running
from gateway.settings import Settings


async def _serve(settings: Settings) -> None:
    async with running(settings) as app:
        # Live streams end first: they would keep the process for as long as somebody reads them.
        closing = app.state.edge.fanout.close
        await serve(app, settings, app.state.health, closing=closing)


def main() -> None:
    """Run the gateway as this process until SIGTERM or SIGINT."""
    settings = load(Settings)
    telemetry.configure("gateway", settings)
    crash_points.arm()
    asyncio.run(_serve(settings))


if __name__ == "__main__":
    main()
