"""What tests of one service share: its neighbours on the bus, each with their real rights."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import quote

import asyncpg
import pytest
import pytest_asyncio
import structlog
from typer.testing import CliRunner, Result

from chassis.answers import Answers
from chassis.bus import Bus
from contracts.envelope import Meta
from contracts.message import Part, Request
from dalgo.cli.app import app

Type = Callable[..., Awaitable[Result]]
Handlers = dict[type[Request], Callable[[Any, Meta], Awaitable[Part]]]


@pytest.fixture(scope="module", autouse=True)
def closed_loaders(postgres_url: str) -> Iterator[None]:
    """Closes the module's loader logins: each is promised connections of the session's server."""
    yield

    async def close() -> None:
        superuser = await asyncpg.connect(postgres_url)
        open_loaders = await superuser.fetch(
            "SELECT quote_ident(rolname) FROM pg_roles WHERE rolname ~ '_loader_' AND rolcanlogin"
        )
        for (login,) in open_loaders:
            await superuser.execute(f"ALTER ROLE {login} NOLOGIN")
        await superuser.close()

    asyncio.run(close())


@pytest_asyncio.fixture
async def stand_in(ground) -> AsyncIterator[Callable[[str, Handlers], Awaitable[None]]]:
    """Answers requests in the place of a service that is not under test."""
    async with AsyncExitStack() as stack:

        async def start(service: str, handlers: Handlers) -> None:
            answers = Answers(ground.bus(service), service)
            for kind, handler in handlers.items():
                answers.answer(kind, handler)
            await answers.start()
            stack.push_async_callback(answers.stop)

        yield start


@pytest_asyncio.fixture
async def connect_bus(ground) -> AsyncIterator[Callable[[str], Awaitable[Bus]]]:
    """Opens connections to the bus as a user of it; closes them after the test."""
    async with AsyncExitStack() as stack:

        async def connect(name: str) -> Bus:
            bus = await Bus.connect(ground.bus(name), name)
            stack.push_async_callback(bus.close)
            return bus

        yield connect


@pytest.fixture
def typed(ground, tmp_path, monkeypatch) -> Iterator[Type]:
    """Runs a command of the operator on the session's servers: `await typed("dlq", "list")`."""
    # What services log meanwhile in this process is not what the command prints.
    before = structlog.get_config()["logger_factory"]
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    login = ground.bus("migrator")
    assert login.nats_password is not None
    password = quote(login.nats_password.get_secret_value())
    monkeypatch.setenv("DATABASE_URL", ground.migrator_url)
    monkeypatch.setenv("NATS_URL", ground.nats_url.replace("//", f"//migrator:{password}@"))
    monkeypatch.setenv("DALGO_DATA_DIR", str(tmp_path / "data"))

    async def run(*words: object, text: str | None = None) -> Result:
        # In a thread: the command has a loop of its own.
        return await asyncio.to_thread(CliRunner().invoke, app, list(map(str, words)), text)

    yield run
    structlog.configure(logger_factory=before)
