"""Parts of services over real servers, without the services themselves."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Protocol
from uuid import UUID

import nats
import pytest_asyncio
from nats.js import JetStreamContext
from pydantic import SecretStr

from chassis.bus import Bus
from chassis.database import Database
from chassis.settings import ServiceSettings
from chassis.testing import eventually
from contracts.ingest import SyncSource
from contracts.streams import service


class Servers(Protocol):
    """What the tests here need of the session's ground."""

    nats_url: str
    migrator_url: str
    superuser_url: str

    def database_url(self, login: str) -> str: ...
    def environment(self, service: str) -> dict[str, str]: ...


ConnectBus = Callable[[str], Awaitable[Bus]]
ConnectDatabase = Callable[..., Awaitable[Database]]


@pytest_asyncio.fixture
async def connect_database(ground: Servers) -> AsyncIterator[ConnectDatabase]:
    """Opens the pool of one of the services, as its own login."""
    async with AsyncExitStack() as stack:

        async def connect(name: str, pool_size: int = 4) -> Database:
            settings = ServiceSettings(
                nats_url=ground.nats_url,
                database_url=SecretStr(ground.database_url(name)),
                database_pool_size=pool_size,
            )
            database = await Database.connect(settings, name)
            stack.push_async_callback(database.close)
            return database

        yield connect


@pytest_asyncio.fixture
async def admin(ground: Servers) -> AsyncIterator[JetStreamContext]:
    """JetStream as the migrator, who may look at everything and purge."""
    password = ground.environment("migrator")["NATS_PASSWORD"]
    connection = await nats.connect(ground.nats_url, user="migrator", password=password)
    yield connection.jetstream()
    await connection.close()


class Work:
    """The commands of ingest's one consumer: the stream's subject is empty before and after."""

    subject = SyncSource.subject()
    consumer = next(service("ingest").consumers())

    def __init__(self, admin: JetStreamContext) -> None:
        self._admin = admin

    async def clear(self) -> None:
        await self._admin.purge_stream("CMD", subject=self.subject)

    async def stored(self) -> int:
        """Messages on the stream: waiting, or held by somebody who has not acknowledged."""
        return await stored(self._admin, "CMD", self.subject)

    async def is_done(self) -> None:
        """Wait until nothing waits and nobody holds anything."""

        async def nothing_left() -> bool:
            state = await self._admin.consumer_info("CMD", self.consumer.name)
            return state.num_ack_pending == 0 and await self.stored() == 0

        await eventually(nothing_left)


async def stored(admin: JetStreamContext, stream: str, subject: str) -> int:
    """How many messages of a subject a stream holds."""
    info = await admin.stream_info(stream, subjects_filter=subject)
    return sum((info.state.subjects or {}).values())


@pytest_asyncio.fixture
async def work(admin: JetStreamContext) -> AsyncIterator[Work]:
    """Ingest's commands, of which no other test leaves or takes any."""
    commands = Work(admin)
    await commands.clear()
    yield commands
    await commands.clear()


@pytest_asyncio.fixture(autouse=True)
async def forgotten_events(admin: JetStreamContext, org_id: UUID) -> AsyncIterator[None]:
    """Takes the test's events off the stream, so that no service of a later test follows them."""
    yield
    await admin.purge_stream("EVT", subject=f"evt.{org_id.hex}.>")
