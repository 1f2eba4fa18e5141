"""A bus that heals while it runs: a store that was full, streams that are gone."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import nats
import psutil
import pytest
from nats.errors import Error as NatsError
from nats.js import JetStreamContext

from chassis.bus_login import BusLogin
from chassis.streams import missing
from chassis.testing import eventually
from contracts.orchestrator import StartRun
from contracts.streams import GIB
from stack import ports
from stack.bus_watch import BusWatch
from stack.nats import Nats
from stack.prepare import prepare_bus
from stack.unit import keep_up

from .conftest import EVERYTHING

MakeNats = Callable[..., Nats]
LOGIN = BusLogin("boss", "pw")


class Watched:
    """What the watch reports."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, line: str, seconds: float) -> None:
        self.lines.append(line)

    async def until(self, part: str) -> None:
        async def is_reported() -> bool:
            return any(part in line for line in self.lines)

        await eventually(is_reported, within=30)


@asynccontextmanager
async def _watched(server: Nats) -> AsyncIterator[Watched]:
    """The server with its streams, kept up and watched over as by `dalgo up`."""
    await asyncio.to_thread(server.start)
    await prepare_bus(server.url, LOGIN, store=GIB)
    told = Watched()

    async def call(work: Callable[[], object]) -> None:
        await asyncio.to_thread(work)

    async def restarted(_: bool) -> None:
        """Its port is its own, so that it moves nowhere."""

    watch = BusWatch(
        [server], lambda: server.url, LOGIN, replicas=1, store=GIB, call=call, report=told
    )
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(watch.run()),
            group.create_task(keep_up(server, call, told, restarted)),
        ]
        try:
            yield told
        finally:
            for task in tasks:
                task.cancel()


@asynccontextmanager
async def _jetstream(server: Nats) -> AsyncIterator[JetStreamContext]:
    connection = await nats.connect(server.url, user="boss", password="pw", error_cb=_quiet)
    try:
        yield connection.jetstream(timeout=1)
    finally:
        await connection.close()


async def _quiet(_: Exception) -> None:
    """The server is harmed here."""


async def _is_taken(jetstream: JetStreamContext, body: bytes = b"{}") -> bool:
    try:
        await jetstream.publish(StartRun.subject(), body)
    except (NatsError, OSError, TimeoutError):
        return False
    return True


async def test_a_store_that_could_not_be_written_takes_messages_again_by_itself(
    nats_server: MakeNats,
):
    server = nats_server(store_bytes=GIB)
    async with _watched(server) as told, _jetstream(server) as jetstream:
        assert await _is_taken(jetstream)
        limit = (0, psutil.RLIM_INFINITY)
        psutil.Process(server.pid).rlimit(psutil.RLIMIT_FSIZE, limit)
        assert not await _is_taken(jetstream)
        await told.until("cannot store messages")
        await told.until("runs again")
        await eventually(lambda: _is_taken(jetstream))
        # What was not answered may be stored too.
        assert (await jetstream.stream_info("CMD")).state.messages >= 2


async def test_streams_and_consumers_that_are_gone_are_made_again(nats_server: MakeNats):
    server = nats_server(store_bytes=GIB)
    async with _watched(server) as told, _jetstream(server) as jetstream:
        for name in ("CMD", "EVT", "KV_quotas"):
            await jetstream.delete_stream(name)
        await told.until("streams were missing and are made again: CMD, EVT, KV_quotas")
        assert await missing(jetstream) == []
        await jetstream.delete_consumer("CMD", "transform_publish_run_v1")
        await told.until("are made again: transform_publish_run_v1")


async def test_a_store_that_is_lost_is_made_anew(nats_server: MakeNats):
    server = nats_server(store_bytes=GIB)
    async with _watched(server) as told, _jetstream(server) as jetstream:
        (server.home / "jetstream").rename(server.home / "lost")
        assert server.pid is not None
        os.kill(server.pid, 9)
        await told.until("streams were missing and are made again: CMD, EVT")
        await eventually(lambda: _is_taken(jetstream))


@pytest.fixture
def small_disk(folder: Path) -> Iterator[Callable[[int], None]]:
    """A file system of 32 MiB for the server's store; called with another size it has that."""
    home = folder / "nats"
    home.mkdir(mode=0o700)

    def mount(megabytes: int, *more: str) -> bool:
        options = ",".join([f"size={megabytes}m", *more])
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(home)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    if os.geteuid() != 0 or not mount(32):
        pytest.skip("file systems can be mounted by root alone, where that is allowed")

    def resize(megabytes: int) -> None:
        assert mount(megabytes, "remount")

    yield resize
    subprocess.run(["umount", "--lazy", str(home)], check=True)


async def test_a_server_whose_disk_is_full_is_started_again_once_there_is_room(
    small_disk: Callable[[int], None], folder: Path
):
    port = ports.choose()
    server = Nats(
        folder / "nats",
        port,
        ports.choose(taken=[port]),
        users=EVERYTHING,
        system_password="pw",
        log=folder / "nats.log",
        runs=folder,
        store_bytes=GIB,
    )
    try:
        async with _watched(server) as told, _jetstream(server) as jetstream:
            pid = server.pid
            while await _is_taken(jetstream, bytes(500_000)):
                pass
            await told.until("no space left on device")
            held = (await jetstream.stream_info("CMD")).state.messages
            # As long as the disk is full a new start would be of no use.
            assert not await _is_taken(jetstream)
            assert server.pid == pid
            small_disk(128)
            await told.until("runs again")
            await eventually(lambda: _is_taken(jetstream))
            assert (await jetstream.stream_info("CMD")).state.messages > held
    finally:
        await asyncio.to_thread(server.stop)
