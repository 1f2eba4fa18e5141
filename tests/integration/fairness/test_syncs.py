"""An organisation whose syncs wait for a slow server, beside one that syncs a file."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from copy import deepcopy

import pytest
from pydantic import SecretStr

from chassis.testing import eventually
from contracts.envelope import new_id
from contracts.ingest import CreateSource, KoboConfig, SourceSynced

from ...servers import kobo
from ...servers.households import CONTENT
from ...servers.kobo import KoboServer
from ..ingest.conftest import (  # noqa: F401  fixtures
    RunIngest,
    connect_bus,
    other,
    run_ingest,
    stand,
    transform,
)
from ..ingest.stand import Stand
from .measure import assert_undisturbed

SYNCS = 5
"""More than a replica does at once."""


@pytest.fixture
def server() -> Iterator[KoboServer]:
    with kobo.running() as server:
        yield server


async def test_syncs_that_wait_for_a_slow_server_leave_a_slot_to_others(
    stand: Stand,  # noqa: F811
    other: Stand,  # noqa: F811
    transform: None,  # noqa: F811
    run_ingest: RunIngest,  # noqa: F811
    server: KoboServer,
) -> None:
    form = server.add_form("Households", deepcopy(CONTENT))
    config = KoboConfig(server_url=server.url, form_id=form.uid, api_token=SecretStr(server.token))

    async def ordinary() -> None:
        assert isinstance(await other.outcome(await other.sync(people)), SourceSynced)

    @asynccontextmanager
    async def greedy() -> AsyncIterator[None]:
        server.is_slow = True
        calls = len(server.calls)
        commands = [await stand.sync(source) for source in forms]

        async def they_wait() -> bool:
            return len(server.calls) > calls + 1

        await eventually(they_wait, within=30)
        yield
        for command in commands:
            await stand.cancel(command.run_id)
        await stand.idle()

    async with run_ingest(kobo_allowed_origins=(server.url,)):
        people = await other.source()
        forms = [
            await stand.ask(
                CreateSource(
                    source_id=new_id(), name=f"form {n}", source_type="kobo", config=config
                )
            )
            for n in range(SYNCS)
        ]
        await assert_undisturbed(ordinary, greedy(), times=3)
