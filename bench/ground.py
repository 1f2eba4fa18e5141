"""What benches and case runners stand on: real servers, and the services as processes."""

import asyncio
import base64
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import httpx
from pydantic import SecretStr

from chassis.bus import Bus
from chassis.bus_login import BusLogin
from chassis.names import schema
from chassis.settings import BusSettings
from contracts.envelope import new_id
from contracts.streams import SERVICES
from stack.ports import choose
from stack.prepare import prepare_bus, prepare_database
from stack.probe import get
from stack.servers import Servers
from stack.users import MIGRATOR

PASSWORD = "only-for-benches"
_READY_WITHIN = 60.0


@dataclass(frozen=True)
class Ground:
    """Where everything is."""

    servers: Servers
    ports: dict[str, int]
    folder: Path
    """With a log of each service."""

    @property
    def gateway_url(self) -> str:
        """The interface, without a slash at its end."""
        return f"http://127.0.0.1:{self.ports['gateway']}/api/v1"

    def database_url(self, service: str) -> str:
        """The database as a service's own login."""
        rest = self.servers.migrator_url.partition("@")[2]
        return f"postgresql://{schema(service)}:{PASSWORD}@{rest}"

    @asynccontextmanager
    async def bus(self, user: str) -> AsyncIterator[Bus]:
        """The bus as one of its users."""
        settings = BusSettings(
            nats_url=self.servers.nats_url, nats_user=user, nats_password=SecretStr(PASSWORD)
        )
        bus = await Bus.connect(settings, user)
        try:
            yield bus
        finally:
            await bus.close()


@contextmanager
def running(*services: str, log_level: str = "WARNING") -> Iterator[Ground]:
    """Servers of their own, and these services; gone afterwards."""
    with (
        Servers.temporary(password=PASSWORD, durable=True) as servers,
        tempfile.TemporaryDirectory(prefix="dalgo-bench-") as folder,
    ):
        asyncio.run(_prepare(servers))
        ground = Ground(servers, {}, Path(folder))
        key = base64.b64encode(os.urandom(32)).decode()
        processes: list[subprocess.Popen[bytes]] = []
        try:
            for name in services:
                ground.ports[name] = choose(taken=ground.ports.values())
                processes.append(_start(ground, name, key, log_level))
            for name, process in zip(services, processes, strict=True):
                _wait(name, ground.ports[name], process, Path(folder))
            yield ground
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait(timeout=30)


async def _prepare(servers: Servers) -> None:
    owners = [entry.name for entry in SERVICES if entry.name != "gateway"]
    await prepare_database(servers.migrator_url, dict.fromkeys(owners, PASSWORD))
    await prepare_bus(servers.nats_url, BusLogin(MIGRATOR, PASSWORD))


def _start(ground: Ground, name: str, key: str, log_level: str) -> subprocess.Popen[bytes]:
    environment = {
        "DATABASE_URL": ground.database_url(name),
        "NATS_URL": ground.servers.nats_url,
        "NATS_USER": name,
        "NATS_PASSWORD": PASSWORD,
        "OBJECT_STORE_URL": ground.folder.as_uri(),
        "ENCRYPTION_KEY": key,
        "MASK_KEY": key,
        # What is measured is how fast it goes, not how fast it may go.
        "SIGNUPS_PER_HOUR": "100000",
        "RUN_STARTS_PER_MINUTE": "100000",
        "MAX_QUEUED_RUNS_PER_ORGANIZATION": "1000000",
        "REQUESTS_PER_MINUTE_OF_ADDRESS": "1000000",
        "REQUESTS_PER_MINUTE_OF_ORGANIZATION": "1000000",
        "LOG_LEVEL": log_level,
        "HTTP_PORT": str(ground.ports[name]),
        "METRICS_PORT": "0",
    }
    with (ground.folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", name],
            env=os.environ | environment,
            stdout=log,
            stderr=log,
        )


def _wait(name: str, port: int, process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + _READY_WITHIN
    while get(port, "/readyz", timeout=3).status != 200:
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{name} does not run:\n{(folder / f'{name}.log').read_text()}")
        time.sleep(0.05)


@asynccontextmanager
async def signed_up(ground: Ground) -> AsyncIterator[tuple[httpx.AsyncClient, UUID]]:
    """A client signed in as the owner of a new organisation, and the organisation."""
    async with httpx.AsyncClient(base_url=ground.gateway_url, timeout=120) as client:
        body = {
            "email": f"{new_id().hex}@example.org",
            "password": "a long and quiet sentence",
            "organization_name": "Bench",
        }
        answer = await client.post("/auth/signup", json=body)
        answer.raise_for_status()
        session = answer.json()
        client.headers["Authorization"] = f"Bearer {session['access_token']}"
        yield client, UUID(session["organization"]["id"])
