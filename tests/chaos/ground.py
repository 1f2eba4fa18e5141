"""What chaos stands on: real servers, two replicas of every service, a proxy on every line."""

import asyncio
import base64
import os
import random
import shutil
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import nats
from nats.aio.client import Client

from chassis.bus_login import BusLogin
from chassis.names import schema
from chassis.testing import eventually
from contracts.streams import SERVICES, STORE
from stack import ports
from stack.bus_watch import BusWatch
from stack.nats import Member, Nats
from stack.postgres import Postgres
from stack.prepare import prepare_bus, prepare_database
from stack.probe import get
from stack.users import MIGRATOR, bus_users

from .process import Deaths, Replica
from .proxy import Proxy

PASSWORD = "only-for-chaos"
SERVICES_TO_HARM = ("auth", "ingest", "transform", "orchestrator", "gateway")
TWO_OF_EACH: dict[str, int] = dict.fromkeys(SERVICES_TO_HARM, 2)
_READY_WITHIN = 90.0

# Takes everything along when chaos itself is killed: the pipe on its stdin closes with it.
_GUARD = 'read _; for f in "$1"/pids/*; do kill -KILL -- "-$(cat "$f")"; done; rm -rf -- "$1"'


@dataclass
class Ground:
    """Where everything is, and whom the nemesis may hit."""

    folder: Path
    postgres: Postgres
    bus: Sequence[Nats]
    replicas: list[Replica] = field(default_factory=list)
    lines: dict[str, dict[str, list[Proxy]]] = field(default_factory=dict)
    """By name of a replica: its lines to `postgres` and to `nats`."""
    deaths: Deaths = field(default_factory=Deaths)
    exposed: set[str] = field(default_factory=set)
    """Runs of which a start or a retry was lost with the store of the bus."""
    reports: list[str] = field(default_factory=list)
    """What the watch over the bus reported."""

    @property
    def superuser_url(self) -> str:
        """The database past every wall."""
        return self.postgres.superuser_url

    @property
    def gateways(self) -> list[str]:
        """The interfaces, each without a slash at its end."""
        ports = [each.port for each in self.replicas if each.service == "gateway"]
        return [f"http://127.0.0.1:{port}" for port in ports]

    def of(self, service: str) -> list[Replica]:
        """The processes of a service."""
        return [each for each in self.replicas if each.service == service]

    def note_servers(self) -> None:
        """Let the guard know the servers that run now."""
        for server in (self.postgres, *self.bus):
            if server.pid is not None:
                (self.folder / "pids" / server.name).write_text(str(server.pid))

    def login(self, service: str) -> dict[str, Any]:
        """The settings by which a service reaches database and bus, past the proxies."""
        rest = self.superuser_url.partition("@")[2]
        return {
            "database_url": f"postgresql://{schema(service)}:{PASSWORD}@{rest}",
            "nats_url": ",".join(server.url for server in self.bus),
            "nats_user": service,
            "nats_password": PASSWORD,
        }

    @asynccontextmanager
    async def as_migrator(self) -> AsyncIterator[Client]:
        """The bus as who may read and change streams."""
        urls = [server.url for server in self.bus]
        connection = await nats.connect(
            urls, user=MIGRATOR, password=PASSWORD, max_reconnect_attempts=-1, error_cb=_quiet
        )
        try:
            yield connection
        finally:
            await connection.close()

    async def until_ready(self) -> None:
        """Wait until every process says that it is ready."""

        async def all_are() -> bool:
            asked = (
                asyncio.to_thread(get, each.port, "/readyz", timeout=3) for each in self.replicas
            )
            return all(answer.status == 200 for answer in await asyncio.gather(*asked))

        await eventually(all_are, within=_READY_WITHIN)


