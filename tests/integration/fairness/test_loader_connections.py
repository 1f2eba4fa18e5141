"""Ordinary syncs of one organisation while another's loaders hold all connections that they get."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count

import asyncpg

from contracts.envelope import new_id
from contracts.ingest import CreateSource, ExternalConfig, IssueLoader
from contracts.problem import ProblemError
from contracts.shares import LOADER_CONNECTIONS, LOADERS
from contracts.tables import LoaderLogin

from ..ingest.stand import Stand
from .measure import assert_undisturbed

_SOURCES = 2 * LOADERS.each + 2
_TRIES = 8
"""Connections that every login tries to hold."""


async def test_loaders_that_hold_all_they_get_leave_connections_to_others(
    ground, connect_bus, start_service
) -> None:
    await start_service("transform")
    await start_service("ingest")
    greedy, other = Stand(ground, new_id(), connect_bus), Stand(ground, new_id(), connect_bus)
    await greedy.begin()
    await other.begin()
    names = (f"people {n}" for n in count())

    async def sync() -> None:
        source = await other.source(name=next(names))
        assert (await other.synced(source)).tables[0].rows == 2

    held: list[asyncpg.Connection] = []
    refused: list[str] = []

    @asynccontextmanager
    async def crowd() -> AsyncIterator[None]:
        async with AsyncExitStack() as sessions:
            for n in range(_SOURCES):
                config = ExternalConfig(table=f"wells_{n}")
                request = CreateSource(
                    source_id=new_id(), name=f"wells {n}", source_type="external", config=config
                )
                source = await greedy.ask(request)
                try:
                    login = (await greedy.ask(IssueLoader(source_id=source.id))).login
                except ProblemError as error:
                    refused.append(error.problem.code)
                    continue
                held.extend(await _hold(login, sessions))
            yield

    await assert_undisturbed(sync, crowd())
    assert refused == ["too_many_loaders"] * (_SOURCES - LOADERS.each)
    assert len(held) == LOADERS.each * LOADER_CONNECTIONS.each


async def _hold(login: LoaderLogin, sessions: AsyncExitStack) -> list[asyncpg.Connection]:
    """As many connections as the login gets."""
    held: list[asyncpg.Connection] = []
    for _ in range(_TRIES):
        try:
            connection = await asyncpg.connect(
                host=login.host,
                port=login.port,
                user=login.username,
                password=login.password.get_secret_value(),
                database=login.database,
            )
        except asyncpg.TooManyConnectionsError:
            break
        held.append(connection)
        sessions.push_async_callback(connection.close)
    return held
