"""Ingest in a real database: its pool of workers alone, or the service among its neighbours."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from pydantic import SecretStr

from chassis.bus import Bus
from chassis.service import Service, running
from chassis.settings import BusSettings
from contracts.envelope import new_id
from contracts.ingest import SyncSource
from contracts.streams import CMD, EVT
from ingest.app import build
from ingest.dialect import CsvOptions
from ingest.jobs import LoadJob
from ingest.pool import WorkerPool
from ingest.settings import Settings
from warehouse.names import data_schema, org_role, version_relation
from warehouse.provision import provision

from .stand import Stand

MakeJob = Callable[..., LoadJob]
RunIngest = Callable[..., AbstractAsyncContextManager[Service[Settings]]]


@pytest_asyncio.fixture(loop_scope="module")
async def organization(ground, org_id):
    """An organisation with its roles and schemas, as transform makes them."""
    connection = await asyncpg.connect(ground.database_url("transform"))
    await provision(connection, org_id)
    await connection.close()
    return org_id


@pytest_asyncio.fixture(loop_scope="module")
async def as_organization(ground, organization):
    """A connection of ingest's login that took the organisation's role."""
    connection = await asyncpg.connect(
        ground.database_url("ingest"), server_settings={"role": org_role(organization)}
    )
    await connection.execute(f"SET search_path = {data_schema(organization)}")
    yield connection
    await connection.close()


@pytest.fixture
def job(ground, organization, tmp_path) -> MakeJob:
    """Makes a job of some content, or of a file, into a new version."""

    def job(content: str | bytes | Path, **options) -> LoadJob:
        version = new_id()
        path = content if isinstance(content, Path) else tmp_path / f"{version.hex}.csv"
        if not isinstance(content, Path):
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return LoadJob(
            path=path,
            options=CsvOptions(**options),
            database_url=SecretStr(ground.database_url("ingest")),
            role=org_role(organization),
            schema_name=data_schema(organization),
            relation=version_relation(version),
        )

    return job


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool():
    """Two warm workers, for all tests of a module."""
    async with WorkerPool(spares=2) as pool:
        yield pool


@pytest_asyncio.fixture
async def connect_bus(ground) -> AsyncIterator[Callable[[str], Awaitable[Bus]]]:
    """Opens connections to the bus as a user of it; closes them after the test."""
    async with AsyncExitStack() as stack:

        async def connect(name: str) -> Bus:
            password = ground.environment(name)["NATS_PASSWORD"]
            settings = BusSettings(
                nats_url=ground.nats_url, nats_user=name, nats_password=SecretStr(password)
            )
            bus = await Bus.connect(settings, name)
            stack.push_async_callback(bus.close)
            return bus

        yield connect


@pytest_asyncio.fixture
async def stand(ground, org_id, connect_bus) -> AsyncIterator[Stand]:
    """An organisation and ingest's neighbours, with no message of another test on the bus."""
    stand = Stand(ground, org_id, connect_bus)
    await stand.begin()
    jetstream = (await stand.as_("migrator")).jetstream
    await jetstream.purge_stream(CMD.name, subject=SyncSource.subject())
    yield stand
    await jetstream.purge_stream(CMD.name, subject=SyncSource.subject())
    await jetstream.purge_stream(EVT.name, subject=f"evt.{org_id.hex}.>")


@pytest_asyncio.fixture
async def other(stand, ground, connect_bus) -> Stand:
    """Another organisation."""
    other = Stand(ground, new_id(), connect_bus)
    await other.begin()
    return other


@pytest_asyncio.fixture
async def transform(stand, start_service) -> None:
    """The service, which owns the catalogue."""
    await start_service("transform", PUBLISH_PATIENCE="2")


@pytest_asyncio.fixture
async def orchestrator(stand, start_service) -> None:
    """The service, for tests that delete: it is asked who uses what."""
    await start_service("orchestrator")


@pytest.fixture
def run_ingest(ground) -> RunIngest:
    """A replica of the service, for as long as a context lasts; its workers start when needed."""

    def run(**changes: object) -> AbstractAsyncContextManager[Service[Settings]]:
        given = {key.lower(): value for key, value in ground.environment("ingest").items()}
        settings = Settings.model_validate(given | {"warm_workers": 0} | changes)
        return running("ingest", settings, build)

    return run


@pytest_asyncio.fixture
async def ingest(transform, run_ingest) -> AsyncIterator[Service[Settings]]:
    """One replica, for the length of the test."""
    async with run_ingest() as service:
        yield service
