"""`dalgo up`: starts the servers, prepares them, starts the services, and keeps all of them up."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

from chassis.bus_login import BusLogin
from stack import addresses, ports, prepare
from stack.bus_watch import BusWatch
from stack.control import stop_leftovers
from stack.errors import StackError
from stack.layout import Layout
from stack.logs import Rotation, keep_small
from stack.nats import HTTP, Nats
from stack.postgres import Postgres
from stack.secrets import load
from stack.services import METRICS, SPECS, Service, Spec, environment
from stack.state import State, only_one, read_state
from stack.topology import warnings
from stack.unit import Report, Unit, at_once, begin, keep_up, tolerant
from stack.users import MIGRATOR, bus_users

Logins = Callable[[str], dict[str, str]]
"""The settings by which a service, given by its name, reaches a server where that is now."""


@dataclass(frozen=True)
class Options:
    """What whoever starts the stack may choose."""

    layout: Layout = field(default_factory=Layout.default)
    port: int | None = None
    """Preferred port of the gateway; else the one it had last, else 8000."""
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)


class Stack:
    """PostgreSQL, NATS and the services of one data directory.

    Whoever uses it holds `stack.state.only_one`; `up` does.
    """

    def __init__(
        self,
        options: Options,
        *,
        prepare_database: prepare.PrepareDatabase = prepare.prepare_database,
        prepare_bus: prepare.PrepareBus = prepare.prepare_bus,
        specs: tuple[Spec, ...] = SPECS,
    ) -> None:
        """Nothing is started, nothing is written yet."""
        self.layout = options.layout
        self.url: str | None = None
        self._options = options
        self._prepare_database = prepare_database
        self._prepare_bus = prepare_bus
        self._specs = specs
        self._given = addresses.given(options.environ)
        self._rotation = Rotation.of(options.environ)
        self._units: list[Unit] = []
        self._bus_at: tuple[str, BusLogin, int] | None = None
        """URL, the login of who may make streams, and how many servers keep each."""
        self._threads = ThreadPoolExecutor(16, thread_name_prefix="stack")
        self._pending: set[asyncio.Future[object]] = set()
        self._stopping = False

    async def start(self, report: Report) -> None:
        """Start everything; returns when all are ready.

        Raises StackError after stopping what had started.
        """
        began = time.perf_counter()
        try:
            self.layout.make()
            await self._call(lambda: stop_leftovers(self.layout, report))
            secrets = load(self.layout.secrets, [spec.name for spec in self._specs])
            chosen = self._choose_ports(report)
            passwords = {s.name: secrets.database[s.name] for s in self._specs if s.database}
            database, bus = await at_once(
                self._database(secrets.superuser, secrets.migrator, passwords, chosen, report),
                self._bus(secrets.bus, chosen, report),
            )
            keys = {
                "ENCRYPTION_KEY": secrets.encryption_key,
                "MASK_KEY": secrets.mask_key,
                "OBJECT_STORE_URL": self.layout.objects.as_uri(),
            }
            services = [self._service(spec, chosen, database, bus, keys) for spec in self._specs]
            await at_once(*(self._start(service, report) for service in services))
            self._remember()
            report(f"ready at {self.url}", time.perf_counter() - began)
        except BaseException:
            await self.stop()
            raise

    async def run(self, report: Report) -> None:
        """Start again whatever ends, heal the bus and rotate the logs, until cancelled."""

        async def keep(unit: Unit) -> None:
            async def restarted(moved: bool) -> None:
                self._remember()
                if moved:
                    await self._moved(unit, report)

            await keep_up(unit, self._call, report, restarted)

        await asyncio.gather(
            self._watch_bus(report),
            keep_small(self.layout.logs, self._rotation, self._call),
            *(keep(unit) for unit in self._units),
        )

    async def _watch_bus(self, report: Report) -> None:
        if self._bus_at is None:
            return
        url, login, replicas = self._bus_at
        servers = [unit for unit in self._units if isinstance(unit, Nats)]
        watch = BusWatch(
            servers,
            lambda: servers[0].url if servers else url,
            login,
            replicas=replicas,
            store=self._given.nats_store,
            call=self._call,
            report=report,
        )
        await watch.run()

    async def stop(self) -> None:
        """Stop the services, then the servers; waits for starts that are under way."""
        if self._stopping:
            return
        self._stopping = True
        servers = [unit for unit in self._units if not isinstance(unit, Service)]
        services = [unit for unit in self._units if isinstance(unit, Service)]
        while True:
            starts = set(self._pending)
            for group in (services, servers):
                await asyncio.gather(*(self._call(unit.stop) for unit in group))
            if not starts:
                break
            # A start that had not got to its process yet has one now, which is stopped next.
            await asyncio.wait(starts, timeout=0.2)
        self._threads.shutdown(wait=False)

    async def _moved(self, unit: Unit, report: Report) -> None:
        """Say the new URL; services learn a server's new address from their next start."""
        if unit.name == "gateway":
            report(f"ready at {self.url}", 0.0)
        if not isinstance(unit, Service):
            services = [other for other in self._units if isinstance(other, Service)]
            await asyncio.gather(*(self._call(service.stop) for service in services))

    def _choose_ports(self, report: Report) -> dict[str, int]:
        services = [spec.name for spec in self._specs]
        servers = [] if self._given.database else ["postgres"]
        servers += [] if self._given.nats else ["nats", "nats" + HTTP]
        return ports.choose_all(
            (*servers, *services, *(name + METRICS for name in services)),
            read_state(self.layout).ports,
            {"gateway": self._options.port},
            report,
        )

    async def _database(
        self,
        superuser: str,
        migrator: str,
        passwords: Mapping[str, str],
        chosen: Mapping[str, int],
        report: Report,
    ) -> Logins:
        given = self._given
        if given.database is None:
            postgres = Postgres(
                self.layout.postgres,
                chosen["postgres"],
                superuser_password=superuser,
                migrator_password=migrator,
                log=self.layout.log("postgres"),
                runs=self.layout.runs,
            )
            self._units.append(postgres)
            await self._start(postgres, report)
            direct = postgres.migrator_url
        else:
            postgres = None
            direct = given.database_direct or given.database
        began = time.perf_counter()
        try:
            await self._prepare_database(direct, passwords)
        except Exception as error:
            check = ". Check DATABASE_URL." if given.database else ""
            raise StackError(
                f"The database could not be prepared: {_words(error)}{check}"
            ) from error
        report("database migrated", time.perf_counter() - began)

        def login(service: str) -> dict[str, str]:
            url = postgres.migrator_url if postgres else given.database
            if url is None or service not in passwords:
                return {}
            return addresses.database_settings(given, url, service, passwords[service])

        return login

    async def _bus(
        self, passwords: Mapping[str, str], chosen: Mapping[str, int], report: Report
    ) -> Logins:
        names = [spec.name for spec in self._specs]
        if self._given.nats is None:
            nats = Nats(
                self.layout.nats,
                chosen["nats"],
                chosen["nats_http"],
                users=bus_users(passwords),
                system_password=passwords["system"],
                log=self.layout.log("nats"),
                runs=self.layout.runs,
                store_bytes=self._given.nats_store,
            )
            self._units.append(nats)
            await self._start(nats, report)
            url, login, replicas = nats.url, BusLogin(MIGRATOR, passwords[MIGRATOR]), 1
            logins = {name: BusLogin(name, passwords[name]) for name in names}
        else:
            # The users of a server that is not ours are its operator's affair.
            nats = None
            url, replicas = addresses.split_nats(self._given.nats)[0], self._given.nats_replicas
            login = addresses.nats_login(self._options.environ, MIGRATOR)
            logins = {name: addresses.nats_login(self._options.environ, name) for name in names}
        self._bus_at = url, login, replicas
        began = time.perf_counter()
        try:
            await self._prepare_bus(url, login, replicas, self._given.nats_store)
        except StackError:
            raise
        except Exception as error:
            raise StackError(f"The bus could not be prepared: {_words(error)}") from error
        report("streams in place", time.perf_counter() - began)
        if self._given.nats is not None:
            for line in await warnings(self._options.environ, url, self._given.nats_store):
                report(line, 0.0)

        def settings(service: str) -> dict[str, str]:
            address = nats.url if nats else url
            return {"NATS_URL": address} | addresses.nats_settings(logins[service])

        return settings

    def _service(
        self,
        spec: Spec,
        chosen: Mapping[str, int],
        database: Logins,
        bus: Logins,
        keys: Mapping[str, str],
    ) -> Service:
        def env(port: int, metrics_port: int) -> dict[str, str]:
            return environment(
                spec,
                self._options.environ,
                addresses=database(spec.name) | bus(spec.name),
                keys=keys,
                layout=self.layout,
                port=port,
                metrics_port=metrics_port,
            )

        port, metrics_port = chosen[spec.name], chosen[spec.name + METRICS]
        service = Service(spec, port, metrics_port, self.layout, env)
        self._units.append(service)
        return service

    async def _start(self, unit: Unit, report: Report) -> None:
        began = time.perf_counter()
        # Another program may have been faster between the choice and the start.
        await begin(unit, self._call, report)
        port = unit.ports()[unit.name]
        report(f"{unit.name} ready on port {port}", time.perf_counter() - began)

    def _remember(self) -> None:
        used = {name: port for unit in self._units for name, port in unit.ports().items()}
        gateway = used.get("gateway")
        self.url = f"http://{ports.LOOPBACK}:{gateway}" if gateway else None
        kept = read_state(self.layout).ports | used
        parts = [unit.name for unit in self._units]
        State(ports=kept, url=self.url, ready=True, parts=parts).save(self.layout)

    async def _call(self, work: Callable[[], object]) -> None:
        future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        self._pending.add(future)
        future.add_done_callback(self._done)
        # Shielded: a thread cannot be cancelled, and `stop` must be able to wait for it.
        await asyncio.shield(future)

    def _done(self, future: asyncio.Future[object]) -> None:
        self._pending.discard(future)
        # Taken, or asyncio prints the traceback of one that is awaited no more.
        if not future.cancelled():
            future.exception()


async def up(
    options: Options,
    report: Report,
    *,
    on_ready: Callable[[str], Awaitable[None]] | None = None,
    stack: Stack | None = None,
) -> None:
    """Start the stack and keep it up until SIGINT, SIGTERM or SIGHUP, then stop it.

    `on_ready` is called with the URL. Raises StackError when another `dalgo up` has the data
    directory, or when something does not start.
    """
    stack = stack or Stack(options)
    say = tolerant(report)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, ended.set)

    async def work() -> None:
        await stack.start(say)
        if on_ready and stack.url:
            await on_ready(stack.url)
        await stack.run(say)

    try:
        with only_one(options.layout):
            working = asyncio.create_task(work())
            ending = asyncio.create_task(ended.wait())
            await asyncio.wait({working, ending}, return_when=asyncio.FIRST_COMPLETED)
            began = time.perf_counter()
            if not working.done():
                working.cancel()
                with suppress(asyncio.CancelledError):
                    await working
                await stack.stop()
                say("stopped", time.perf_counter() - began)
            ending.cancel()
            if working.done() and not working.cancelled():
                await working
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def _words(error: Exception) -> str:
    return str(error) or repr(error)
