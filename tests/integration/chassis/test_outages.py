"""What a service makes of a bus that is away while it starts, or silent while it publishes."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from uuid import UUID

import pytest
import pytest_asyncio

from chassis.bus import Bus
from chassis.settings import BusSettings
from chassis.streams import apply
from contracts.auth import OrganizationCreated
from stack.servers import Servers
from stack.users import MIGRATOR

PASSWORD = "only-for-tests"


@pytest.fixture
def own_servers() -> Iterator[Servers]:
    """Servers that nobody else uses: they are stopped here."""
    with Servers.temporary(password=PASSWORD) as servers:
        yield servers


@pytest_asyncio.fixture
async def own_bus(own_servers: Servers) -> AsyncIterator[Bus]:
    """The bus of those servers, with its streams."""
    settings = BusSettings.model_validate(
        {"nats_url": own_servers.nats_url, "nats_user": MIGRATOR, "nats_password": PASSWORD}
    )
    bus = await Bus.connect(settings, "auth")
    await apply(bus.jetstream)
    yield bus
    await bus.close()


async def test_who_begins_to_listen_while_the_server_restarts_hears_afterwards(
    own_servers: Servers, own_bus: Bus
):
    heard = asyncio.Event()

    async def hear(_: object) -> None:
        heard.set()

    await asyncio.to_thread(own_servers.nats.stop)
    listening = asyncio.create_task(own_bus.watch("tick.>", hear))
    await asyncio.sleep(0.1)
    assert not listening.done()
    await asyncio.to_thread(own_servers.nats.start)
    await listening
    await own_bus.connection.publish("tick.one", b"")
    async with asyncio.timeout(10):
        await heard.wait()


async def test_an_event_is_stored_once_when_the_server_was_silent_for_longer_than_one_try(
    own_servers: Servers, own_bus: Bus, org_id: UUID
):
    pid = own_servers.nats.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        event = OrganizationCreated(organization_id=org_id, name="Silent")
        telling = asyncio.create_task(own_bus.publish(event, org_id=org_id))
        _, waiting = await asyncio.wait({telling}, timeout=3)
        assert waiting
    finally:
        os.kill(pid, signal.SIGCONT)
    await telling
    assert (await own_bus.jetstream.stream_info("EVT")).state.messages == 1
