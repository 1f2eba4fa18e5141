"""`dalgo topology`: from the environment, idempotent, with what an operator should change."""

import asyncio
import os
import re
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import nats
import pytest
import structlog
from nats.aio.client import Client
from nats.js.api import StreamConfig
from typer.testing import CliRunner

from chassis.streams import missing
from contracts.streams import GIB, service
from dalgo.cli.app import app
from stack import ports
from stack.nats import Nats, program
from stack.probe import get
from stack.process import wait_until

MakeNats = Callable[..., Nats]


@asynccontextmanager
async def _connected(server: Nats) -> AsyncIterator[Client]:
    connection = await nats.connect(server.url, user="boss", password="pw")
    yield connection
    await connection.close()


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[pytest.MonkeyPatch]:
    """The environment of a Job: no data directory, no servers of this machine."""
    monkeypatch.setenv("DALGO_DATA_DIR", str(folder / "none"))
    monkeypatch.setenv("NATS_STORE_BYTES", str(GIB))
    logged = structlog.get_config()["wrapper_class"]
    yield monkeypatch
    structlog.configure(wrapper_class=logged)


async def _type(*words: str):
    return await asyncio.to_thread(CliRunner().invoke, app, ["topology", *words])


async def test_streams_are_made_from_the_environment_and_stay_when_it_is_run_again(
    nats_server: MakeNats, environ
):
    server = nats_server(test=False, store_bytes=2 * GIB)
    server.start()
    environ.setenv("NATS_URL", server.url.replace("//", "//boss:pw@"))
    environ.setenv("NATS_MONITOR_URL", f"http://127.0.0.1:{server.http_port}")
    async with _connected(server) as connection:
        jetstream = connection.jetstream()
        for _ in range(2):
            done = await _type()
            assert done.exit_code == 0, done.output
            assert done.output == "Streams and consumers are in place.\n"
            assert await missing(jetstream) == []
            await jetstream.publish("cmd.kept", b"")
        assert (await jetstream.stream_info("CMD")).state.messages == 2


async def test_a_server_that_may_lose_or_be_filled_is_warned_of(nats_server: MakeNats, environ):
    # A server of tests syncs when it likes.
    server = nats_server(test=True, store_bytes=2 * GIB)
    server.start()
    environ.setenv("NATS_URL", server.url.replace("//", "//boss:pw@"))
    environ.setenv("NATS_MONITOR_URL", f"http://127.0.0.1:{server.http_port}")
    async with _connected(server) as connection:
        await connection.jetstream().add_stream(StreamConfig(name="OTHERS", subjects=["others"]))
    told = (await _type()).output
    assert "acknowledges before it has synced" in told
    assert "The stream OTHERS of another program has no max_bytes" in told
    environ.delenv("NATS_MONITOR_URL")
    assert "set NATS_MONITOR_URL" in (await _type()).output


async def test_a_bus_that_is_away_is_an_error_with_its_name(environ):
    environ.setenv("NATS_URL", f"nats://127.0.0.1:{ports.choose()}")
    done = await _type()
    assert done.exit_code == 1
    assert "The bus cannot be reached at nats://127.0.0.1" in done.output


@pytest.fixture
def printed(folder: Path) -> Iterator[int]:
    """The port of a server with the users that were printed, whose passwords its environment has."""
    text = CliRunner().invoke(app, ["topology", "--print-nats"]).output
    port, monitor = ports.choose(), ports.choose()
    config = folder / "nats.conf"
    config.write_text(f'host: "127.0.0.1"\nport: {port}\nhttp: "127.0.0.1:{monitor}"\n{text}')
    names = re.findall(r"\$(NATS_PASSWORD_\w+)", text)
    process = subprocess.Popen(
        [program(), "-c", config],
        env=os.environ | {name: f"{name.lower()}_1" for name in names},
        stderr=subprocess.DEVNULL,
    )
    assert wait_until(lambda: get(monitor, "/healthz", timeout=1).status == 200, 20)
    yield port
    process.terminate()
    process.wait()


async def test_the_users_that_are_printed_are_those_of_the_contracts(printed: int):
    refused: list[str] = []

    async def on_error(error: Exception) -> None:
        refused.append(str(error).lower())

    connection = await nats.connect(
        f"nats://127.0.0.1:{printed}",
        user="auth",
        password="nats_password_auth_1",
        error_cb=on_error,
        inbox_prefix="_INBOX_auth",
    )
    await connection.publish("evt.system.ingest.told.v1", b"")
    await connection.publish(service("auth").pulse, b"")
    await connection.flush()
    await connection.flush()
    await connection.close()
    assert len(refused) == 1
    assert "evt.system.ingest.told.v1" in refused[0]
