"""A bus whose store is full or lost: who notices, and what is sent again."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import UUID

import psutil
import pytest
import pytest_asyncio

from chassis import streams
from chassis.bus import Bus
from chassis.database import Connection, Database
from chassis.lost_streams import LostStreams
from chassis.migrations import Target, migrate
from chassis.names import schema
from chassis.outbox import Outbox, Outgoing, Relay
from chassis.pulse import Pulse
from chassis.settings import BusSettings, ServiceSettings
from chassis.testing import eventually
from contracts.orchestrator import RunCancelRequested
from contracts.streams import Stream
from stack.servers import Servers
from stack.users import MIGRATOR

PASSWORD = "only-for-tests"
NAME = "orchestrator"


@pytest.fixture
def own_servers() -> Iterator[Servers]:
    """Servers that nobody else uses: their store is harmed here."""
    with Servers.temporary(password=PASSWORD) as servers:
        yield servers


def _settings(servers: Servers, user: str) -> BusSettings:
    return BusSettings.model_validate(
        {"nats_url": servers.nats_url, "nats_user": user, "nats_password": PASSWORD}
    )


@pytest_asyncio.fixture
async def migrator(own_servers: Servers) -> AsyncIterator[Bus]:
    """The bus as who may make its streams, which are there."""
    bus = await Bus.connect(_settings(own_servers, MIGRATOR), "auth")
    await streams.apply(bus.jetstream)
    yield bus
    await bus.close()


@pytest_asyncio.fixture
async def bus(own_servers: Servers, migrator: Bus) -> AsyncIterator[Bus]:
    """The bus as a service."""
    bus = await Bus.connect(_settings(own_servers, NAME), NAME)
    yield bus
    await bus.close()


@pytest_asyncio.fixture
async def connect_database(
    own_servers: Servers,
) -> AsyncIterator[Callable[[], Awaitable[Database]]]:
    """Pools of the service's own login, as two replicas have them."""
    targets = [Target(name, PASSWORD) for name in ("auth", "ingest", "transform", NAME)]
    await migrate(own_servers.migrator_url, targets)
    rest = own_servers.migrator_url.partition("@")[2]
    settings = ServiceSettings.model_validate(
        {
            "nats_url": own_servers.nats_url,
            "database_url": f"postgresql://{schema(NAME)}:{PASSWORD}@{rest}",
        }
    )
    async with AsyncExitStack() as stack:

        async def connect() -> Database:
            database = await Database.connect(settings, NAME)
            stack.push_async_callback(database.close)
            return database

        yield connect


def _let_write(servers: Servers, most: int) -> None:
    """Bytes that the server may have in a file: with none, every write of it fails (EFBIG)."""
    psutil.Process(servers.nats.pid).rlimit(psutil.RLIMIT_FSIZE, (most, psutil.RLIM_INFINITY))


async def test_a_store_that_refuses_messages_is_seen_until_the_server_is_started_again(
    own_servers: Servers, bus: Bus
):
    await Pulse(bus).check()
    _let_write(own_servers, 0)
    with pytest.raises(RuntimeError, match="does not store messages"):
        await Pulse(bus).check()
    # Room alone is no help: the server keeps the error.
    _let_write(own_servers, psutil.RLIM_INFINITY)
    with pytest.raises(RuntimeError, match="does not store messages"):
        await Pulse(bus).check()
    assert "write error" in (own_servers.nats.write_error() or "")
    await asyncio.to_thread(own_servers.nats.stop)
    await asyncio.to_thread(own_servers.nats.start)
    assert own_servers.nats.write_error() is None

    async def is_well() -> bool:
        try:
            await Pulse(bus).check()
        except RuntimeError:
            return False
        return True

    await eventually(is_well)


async def test_a_stream_that_refuses_what_the_service_sends_is_named(
    own_servers: Servers, bus: Bus, org_id: UUID
):
    pulse = Pulse(bus)
    event = RunCancelRequested(run_id=org_id, version=1)
    _let_write(own_servers, 0)
    sending = asyncio.create_task(bus.publish(event, org_id=org_id))

    async def is_refused() -> bool:
        return "EVT" in bus.refused

    await eventually(is_refused)
    with pytest.raises(RuntimeError, match="refuses messages for EVT"):
        await pulse.check()
    sending.cancel()


