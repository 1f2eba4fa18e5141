"""The whole stack with real servers and stand-ins for the services."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress

import asyncpg
import psutil
import pytest

from chassis.bus_login import BusLogin
from contracts.streams import STORE
from stack.control import down, status
from stack.errors import StackError
from stack.layout import Layout
from stack.process import is_alive, read_record, wait_until
from stack.secrets import load
from stack.servers import Servers
from stack.services import NAMES
from stack.state import only_one, read_state
from stack.supervisor import Options, Stack

from .staging import Told, environment_of, make_stack

UP = """
import asyncio, os, sys
from pathlib import Path
from stack.layout import Layout
from stack.supervisor import Options, Stack, up

async def nothing(*_):
    pass

options = Options(Layout(Path(sys.argv[1])))
stack = Stack(options, prepare_database=nothing, prepare_bus=nothing)
asyncio.run(up(options, lambda line, _: print(line, flush=True), stack=stack))
"""
EVERYBODY = {"postgres", "nats", *NAMES}


async def _until(condition: Callable[[], bool], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in other processes
            await asyncio.sleep(0.02)


async def test_a_start_brings_everything_up_and_a_stop_leavesnothing(
    layout: Layout, environ: dict[str, str]
):
    told = Told()
    seen: list[tuple[object, ...]] = []

    async def prepare(*arguments: object) -> None:
        seen.append(arguments)

    with only_one(layout):
        stack = make_stack(layout, environ, prepare_database=prepare, prepare_bus=prepare)
        await stack.start(told)
        assert stack.url is not None
        assert told.lines[-1] == f"ready at {stack.url}"
        now = status(layout)
        assert now.running
        assert now.ready
        assert {part.name for part in now.parts} == {*EVERYBODY, "supervisor"}
        assert all(part.memory_mb > 0 for part in now.parts)
        processes = [psutil.Process(part.pid) for part in now.parts if part.name in EVERYBODY]
        await stack.stop()
    assert not any(is_alive(process) for process in processes)
    assert not status(layout).running

    secrets = load(layout.secrets, NAMES)
    (database_url, passwords), (_, login, *sizes) = sorted(seen, key=len)
    assert str(database_url).startswith("postgresql://dalgo_migrator:")
    assert passwords == {name: secrets.database[name] for name in NAMES if name != "gateway"}
    assert login == BusLogin("migrator", secrets.bus["migrator"])
    assert sizes == [1, STORE]


async def test_each_service_gets_its_own_login_and_only_the_keys_it_needs(
    layout: Layout, environ: dict[str, str]
):
    stack = make_stack(layout, environ | {"LOG_LEVEL": "DEBUG", "SMTP_URL": "smtp://x"})
    await stack.start(Told())
    secrets = load(layout.secrets, NAMES)
    told = {name: environment_of(layout, name) for name in NAMES}
    for name in NAMES:
        assert told[name]["NATS_USER"] == name
        assert told[name]["NATS_PASSWORD"] == secrets.bus[name]
        assert told[name]["HTTP_HOST"] == "127.0.0.1"
        assert told[name]["LOG_LEVEL"] == "DEBUG"
        text = json.dumps(told[name])
        assert secrets.superuser not in text
        assert secrets.migrator not in text
        others = [secrets.bus[other] for other in secrets.bus if other != name]
        assert not [password for password in others if password in text]
    assert f"//dalgo_ingest:{secrets.database['ingest']}@" in told["ingest"]["DATABASE_URL"]
    assert "DATABASE_URL" not in told["gateway"]
    assert "MASK_KEY" not in told["gateway"]
    assert "MASK_KEY" not in told["auth"]
    assert told["ingest"]["OBJECT_STORE_URL"] == (layout.root / "objects").as_uri()
    assert "SMTP_URL" not in told["gateway"]
    await stack.stop()


async def test_the_second_start_has_the_same_data_ports_and_secrets(
    layout: Layout, environ: dict[str, str]
):
    urls: list[str] = []

    async def remember(url: str, _: object) -> None:
        urls.append(url)

    first = make_stack(layout, environ, prepare_database=remember)
    await first.start(Told())
    connection = await asyncpg.connect(urls[0])
    await connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
    await connection.close()
    ports = read_state(layout).ports
    await first.stop()

    second = make_stack(layout, environ, prepare_database=remember)
    await second.start(Told())
    assert urls[0] == urls[1]
    assert read_state(layout).ports == ports
    assert first.url == second.url
    connection = await asyncpg.connect(urls[1])
    assert await connection.fetchval("SELECT n FROM kept") == 7
    await connection.close()
    await second.stop()


async def test_a_port_that_another_program_has_taken_since_is_avoided(
    layout: Layout, environ: dict[str, str]
):
    first = make_stack(layout, environ)
    await first.start(Told())
    await first.stop()
    before = read_state(layout).ports
    with (
        socket.create_server(("127.0.0.1", before["gateway"])),
        socket.create_server(("127.0.0.1", before["postgres"])),
    ):
        second = make_stack(layout, environ)
        await second.start(Told())
        after = read_state(layout).ports
        assert after["gateway"] != before["gateway"]
        assert after["postgres"] != before["postgres"]
        await second.stop()


async def test_whatever_is_killed_is_started_again(layout: Layout, environ: dict[str, str]):
    told = Told()
    stack = make_stack(layout, environ)
    await stack.start(told)
    running = asyncio.create_task(stack.run(told))
    for name in ("ingest", "postgres", "nats", "gateway"):
        record = read_record(layout.runs, name)
        assert record is not None
        os.kill(record.pid, signal.SIGKILL)
        await _until(lambda name=name: told.has(f"{name} runs again"))
        again = read_record(layout.runs, name)
        assert again is not None
        assert again.pid != record.pid
    assert all(part.ready for part in status(layout).parts)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    await stack.stop()


async def test_a_service_that_ends_at_start_is_named_with_the_end_of_its_log(
    layout: Layout, environ: dict[str, str]
):
    stack = make_stack(layout, environ | {"FAIL": "transform"})
    with pytest.raises(StackError, match=r"(?s)transform ended.*SOMETHING is not set"):
        await stack.start(Told())
    assert status(layout).parts == []


async def test_a_failing_migration_stops_everything(layout: Layout, environ: dict[str, str]):
    async def fail(*_: object) -> None:
        raise RuntimeError("migration was changed")

    stack = make_stack(layout, environ, prepare_database=fail)
    with pytest.raises(StackError, match="was changed"):
        await stack.start(Told())
    assert status(layout).parts == []


async def test_given_servers_are_used_instead_of_own_ones(layout: Layout, environ: dict[str, str]):
    with Servers.temporary(password="pw") as servers:
        bus = servers.nats_url.replace("nats://", "nats://migrator:pw@")
        given = {"SUPABASE_DB_URL": servers.migrator_url, "NATS_URL": bus}
        stack = make_stack(layout, environ | given)
        await stack.start(Told())
        assert {part.name for part in status(layout).parts} == set(NAMES)
        told = environment_of(layout, "auth")
        assert f"@127.0.0.1:{servers.postgres.port}/dalgo" in told["DATABASE_URL"]
        assert told["NATS_URL"] == servers.nats_url
        assert told["NATS_USER"] == "migrator"
        await stack.stop()


def _up(layout: Layout, environ: dict[str, str]) -> subprocess.Popen[bytes]:
    output = layout.root.with_suffix(".out")
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-c", UP, str(layout.root)], env=environ, stdout=file, stderr=file
        )
    assert wait_until(lambda: "ready at" in output.read_text() or process.poll() is not None, 20)
    assert process.poll() is None, output.read_text()
    return process


def _processes(layout: Layout) -> list[psutil.Process]:
    found = [psutil.Process(part.pid) for part in status(layout).parts]
    return found + [child for process in found for child in process.children(recursive=True)]


def test_down_stops_a_running_up_and_all_that_it_has_started(
    layout: Layout, environ: dict[str, str]
):
    process = _up(layout, environ)
    everything = _processes(layout)
    told = Told()
    down(layout, told)
    assert told.lines == ["stopped"]
    assert process.wait(10) == 0
    assert wait_until(lambda: not any(is_alive(one) for one in everything), 5)


def test_a_second_up_on_the_same_data_is_refused(layout: Layout, environ: dict[str, str]):
    process = _up(layout, environ)
    done = subprocess.run(
        [sys.executable, "-c", UP, str(layout.root)],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "already runs" in done.stderr
    assert status(layout).ready
    down(layout, Told())
    process.wait(10)


def test_what_a_killed_up_has_left_is_stopped_by_down(layout: Layout, environ: dict[str, str]):
    process = _up(layout, environ)
    everything = [one for one in _processes(layout) if one.pid != process.pid]
    process.kill()
    process.wait()
    assert not status(layout).running
    assert all(is_alive(one) for one in everything)
    down(layout, Told())
    assert wait_until(lambda: not any(is_alive(one) for one in everything), 5)


def test_what_a_killed_up_has_left_is_replaced_by_the_next_up(
    layout: Layout, environ: dict[str, str]
):
    first = _up(layout, environ)
    left = [one for one in _processes(layout) if one.pid != first.pid]
    url = status(layout).url
    first.kill()
    first.wait()
    second = _up(layout, environ)
    assert wait_until(lambda: not any(is_alive(one) for one in left), 5)
    now = status(layout)
    assert now.ready
    assert now.url == url
    down(layout, Told())
    second.wait(10)


def test_down_withnothing_running_says_so(layout: Layout):
    told = Told()
    down(layout, told)
    assert told.lines == ["nothing was running"]


async def test_a_start_migrates_the_database_and_makes_the_streams(
    layout: Layout, environ: dict[str, str]
):
    stack = Stack(Options(layout, environ=environ))
    told = Told()
    await stack.start(told)
    assert told.has("database migrated")
    assert told.has("streams in place")
    secrets = load(layout.secrets, NAMES)
    port = read_state(layout).ports["postgres"]
    url = (
        f"postgresql://dalgo_orchestrator:{secrets.database['orchestrator']}@127.0.0.1:{port}/dalgo"
    )
    connection = await asyncpg.connect(url)
    await connection.close()
    await stack.stop()


async def test_a_given_database_that_is_not_there_is_told_in_words(
    layout: Layout, environ: dict[str, str]
):
    given = {"DATABASE_URL": "postgresql://nobody:hidden@127.0.0.1:9/dalgo"}
    stack = Stack(Options(layout, environ=environ | given))
    with pytest.raises(StackError, match="database could not be prepared") as caught:
        await stack.start(Told())
    assert "hidden" not in str(caught.value)
    assert status(layout).parts == []
