"""Real servers, started once a session; an own organisation for every test.

They come from the wheels, or with `TEST_BACKEND=containers` from images (a Docker engine).
"""

import asyncio
import importlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
import nats
import pytest
import pytest_asyncio
from hypothesis import settings
from pydantic import SecretStr

from chassis import streams
from chassis.bus import Bus
from chassis.migrations import Target, migrate
from chassis.names import schema
from chassis.service import Service, running
from chassis.settings import BusSettings
from contracts.envelope import new_id
from contracts.streams import SERVICES
from stack.servers import Servers

from .servers.google import GoogleServer, google_server

if TYPE_CHECKING:
    from .containers import Containers

# The same examples in every run, so that nobody is stopped by what chance finds; who looks for
# trouble sets WILD, to the number of random recipes.
settings.register_profile("steady", derandomize=True)
if "WILD" not in os.environ:
    settings.load_profile("steady")

PASSWORD = "only-for-tests"
KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


@dataclass(frozen=True)
class Ground:
    """Where the real servers are, migrated and with their streams."""

    migrator_url: str
    superuser_url: str
    nats_url: str
    objects_url: str

    def database_url(self, service: str) -> str:
        """The database as a service's own login."""
        rest = self.migrator_url.partition("@")[2]
        return f"postgresql://{schema(service)}:{PASSWORD}@{rest}"

    def bus(self, user: str) -> BusSettings:
        """The bus as one of its users."""
        return BusSettings(
            nats_url=self.nats_url, nats_user=user, nats_password=SecretStr(PASSWORD)
        )

    def environment(self, service: str) -> dict[str, str]:
        """The environment of a service's process."""
        return {
            "DATABASE_URL": self.database_url(service),
            "NATS_URL": self.nats_url,
            "NATS_USER": service,
            "NATS_PASSWORD": PASSWORD,
            "OBJECT_STORE_URL": self.objects_url,
            "ENCRYPTION_KEY": KEY,
            "MASK_KEY": KEY,
            "METRICS_PORT": "0",
            # All tests come from one address.
            "SIGNUPS_PER_HOUR": "100000",
        }


def _servers() -> "AbstractContextManager[Servers | Containers]":
    match os.environ.get("TEST_BACKEND", "wheels"):
        case "wheels":
            return Servers.temporary(password=PASSWORD)
        case "containers":
            from . import containers

            return containers.temporary(PASSWORD)
        case other:
            pytest.fail(f"TEST_BACKEND is 'wheels' or 'containers', not {other!r}")


async def _prepare(servers: "Servers | Containers") -> None:
    owners = [entry.name for entry in SERVICES if entry.name != "gateway"]
    targets = [*(Target(name, PASSWORD) for name in owners), Target("warehouse", None)]
    await migrate(servers.migrator_url, targets)
    connection = await nats.connect(servers.nats_url, user="migrator", password=PASSWORD)
    await streams.apply(connection.jetstream())
    await connection.close()


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """PostgreSQL and NATS for the whole session."""
    with _servers() as servers:
        asyncio.run(_prepare(servers))
        objects = tmp_path_factory.mktemp("objects")
        yield Ground(
            servers.migrator_url, servers.superuser_url, servers.nats_url, objects.as_uri()
        )


@pytest.fixture(scope="session")
def postgres_url(ground: Ground) -> str:
    """The database as its superuser, for tests that need nothing but SQL."""
    return ground.superuser_url


@pytest_asyncio.fixture
async def advisory_locks(postgres_url: str) -> AsyncIterator[None]:
    """Every login may take them, as on a server of another operator: on our own none may."""
    superuser = await asyncpg.connect(postgres_url)
    found = await superuser.fetchval(
        "SELECT string_agg(oid::regprocedure::text, ', ') FROM pg_proc"
        " WHERE pronamespace = 'pg_catalog'::regnamespace"
        " AND proname ~ '^pg_(try_)?advisory_(xact_)?lock'"
    )
    await superuser.execute(f"GRANT EXECUTE ON FUNCTION {found} TO PUBLIC")
    yield
    await superuser.execute(f"REVOKE EXECUTE ON FUNCTION {found} FROM PUBLIC")
    await superuser.close()


@pytest.fixture
def org_id() -> UUID:
    """An organisation of the test's own."""
    return new_id()


RunService = Callable[..., AbstractAsyncContextManager[Service[Any]]]
StartService = Callable[..., Awaitable[Service[Any]]]


@pytest.fixture
def run_service(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> RunService:
    """Runs a service in this process for as long as a block, exactly as it is built in its own."""

    def run(name: str, **environment: str) -> AbstractAsyncContextManager[Service[Any]]:
        with monkeypatch.context() as patch:
            for key, value in (ground.environment(name) | environment).items():
                patch.setenv(key, value)
            settings = importlib.import_module(f"{name}.settings").Settings()
        return running(name, settings, importlib.import_module(f"{name}.app").build)

    return run


@pytest_asyncio.fixture
async def start_service(run_service: RunService) -> AsyncIterator[StartService]:
    """Starts services that run until the test has ended."""
    async with AsyncExitStack() as stack:

        async def start(name: str, **environment: str) -> Service[Any]:
            return await stack.enter_async_context(run_service(name, **environment))

        yield start


@pytest_asyncio.fixture
async def bus(ground: Ground) -> AsyncIterator[Bus]:
    """The bus as the gateway sees it: it may ask every owner."""
    connection = await Bus.connect(ground.bus("gateway"), "gateway")
    yield connection
    await connection.close()


@pytest.fixture
def google() -> Iterator[GoogleServer]:
    """Google's sign-in and Sheets API, with no account and no spreadsheet yet."""
    with google_server() as server:
        yield server


@pytest.fixture(scope="session")
def shared_cases() -> Path:
    """The shared conformance cases; tests that need them are skipped where they are absent."""
    folder = Path(os.environ.get("SHARED_CASES", Path(__file__).parents[2] / "shared" / "cases"))
    if not folder.is_dir():
        pytest.skip("the shared cases are not here (SHARED_CASES)")
    return folder
