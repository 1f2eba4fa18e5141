"""The frame of a service: opens what it needs, builds it, runs it, closes it. Shared with tests."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, Generic, TypeVar

from starlette.applications import Starlette

from chassis import crash_points, telemetry
from chassis.answers import Answers
from chassis.bus import Bus
from chassis.database import Database
from chassis.disk import Disk
from chassis.health import Health
from chassis.jobs import Jobs
from chassis.lost_streams import LostStreams
from chassis.outbox import Outbox, Relay
from chassis.pulse import Pulse
from chassis.schema import Schema
from chassis.serving import PortTaken, serve, served
from chassis.settings import ServiceSettings
from chassis.shares import Shares
from chassis.telemetry import log
from contracts import streams
from contracts.envelope import Meta
from contracts.message import Request
from contracts.readiness import Readiness

S = TypeVar("S", bound=ServiceSettings)


class Service(Generic[S]):
    """What a service's `build` is given: settings, and every connection already open."""

    def __init__(
        self, name: str, settings: S, bus: Bus, database: Database, health: Health
    ) -> None:
        self.name = name
        self.settings = settings
        self.bus = bus
        self.database = database
        self.health = health
        self.shares = Shares()
        self.answers = Answers(settings, name, self.shares)
        self.jobs = Jobs(bus, database, name)
        self.outbox = Outbox(name)
        self.disk = Disk(database)
        self.lost_streams = LostStreams(database, bus, self.outbox)
        self.has_failed = False
        """Whether a background loop has ended, and the process should end with an error."""
        self._stack = AsyncExitStack()
        self._tasks: list[tuple[str, Callable[[], Coroutine[Any, Any, None]]]] = []

    def background(self, name: str, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a loop for as long as the service lives; should it end, the service ends loudly."""
        self._tasks.append((name, run))

    def on_close(self, close: Callable[[], Awaitable[None]]) -> None:
        """Call when the service stops, before its connections close."""
        self._stack.push_async_callback(close)

    @asynccontextmanager
    async def live(self) -> AsyncIterator[None]:
        """Answer requests and run the background loops until the context ends."""
        async with self._stack:
            tasks = [asyncio.create_task(run(), name=name) for name, run in self._tasks]
            for task in tasks:
                task.add_done_callback(self._end_loudly)
            try:
                await self.answers.start()
                yield
            finally:
                for task in tasks:
                    task.remove_done_callback(self._end_loudly)
                await _cancel(tasks)
                await self.answers.stop()

    def _end_loudly(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        log.critical("background_task_ended", task=task.get_name(), exc_info=task.exception())
        self.has_failed = True
        # A service whose loop has ended looks healthy and does nothing; its supervisor restarts it.
        os.kill(os.getpid(), signal.SIGTERM)


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    """Cancel, and again, until all have ended."""
    # Python 3.11's wait_for, which nats-py and asyncpg wait with, swallows a cancellation that
    # arrives together with what it waited for; once was seen not to be enough.
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=2)
    await asyncio.gather(*tasks, return_exceptions=True)


Build = Callable[[Service[S]], Awaitable[None]]


@asynccontextmanager
async def running(
    name: str, settings: S, build: Build[S], health: Health | None = None
) -> AsyncIterator[Service[S]]:
    """Open, build and run a service in this process, until the context ends.

    What is away, a schema that is not migrated yet too, is waited for, and named by `health`.
    """
    started = time.perf_counter()
    health = health or Health()
    health.waits_for("the bus")
    bus = await Bus.connect(settings, name)
    try:
        database = await Database.connect(settings, name, health.waits_for)
        try:
            schema = Schema(database)
            await schema.wait(health)
            service = Service(name, settings, bus, database, health)
            service.health.add("bus", _connected(bus))
            service.health.add("store", Pulse(bus).check)
            service.health.add("database", database.ping)
            service.health.add("schema", schema.check)
            service.health.add("disk", service.disk.check)
            service.answers.answer(streams.READINESS[name], _readiness(health))
            if any(streams.service(name).consumers()):
                service.background("jobs", service.jobs.run)
            service.background("relay", partial(_relay, service))
            service.health.add("consumers", _pulling(service.jobs))
            await build(service)
            service.background("lost_streams", service.lost_streams.run)
            async with service.live():
                health.waits_for(None)
                log.info("service_started", seconds=round(time.perf_counter() - started, 2))
                yield service
        finally:
            await database.close()
    finally:
        await bus.close()
        log.info("service_stopped")


async def _relay(service: Service[Any]) -> None:
    # What was sent before the streams are known is sent again when they are.
    await service.lost_streams.has_looked.wait()
    await Relay(service.database, service.bus, service.outbox).run()


def _connected(bus: Bus) -> Callable[[], Awaitable[None]]:
    async def check() -> None:
        if not bus.is_connected:
            raise RuntimeError("not connected to NATS")

    return check


def _pulling(jobs: Jobs) -> Callable[[], Awaitable[None]]:
    async def check() -> None:
        jobs.check()

    return check


def _readiness(
    health: Health,
) -> Callable[[Request[Readiness], Meta], Awaitable[Readiness]]:
    async def answer(_: Request[Readiness], __: Meta) -> Readiness:
        return Readiness(checks=await health.report())

    return answer


def main(name: str, settings: S, build: Build[S]) -> None:
    """Run a service as this process until SIGTERM or SIGINT, with its health over HTTP.

    Exits with status 1 when a background loop of it has ended.
    """
    telemetry.configure(name, settings)
    crash_points.arm()

    health = Health()

    async def serve_all() -> bool:
        early = Starlette(routes=health.routes(starting=True))
        async with AsyncExitStack() as stack:
            # Until it has started another server says what it waits for.
            waiting = await stack.enter_async_context(AsyncExitStack())
            await waiting.enter_async_context(served(early, settings.http_host, settings.http_port))
            service = await stack.enter_async_context(running(name, settings, build, health))
            await waiting.aclose()
            await serve(Starlette(routes=health.routes()), settings, health)
            return not service.has_failed

    try:
        if not asyncio.run(serve_all()):
            sys.exit(1)
    except PortTaken as error:
        where = f"{settings.http_host}:{settings.http_port}"
        print(f"Setting HTTP_PORT: {where} cannot be listened on ({error}).", file=sys.stderr)
        sys.exit(2)
