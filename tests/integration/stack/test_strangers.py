"""Other programs on the ports of the stack: they are not taken for it, and it moves out of their way."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

from stack import services
from stack.control import status
from stack.layout import Layout
from stack.process import is_alive, read_record, wait_until
from stack.state import only_one, read_state

from .staging import Told, environment_of, make_stack

STRANGER = """
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")
server = HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
print("here", flush=True)
server.serve_forever()
"""


@contextmanager
def _stranger(port: int) -> Iterator[None]:
    """A program that answers 200 to whatever is asked on the port."""
    process = subprocess.Popen(
        [sys.executable, "-c", STRANGER, str(port)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"here\n"
        yield
    finally:
        process.kill()
        process.communicate()


def _kill(layout: Layout, name: str) -> psutil.Process:
    record = read_record(layout.runs, name)
    assert record is not None
    process = psutil.Process(record.pid)
    family = [process, *process.children(recursive=True)]
    os.kill(record.pid, signal.SIGKILL)
    assert wait_until(lambda: not any(is_alive(each) for each in family), 10)
    return process


async def _keep_up(stack, told: Told, until: str) -> None:
    running = asyncio.create_task(stack.run(told))
    async with asyncio.timeout(30):
        while not told.has(until):  # noqa: ASYNC110 - what is waited for happens in other processes
            await asyncio.sleep(0.02)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_a_stack_whose_port_another_program_answers_on_is_not_ready(layout, environ):
    with only_one(layout):
        stack = make_stack(layout, environ)
        await stack.start(Told())
        assert status(layout).ready
        port = read_state(layout).ports["gateway"]
        _kill(layout, "gateway")
        with _stranger(port):
            now = status(layout)
            assert not now.ready
            gateway = next(part for part in now.parts if part.name == "gateway")
            assert (gateway.ready, gateway.pid) == (False, None)
            other = read_record(layout.runs, "auth")
            assert other is not None
            assert not services.is_ready(psutil.Process(other.pid), port)
        await stack.stop()


async def test_a_service_whose_port_was_taken_after_its_death_comes_back_on_another(
    layout,
    environ,
):
    told = Told()
    with only_one(layout):
        stack = make_stack(layout, environ)
        await stack.start(told)
        old = read_state(layout).ports["gateway"]
        _kill(layout, "gateway")
        with _stranger(old):
            await _keep_up(stack, told, "gateway runs again")
            new = read_state(layout).ports["gateway"]
            assert new != old
            assert told.has(f"port {old} is taken by another program: gateway uses {new}")
            now = status(layout)
            assert now.ready
            assert now.url == stack.url == f"http://127.0.0.1:{new}"
            assert told.has(f"ready at {now.url}")
        await stack.stop()


async def test_services_follow_a_server_that_had_to_move(layout, environ):
    told = Told()
    with only_one(layout):
        stack = make_stack(layout, environ)
        await stack.start(told)
        for server, setting in (("postgres", "DATABASE_URL"), ("nats", "NATS_URL")):
            old = read_state(layout).ports[server]
            _kill(layout, server)
            with _stranger(old):
                await _keep_up(stack, told, f"{server} runs again")
                await _keep_up(stack, told, "orchestrator runs again")
                told.lines.clear()
            new = read_state(layout).ports[server]
            assert new != old
            assert f":{new}" in environment_of(layout, "orchestrator")[setting]
        await stack.stop()


async def test_a_preferred_port_that_is_taken_is_named_at_the_start(layout, environ):
    first = make_stack(layout, environ)
    await first.start(Told())
    await first.stop()
    old = read_state(layout).ports["ingest"]
    told = Told()
    with _stranger(old):
        second = make_stack(layout, environ)
        await second.start(told)
        new = read_state(layout).ports["ingest"]
        assert told.has(f"port {old} is taken by another program: ingest uses {new}")
        await second.stop()


async def test_logs_are_rotated_while_the_stack_runs(layout, environ):
    stack = make_stack(layout, environ | {"LOG_ROTATE_BYTES": "65536", "LOG_ROTATE_COUNT": "2"})
    await stack.start(Told())
    running = asyncio.create_task(stack.run(Told()))
    names = ("postgres", "nats", "auth")
    for name in names:
        with layout.log(name).open("a") as file:
            file.write("x" * 70_000 + "\n")
    async with asyncio.timeout(30):
        while not all((layout.logs / f"{name}.log.1").exists() for name in names):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert all(layout.log(name).stat().st_size < 65_536 for name in names)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    await stack.stop()
