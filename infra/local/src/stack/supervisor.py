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
from stack.nats import Nats
from stack.postgres import Postgres
from stack.secrets import load
from stack.services import SPECS, Service, Spec, environment
from stack.state import METRICS, State, only_one, read_state
from stack.topology import warnings
from stack.unit import Report, Unit, keep_up, tolerant
from stack.users import MIGRATOR, bus_users

_PREFERRED = {
    "gateway": 8000,
    "auth": 18001,
    "ingest": 18002,
    "transform": 18003,
    "orchestrator": 18004,
    "postgres": 15432,
    "nats": 14222,
    "nats_http": 18222,
    "gateway_metrics": 19000,
    "auth_metrics": 19001,
    "ingest_metrics": 19002,
    "transform_metrics": 19003,
    "orchestrator_metrics": 19004,
}


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
            chosen = self._choose_ports()
            passwords = {s.name: secrets.database[s.name] for s in self._specs if s.database}
            migrator_url, bus = await asyncio.gather(
                self._database(secrets.superuser, secrets.migrator, passwords, chosen, report),
                self._bus(secrets.bus, chosen, report),
            )
            keys = {
                "ENCRYPTION_KEY": secrets.encryption_key,
                "MASK_KEY": secrets.mask_key,
                "OBJECT_STORE_URL": self.layout.objects.as_uri(),
            }
            services = [
                self._service(spec, chosen, migrator_url, passwords, bus, keys)
                for spec in self._specs
            ]
            await asyncio.gather(*(self._start(service, report) for service in services))
            self._remember()
            report(f"ready at {self.url}", time.perf_counter() - began)
        except BaseException:
            await self.stop()
            raise

    async def run(self, report: Report) -> None:
        """Start again whatever ends, and heal the bus, until cancelled."""
        kept = [keep_up(unit, self._call, report) for unit in self._units]
        await asyncio.gather(*kept, self._watch_bus(report))

    async def _watch_bus(self, report: Report) -> None:
        if self._bus_at is None:
            return
        url, login, replicas = self._bus_at
        servers = [unit for unit in self._units if isinstance(unit, Nats)]
        watch = BusWatch(
            servers,
            url,
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

    def _choose_ports(self) -> dict[str, int]:
        last = read_state(self.layout).ports
        chosen: dict[str, int] = {}
        services = [spec.name for spec in self._specs]
        metrics = [name + METRICS for name in services]
        for name in ("postgres", "nats", "nats_http", *services, *metrics):
            wish = self._options.port if name == "gateway" else None
            chosen[name] = ports.choose(
                wish, last.get(name), _PREFERRED.get(name), taken=chosen.values()
            )
        return chosen

    async def _database(
        self,
        superuser: str,
        migrator: str,
        passwords: Mapping[str, str],
        chosen: Mapping[str, int],
        report: Report,
    ) -> str:
        if self._given.database is None:
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
            url = direct = postgres.migrator_url
        else:
            url = self._given.database
            direct = self._given.database_direct or url
        began = time.perf_counter()
        try:
            await self._prepare_database(direct, passwords)
        except Exception as error:
            raise StackError(f"The database could not be prepared: {_words(error)}") from error
        report("database migrated", time.perf_counter() - began)
        return url

    async def _bus(
        self, passwords: Mapping[str, str], chosen: Mapping[str, int], report: Report
    ) -> dict[str, dict[str, str]]:
        """The bus settings of each service."""
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
            url, replicas = nats.url, 1
            login = BusLogin(MIGRATOR, passwords[MIGRATOR])
            logins = {name: BusLogin(name, passwords[name]) for name in names}
        else:
            # The users of a server that is not ours are its operator's affair.
            url, replicas = addresses.split_nats(self._given.nats)[0], self._given.nats_replicas
            login = addresses.nats_login(self._options.environ, MIGRATOR)
            logins = {name: addresses.nats_login(self._options.environ, name) for name in names}
        self._bus_at = url, login, replicas
        began = time.perf_counter()
        try:
            await self._prepare_bus(url, login, replicas, self._given.nats_store)
        except Exception as error:
            raise StackError(f"The bus could not be prepared: {_words(error)}") from error
        report("streams in place", time.perf_counter() - began)
        if self._given.nats is not None:
            for line in await warnings(self._options.environ, url, self._given.nats_store):
                report(line, 0.0)
        settings = {name: addresses.nats_settings(own) for name, own in logins.items()}
        return {name: {"NATS_URL": url} | own for name, own in settings.items()}

    def _service(
        self,
        spec: Spec,
        chosen: Mapping[str, int],
        migrator_url: str,
        passwords: Mapping[str, str],
        bus: Mapping[str, dict[str, str]],
        keys: Mapping[str, str],
    ) -> Service:
        told = dict(bus[spec.name])
        if spec.database:
            told |= addresses.database_settings(
                self._given, migrator_url, spec.name, passwords[spec.name]
            )

        def env(port: int, metrics_port: int) -> dict[str, str]:
            return environment(
                spec,
                self._options.environ,
                addresses=told,
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
        try:
            await self._call(unit.start)
        except StackError:
            metrics = isinstance(unit, Service) and not ports.is_free(unit.metrics_port)
            if self._stopping or (ports.is_free(unit.port) and not metrics):
                raise
            # Another program was faster between the choice and the start; a start chooses the
            # metrics' port anew by itself.
            unit.port = ports.choose(unit.port)
            await self._call(unit.start)
        report(f"{unit.name} ready on port {unit.port}", time.perf_counter() - began)

    def _remember(self) -> None:
        used = {unit.name: unit.port for unit in self._units}
        used |= {
            unit.name + "_http": unit.http_port for unit in self._units if isinstance(unit, Nats)
        }
        used |= {
            unit.name + METRICS: unit.metrics_port
            for unit in self._units
            if isinstance(unit, Service)
        }
        gateway = used.get("gateway")
        self.url = f"http://{ports.LOOPBACK}:{gateway}" if gateway else None
        kept = read_state(self.layout).ports | used
        State(ports=kept, url=self.url, ready=True).save(self.layout)

    async def _call(self, work: Callable[[], object]) -> None:
        future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        self._pending.add(future)
        future.add_done_callback(self._pending.discard)
        # Shielded: a thread cannot be cancelled, and `stop` must be able to wait for it.
        await asyncio.shield(future)


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