@asynccontextmanager
async def running(
    *, servers: int, replicas: Mapping[str, int], settings: Mapping[str, str]
) -> AsyncIterator[Ground]:
    """Empty servers, of NATS so many, and the services on them; gone afterwards.

    `settings`: of all services, besides those that they need.
    """
    with _folder() as folder:
        ground = _servers(folder, servers)
        try:
            await _start_servers(ground)
            owners = [entry.name for entry in SERVICES if entry.name != "gateway"]
            await prepare_database(ground.postgres.migrator_url, dict.fromkeys(owners, PASSWORD))
            urls = ",".join(server.url for server in ground.bus)
            await prepare_bus(urls, BusLogin(MIGRATOR, PASSWORD), servers)
            await _start_services(ground, replicas, settings)
            watching = asyncio.create_task(_watch_bus(ground, servers))
            yield ground
            watching.cancel()
        finally:
            await _stop(ground)


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder that goes, with the processes that it names, however this process ends."""
    folder = Path(tempfile.mkdtemp(prefix="dalgo-chaos-")).resolve()
    folder.chmod(0o711)  # PostgreSQL runs as another than root and must pass through
    for name in ("logs", "pids", "objects"):
        (folder / name).mkdir()
    guard = subprocess.Popen(
        ["/bin/sh", "-c", _GUARD, "sh", str(folder)],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield folder
    finally:
        if kept := os.environ.get("CHAOS_LOGS"):
            shutil.copytree(folder / "logs", kept, dirs_exist_ok=True)
        guard.kill()
        guard.communicate()
        shutil.rmtree(folder, ignore_errors=True)


def _servers(folder: Path, servers: int) -> Ground:
    taken: list[int] = []
    port = partial(_port, taken)
    peers = [port() for _ in range(servers)]
    bus = [
        Nats(
            folder / f"nats-{number}",
            port(),
            port(),
            users=bus_users(defaultdict(lambda: PASSWORD)),
            system_password=PASSWORD,
            log=folder / "logs" / f"nats-{number}.log",
            runs=folder,
            member=Member(f"nats-{number}", peer, peers, PASSWORD) if servers > 1 else None,
        )
        for number, peer in enumerate(peers, 1)
    ]
    postgres = Postgres(
        folder / "postgres",
        port(),
        superuser_password=PASSWORD,
        migrator_password=PASSWORD,
        log=folder / "logs" / "postgres.log",
        runs=folder,
        test=True,  # what a process has written outlives it; only the machine's death needs fsync
    )
    return Ground(folder, postgres, bus)


def _port(taken: list[int]) -> int:
    """One that is free and stays so while its server is dead: no connection is given it (32768 on)."""
    wishes = (random.randrange(20_000, 32_000) for _ in range(50))
    taken.append(ports.choose(*wishes, taken=taken))
    return taken[-1]


async def _start_servers(ground: Ground) -> None:
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1 + len(ground.bus)) as pool:
        starts = [loop.run_in_executor(pool, each.start) for each in (ground.postgres, *ground.bus)]
        await asyncio.gather(*starts)
    ground.note_servers()


async def _watch_bus(ground: Ground, servers: int) -> None:
    """As `dalgo up` does; only that the nemesis starts servers again."""

    async def call(work: Callable[[], object]) -> None:
        await asyncio.to_thread(work)

    def report(line: str, seconds: float) -> None:
        ground.reports.append(line)

    urls = ",".join(server.url for server in ground.bus)
    watch = BusWatch(
        ground.bus,
        lambda: urls,
        BusLogin(MIGRATOR, PASSWORD),
        replicas=servers,
        store=STORE,
        call=call,
        report=report,
    )
    await watch.run()


async def _start_services(
    ground: Ground, replicas: Mapping[str, int], settings: Mapping[str, str]
) -> None:
    key = base64.b64encode(os.urandom(32)).decode()
    taken: list[int] = []
    for service, count in replicas.items():
        for number in range(1, count + 1):
            name = f"{service}-{number}"
            lines = {
                "postgres": [Proxy(ground.postgres.port)],
                "nats": [Proxy(server.port) for server in ground.bus],
            }
            for proxy in (*lines["postgres"], *lines["nats"]):
                await proxy.start()
            ground.lines[name] = lines
            port = _port(taken)
            environment = {
                "DATABASE_URL": (
                    f"postgresql://{schema(service)}:{PASSWORD}@127.0.0.1:{lines['postgres'][0].port}/dalgo"
                ),
                "NATS_URL": ",".join(f"nats://127.0.0.1:{line.port}" for line in lines["nats"]),
                "NATS_USER": service,
                "NATS_PASSWORD": PASSWORD,
                "OBJECT_STORE_URL": (ground.folder / "objects").as_uri(),
                "ENCRYPTION_KEY": key,
                "MASK_KEY": key,
                # All of it comes from one address, and as fast as it goes.
                "SIGNUPS_PER_HOUR": "100000",
                "RUN_STARTS_PER_MINUTE": "100000",
                "REQUESTS_PER_MINUTE_OF_ADDRESS": "1000000",
                "REQUESTS_PER_MINUTE_OF_ORGANIZATION": "1000000",
                "ACCESS_TOKEN_EXPIRE_MINUTES": "120",
                "HTTP_PORT": str(port),
                "METRICS_PORT": "0",
                **settings,
            }
            replica = Replica(service, number, port, environment, ground.folder, ground.deaths)
            ground.replicas.append(replica)
    await asyncio.gather(*(replica.start() for replica in ground.replicas))
    await ground.until_ready()


async def _stop(ground: Ground) -> None:
    await asyncio.gather(*(replica.stop() for replica in ground.replicas))
    for lines in ground.lines.values():
        for proxy in (*lines["postgres"], *lines["nats"]):
            await proxy.stop()
    for server in (ground.postgres, *ground.bus):
        await asyncio.to_thread(server.stop)


async def _quiet(_: Exception) -> None:
    """Connections break here all the time."""
