"""A small build of one organisation beside cross joins of another, at one replica."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Self

import asyncpg
import pytest
import pytest_asyncio

from chassis.testing import eventually
from contracts.envelope import new_id
from contracts.transform import BuildTransformation, TransformationBuilt

from ..transform.conftest import Stand, column_factory
from .measure import assert_undisturbed

__all__ = ["column_factory"]

SOURCE: dict[str, object] = {"type": "source", "table": "left"}
CROSS: dict[str, object] = {"type": "join", "with": "right", "join_type": "cross"}
# Hours of work for one core, and no row of it is written.
COUNTED: dict[str, object] = {
    "type": "group",
    "by": ["Word"],
    "aggregates": [{"column": "right_Word", "function": "max", "alias": "last"}],
}
LARGE = "SELECT n, md5(n::text) AS word FROM generate_series(1, 300000) n"
SMALL = "SELECT n, md5(n::text) AS word FROM generate_series(1, 100) n"


class CrossJoins(AbstractAsyncContextManager[object]):
    """Starts more builds than there are builders, and calls them off at its end."""

    def __init__(self, stand: Stand, command: BuildTransformation, count: int) -> None:
        self._stand = stand
        self._commands = [
            command.model_copy(update={"run_id": new_id(), "step_id": new_id()})
            for _ in range(count)
        ]

    async def __aenter__(self) -> Self:
        for command in self._commands:
            await self._stand.send(command)
        watcher = await asyncpg.connect(self._stand.ground.superuser_url)
        try:
            await eventually(lambda: _are_building(watcher), within=30)
        finally:
            await watcher.close()
        return self

    async def __aexit__(self, *_: object) -> None:
        for command in self._commands:
            await self._stand.cancel(command.run_id)
        await self._stand.idle(BuildTransformation)


async def _are_building(watcher: asyncpg.Connection) -> bool:
    """Whether as many work as one organisation may have at once."""
    found = await watcher.fetchval(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE usename = 'dalgo_transform' AND state = 'active' AND query LIKE 'CREATE TABLE%'"
    )
    assert found is not None
    return found >= 2


@pytest_asyncio.fixture
async def stand(start_service, ground, connect_bus) -> Callable[[], Awaitable[Stand]]:
    """Makes organisations beside a transform with the builders that it has by default."""
    await start_service("transform")

    async def make() -> Stand:
        stand = Stand(ground, new_id(), connect_bus)
        await stand.begin()
        return stand

    return make


@pytest.mark.timeout(240)
async def test_cross_joins_leave_a_builder_to_others(stand, column_factory) -> None:
    greedy, other = await stand(), await stand()
    held = column_factory(n="integer", word="text")
    for organization, select in ((greedy, LARGE), (other, SMALL)):
        await organization.source("left", select, held)
        await organization.source("right", select, held)
    endless = await greedy.transformation("Endless", SOURCE, CROSS, COUNTED)
    ordinary = await other.transformation("Ordinary", SOURCE, CROSS)

    async def build() -> None:
        built = await other.build(ordinary.id)
        assert isinstance(built, TransformationBuilt)

    await assert_undisturbed(build, CrossJoins(greedy, await greedy.command(endless.id), count=6))
