"""The nemesis: kills, freezes, cuts, delays, at random and at every crash point."""

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator

import psutil

from stack.nats import Nats
from stack.postgres import Postgres
from stack.process import wait_until

from .exposed import runs_in
from .ground import PASSWORD, SERVICES_TO_HARM, Ground
from .process import Replica
from .proxy import Proxy

_JOB = ("job.fetched", "job.committed", "job.said", "job.acknowledged")
_TRANSACTION = ("transaction.before_commit", "transaction.committed")
POINTS: dict[str, tuple[str, ...]] = {
    "ingest": (*_JOB, *_TRANSACTION, "sync.loaded"),
    "transform": (
        *_JOB,
        *_TRANSACTION,
        "build.written",
        "publish.begun",
        "publish.moved",
        "publish.committed",
    ),
    "orchestrator": (
        *_JOB,
        *_TRANSACTION,
        "outbox.published",
        "outbox.marked",
        "run.claimed",
    ),
    "gateway": ("start.received", "start.stored"),
}
"""Where each service can be made to die; see `chassis.crash_points`."""

Fault = Callable[[], Awaitable[None]]


class Nemesis:
    """Does harm until told to stop, and then undoes what can be undone."""

    def __init__(
        self, ground: Ground, chance: random.Random, *, pause: tuple[float, float]
    ) -> None:
        """`pause`: the shortest and the longest time between two faults, in seconds."""
        self.done: Counter[str] = Counter()
        self._ground = ground
        self._chance = chance
        self.pause = pause
        self._healing: set[asyncio.Task[None]] = set()
        self._busy: set[str] = set()
        """Servers and processes that something is done to now."""

    def wanted(self) -> list[tuple[str, str]]:
        """(service, crash point) at which no process has died yet."""
        hit = self._ground.deaths.points
        return [(name, at) for name, all_ in POINTS.items() for at in all_ if not hit[name, at]]

    async def run(self) -> None:
        """Every kind of fault to everybody, in random order, again and again, until cancelled."""
        while True:
            crashes: list[tuple[str, Fault]] = [("at a crash point", self._crash)] * 12
            await self._play([*self._to_services(*SERVICES_TO_HARM), *crashes, *self._to_servers()])

    async def once(self) -> None:
        """Every kind of fault, but to one of the services only."""
        service = self._chance.choice(sorted(POINTS))
        crashes: list[tuple[str, Fault]] = [("at a crash point", self._crash)] * 3
        await self._play([*self._to_services(service), *crashes, *self._to_servers()])

    async def _play(self, deck: list[tuple[str, Fault]]) -> None:
        self._chance.shuffle(deck)
        for kind, fault in deck:
            await fault()
            self.done[kind] += 1
            await asyncio.sleep(self._chance.uniform(*self.pause))

    async def heal(self) -> None:
        """End what was begun: frozen things go on, lines are as they were."""
        for task in self._healing:
            task.cancel()
        await asyncio.gather(*self._healing, return_exceptions=True)
        for lines in self._ground.lines.values():
            for proxy in (*lines["postgres"], *lines["nats"]):
                proxy.heal()

    def _to_services(self, *services: str) -> Iterator[tuple[str, Fault]]:
        for service in services:
            yield f"{service} killed", lambda service=service: self._kill(service)
            yield f"{service} frozen", lambda service=service: self._freeze(service)

    def _to_servers(self) -> list[tuple[str, Fault]]:
        deck: list[tuple[str, Fault]] = [
            ("NATS killed", self._kill_nats),
            ("NATS frozen", self._freeze_nats),
            ("store full", self._fill_store),
            ("store lost", self._lose_store),
            ("PostgreSQL killed", self._kill_postgres),
            ("PostgreSQL frozen", self._freeze_postgres),
            ("a PostgreSQL backend killed", self._kill_backend),
        ]
        for server in ("postgres", "nats"):
            label = {"postgres": "PostgreSQL", "nats": "NATS"}[server]
            deck += [
                (f"line to {label} cut", lambda server=server: self._cut(server)),
                (f"line to {label} slowed", lambda server=server: self._slow(server)),
                (f"line to {label} half-open", lambda server=server: self._half_open(server)),
            ]
        return deck

    def _any_of(self, service: str | None = None) -> Replica:
        return self._chance.choice(self._ground.of(service) if service else self._ground.replicas)

    async def _kill(self, service: str) -> None:
        self._any_of(service).kill()

    async def _crash(self) -> None:
        """Let a process be one that will die at a point: first where none has died yet."""
        every = [(name, at) for name, all_ in POINTS.items() for at in all_]
        armed = {(each.service, str(each.crash_at).partition(":")[0]) for each in self._armed()}
        wanted = [point for point in self.wanted() or every if point not in armed]
        if not wanted:
            return
        service, point = self._chance.choice(wanted)
        # Who is to die at another point keeps waiting for it, where there is a second process.
        idle = [each for each in self._ground.of(service) if each not in self._armed()]
        replica = self._chance.choice(idle or self._ground.of(service))
        nth = self._chance.randint(1, 12 if point.startswith("transaction") else 2)
        replica.kill(crash_at=f"{point}:{nth}")

    def _armed(self) -> list[Replica]:
        return [each for each in self._ground.replicas if each.crash_at]

    async def _freeze(self, service: str) -> None:
        """Now and then for longer than JetStream waits: then another takes over what it holds."""
        seconds = self._chance.choice((1.0, 2.0, 4.0, 13.0))
        family = _family(self._any_of(service).pid)
        _signal(family, signal.SIGSTOP)
        # These, and not who has their place by then: whom a kill meets may leave frozen children.
        self._later(seconds, lambda: _signal(family, signal.SIGCONT))

    async def _kill_nats(self) -> None:
        server = self._chance.choice(self._ground.bus)
        await self._restart(server)

    async def _kill_postgres(self) -> None:
        server = self._ground.postgres
        await self._restart(server)

    async def kill_server(self, name: str) -> None:
        """Kill one of the NATS servers, by name, and start it again."""
        server = next(each for each in self._ground.bus if each.name == name)
        await self._restart(server)
        self.done["NATS killed"] += 1

    async def _lose_store(self) -> None:
        """All that the bus has stored is gone with its disk; in a cluster the others have it."""
        server = self._chance.choice(self._ground.bus)

        lost = self._ground.folder / "lost-store"

        def wipe() -> None:
            (server.home / "jetstream").rename(lost)

        await self._restart(server, wipe)
        if lost.exists():
            found = await runs_in(lost, server, self._ground.folder, PASSWORD)
            self._ground.exposed |= found

    async def _fill_store(self) -> None:
        """No write of the server succeeds any more, until it is started again: the watch ends it."""
        server = self._chance.choice(self._ground.bus)
        pid = server.pid
        if pid is None or server.name in self._busy:
            return
        self._busy.add(server.name)
        psutil.Process(pid).rlimit(psutil.RLIMIT_FSIZE, (0, psutil.RLIM_INFINITY))

        def again() -> None:
            if not wait_until(lambda: not server.is_running(), 60):
                raise AssertionError(f"{server.name} cannot store, and nobody has noticed")
            server.start()
            self._ground.note_servers()
            self._busy.discard(server.name)

        await asyncio.to_thread(again)

    async def _restart(
        self, server: Nats | Postgres, meanwhile: Callable[[], None] = lambda: None
    ) -> None:
        pid = server.pid
        if pid is None or server.name in self._busy:
            return
        self._busy.add(server.name)
        psutil.Process(pid).kill()
        down = self._chance.uniform(0.0, 2.0)

        def again() -> None:
            wait_until(lambda: not server.is_running(), 10)
            meanwhile()
            time.sleep(down)
            server.start()
            self._ground.note_servers()
            self._busy.discard(server.name)

        await asyncio.to_thread(again)

    async def _freeze_nats(self) -> None:
        server = self._chance.choice(self._ground.bus)
        await self._freeze_server(server.name, server.pid)

    async def _freeze_postgres(self) -> None:
        await self._freeze_server("postgres", self._ground.postgres.pid)

    async def _freeze_server(self, name: str, pid: int | None) -> None:
        if pid is None or name in self._busy:
            return
        self._busy.add(name)
        family = _family(pid)
        _signal(family, signal.SIGSTOP)

        def go_on() -> None:
            _signal(family, signal.SIGCONT)
            self._busy.discard(name)

        self._later(self._chance.uniform(0.5, 4.0), go_on)

    async def _kill_backend(self) -> None:
        """PostgreSQL then ends all sessions and recovers by itself."""
        pid = self._ground.postgres.pid
        if pid is None or "postgres" in self._busy:
            return
        _, *backends = _family(pid)
        if backends:
            _signal([self._chance.choice(backends)], signal.SIGKILL)

    def _line(self, server: str) -> list[Proxy]:
        names = [each.name for each in self._ground.replicas if each.service != "gateway"]
        every = [each.name for each in self._ground.replicas]
        return self._ground.lines[self._chance.choice(every if server == "nats" else names)][server]

    async def _cut(self, server: str) -> None:
        for proxy in self._line(server):
            proxy.cut()

    async def _slow(self, server: str) -> None:
        line = self._line(server)
        for proxy in line:
            proxy.slow_down(self._chance.uniform(0.02, 0.3))
        self._later(self._chance.uniform(1.0, 4.0), lambda: _heal(line))

    async def _half_open(self, server: str) -> None:
        line = self._line(server)
        for proxy in line:
            proxy.swallow()
        self._later(self._chance.uniform(1.0, 8.0), lambda: _heal(line))

    def _later(self, seconds: float, heal: Callable[[], None]) -> None:
        async def wait() -> None:
            try:
                await asyncio.sleep(seconds)
            finally:
                heal()

        task = asyncio.create_task(wait())
        self._healing.add(task)
        task.add_done_callback(self._healing.discard)


def _heal(line: list[Proxy]) -> None:
    for proxy in line:
        proxy.heal()


def _family(pid: int | None) -> list[psutil.Process]:
    """A process and all that it has started; nobody when it is gone."""
    try:
        process = psutil.Process(pid) if pid is not None else None
        return [process, *process.children(recursive=True)] if process else []
    except psutil.Error:
        return []


def _signal(processes: Iterable[psutil.Process], number: int) -> None:
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.Error:
            continue
