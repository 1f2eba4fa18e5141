"""Ordinary syncs of one organisation beside a login of another that takes places in the table of locks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count

import asyncpg
import pytest

from chassis.testing import eventually
from contracts.envelope import new_id
from contracts.ingest import CreateSource, ExternalConfig, IssueLoader
from contracts.problem import ProblemError
from contracts.shares import LOADER_LOCKS
from contracts.tables import LoaderLogin

from ..ingest.stand import Stand
from .measure import Flood, assert_undisturbed

_TABLES = "".join(f"CREATE TABLE t_{n} (n int);" for n in range(LOADER_LOCKS.each + 100))
"""In one transaction each of them is locked until it ends."""


async def test_a_login_that_locks_thousands_of_tables_is_ended_and_its_organisation_waits(
    ground, connect_bus, start_service
) -> None:
    await start_service("transform")
    await start_service("ingest")
    greedy, other = Stand(ground, new_id(), connect_bus), Stand(ground, new_id(), connect_bus)
    await greedy.begin()
    await other.begin()
    names = (f"people {n}" for n in count())
    login = (await greedy.ask(IssueLoader(source_id=await _external(greedy, "wells")))).login
    another = await _external(greedy, "rivers")

    async def sync() -> None:
        source = await other.source(name=next(names))
        assert (await other.synced(source)).tables[0].rows == 2

    async def fill() -> None:
        session = await _logged_in(login)
        try:
            await session.execute(f"BEGIN; {_TABLES}")
        finally:
            await session.close()

    again = Flood(fill, width=2)

    @asynccontextmanager
    async def filled() -> AsyncIterator[None]:
        session = await _logged_in(login)
        await session.execute("BEGIN")
        with suppress(asyncpg.PostgresConnectionError, asyncpg.AdminShutdownError):
            await session.execute(_TABLES)

        async def is_shut() -> bool:
            try:
                await (await _logged_in(login)).close()
            except asyncpg.TooManyConnectionsError:
                return session.is_closed()
            return False

        await eventually(is_shut, within=30)
        async with again:
            yield

    await assert_undisturbed(sync, filled())
    assert {type(outcome) for outcome in again.outcomes} == {asyncpg.TooManyConnectionsError}
    with pytest.raises(ProblemError) as refused:
        await greedy.ask(IssueLoader(source_id=another))
    assert (refused.value.problem.status, refused.value.problem.code) == (429, "loaders_paused")


async def _external(stand: Stand, name: str):
    config = ExternalConfig(table=name)
    request = CreateSource(source_id=new_id(), name=name, source_type="external", config=config)
    return (await stand.ask(request)).id


async def _logged_in(login: LoaderLogin) -> asyncpg.Connection:
    return await asyncpg.connect(
        host=login.host,
        port=login.port,
        user=login.username,
        password=login.password.get_secret_value(),
        database=login.database,
    )