async def test_a_stream_that_is_gone_is_named_with_the_way_out(bus: Bus, migrator: Bus):
    await migrator.jetstream.delete_stream("CMD")
    with pytest.raises(RuntimeError, match="the stream CMD is not there: `dalgo topology`"):
        await Pulse(bus).check()
    await migrator.jetstream.delete_stream("PULSE")
    assert await streams.missing(migrator.jetstream) == ["CMD", "PULSE"]
    await streams.apply(migrator.jetstream)
    assert await streams.missing(migrator.jetstream) == []
    await Pulse(bus).check()


async def test_a_consumer_that_is_gone_is_missing(migrator: Bus):
    await migrator.jetstream.delete_consumer("EVT", "ingest_events")
    assert await streams.missing(migrator.jetstream) == ["ingest_events"]


class Replica:
    """A service's outbox with its relay, and what it is called for when a stream was lost."""

    def __init__(self, database: Database, bus: Bus) -> None:
        self.database = database
        self.outbox = Outbox(NAME)
        self.relay = Relay(database, bus, self.outbox)
        self.lost = LostStreams(database, bus, self.outbox)
        self.repaired: list[str] = []
        self.lost.repair(self._repair)

    async def _repair(self, connection: Connection, stream: Stream) -> None:
        self.repaired.append(stream.name)

    async def put(self, org_id: UUID, *versions: int) -> None:
        """Commit events and send them."""
        events = [RunCancelRequested(run_id=org_id, version=version) for version in versions]
        async with self.database.transaction() as connection:
            rows = await self.outbox.put(connection, [Outgoing(each, org_id) for each in events])
        self.outbox.hand_over(rows)


async def _stored(migrator: Bus) -> int:
    return (await migrator.jetstream.stream_info("EVT")).state.messages


async def test_what_a_lost_stream_held_is_sent_again_by_one_replica(
    bus: Bus, migrator: Bus, connect_database, org_id: UUID
):
    one, other = [Replica(await connect_database(), bus) for _ in range(2)]
    for replica in (one, other):
        await replica.lost.look()
    async with asyncio.TaskGroup() as group:
        relaying = [group.create_task(replica.relay.run()) for replica in (one, other)]
        await one.put(org_id, 1, 2, 3)

        async def are_sent() -> bool:
            return await _stored(migrator) == 3

        await eventually(are_sent)
        await migrator.jetstream.delete_stream("EVT")
        await one.lost.look()
        await streams.apply(migrator.jetstream)
        assert await _stored(migrator) == 0
        await asyncio.gather(one.lost.look(), other.lost.look())
        await eventually(are_sent)
        for task in relaying:
            task.cancel()
    assert one.repaired + other.repaired == ["EVT"]


async def test_nothing_is_marked_as_sent_that_went_to_a_stream_which_was_lost_since(
    bus: Bus, migrator: Bus, connect_database, org_id: UUID
):
    slow, quick = [Replica(await connect_database(), bus) for _ in range(2)]
    await slow.lost.look()
    await slow.put(org_id, 1)
    # Sent and not marked yet, for it is frozen now.
    await slow.relay._send_handed()
    assert await _stored(migrator) == 1
    await migrator.jetstream.delete_stream("EVT")
    await streams.apply(migrator.jetstream)
    await quick.lost.look()
    await slow.relay._mark()
    relaying = asyncio.create_task(quick.relay.run())

    async def is_sent() -> bool:
        return await _stored(migrator) == 1

    await eventually(is_sent)
    relaying.cancel()


async def test_a_store_that_is_lost_with_everything_down_is_noticed_at_the_next_start(
    own_servers: Servers, migrator: Bus, bus: Bus, connect_database, org_id: UUID, tmp_path: Path
):
    first = Replica(await connect_database(), bus)
    await first.lost.look()
    await asyncio.to_thread(own_servers.nats.stop)
    shutil.move(own_servers.nats.home / "jetstream", tmp_path)
    await asyncio.to_thread(own_servers.nats.start)

    async def are_made() -> bool:
        try:
            await streams.apply(migrator.jetstream)
        except Exception:
            return False
        return True

    await eventually(are_made)
    again = Replica(await connect_database(), bus)
    await again.lost.look()
    assert again.repaired == ["CMD", "EVT"]
    await again.lost.look()
    assert again.repaired == ["CMD", "EVT"]
