"""An organisation, with everything around ingest played by its real rights."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Literal, TypeVar, get_args
from uuid import UUID

import asyncpg
import psutil
from nats.aio.msg import Msg

from chassis.bus import Bus
from chassis.names import schema
from chassis.objects import Objects
from chassis.testing import eventually
from contracts.envelope import from_body, new_id
from contracts.ingest import (
    CreateSource,
    CsvConfig,
    RegisterUpload,
    Source,
    SourceSynced,
    SourceSyncFailed,
    SyncSource,
    Upload,
)
from contracts.message import Event, Request, lookup
from contracts.orchestrator import RunCancelRequested
from contracts.streams import CMD, SERVICES, service
from contracts.tables import TableVersion
from contracts.transform import PublishFailed, PublishRun, RunPublished
from ingest.domain import upload_key
from warehouse.names import data_schema, live_name, live_schema, qualified

E = TypeVar("E", bound=Event)
Stage = Literal["starting", "describing", "copied", "counting"]
"""Of a load: before the database hears of it, in the transaction that makes the table, with the
rows in it, with everything written."""
STAGES: tuple[Stage, ...] = get_args(Stage)

PEOPLE = b"name,age\nAsha,31\nBen,17\n"

CONSUMER = next(
    consumer.name
    for consumer in service("ingest").consumers()
    if SyncSource.subject() in consumer.subjects
)


def workers() -> list[psutil.Process]:
    """The workers of every pool of this process, and of processes that it started."""
    found = []
    for process in psutil.Process().children(recursive=True):
        # Others come and go meanwhile; one that is dead has no command line.
        with suppress(psutil.NoSuchProcess):
            if "ingest.worker" in process.cmdline():
                found += process.children()
    return found


async def only_worker() -> psutil.Process | None:
    """The worker, once there is exactly one."""
    found = workers()
    return found[0] if len(found) == 1 else None


def _resume(worker: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        worker.resume()


class Stand:
    """One organisation, with everything around ingest played by its real rights."""

    def __init__(self, ground, org_id: UUID, connect: Callable[[str], Awaitable[Bus]]) -> None:
        self.org_id = org_id
        self.objects = Objects(ground.objects_url)
        self._ground = ground
        self._connect = connect
        self._buses: dict[str, Bus] = {}
        self._heard: list[Event] = []
        self._news = asyncio.Condition()

    async def begin(self) -> None:
        """Listen to what ingest and transform say of the organisation."""
        migrator = await self.as_("migrator")
        await migrator.watch(f"evt.{self.org_id.hex}.>", self._hear)

    async def as_(self, name: str) -> Bus:
        """The bus as one of its users."""
        if name not in self._buses:
            self._buses[name] = await self._connect(name)
        return self._buses[name]

    async def ask(self, request: Request, timeout: float = 30):
        """Ask as the first service that may."""
        asker = next(entry.name for entry in SERVICES if type(request) in entry.asks)
        bus = await self.as_(asker)
        return await bus.ask(request, org_id=self.org_id, actor="tester", timeout=timeout)

    async def upload(self, content: bytes = PEOPLE, filename: str = "people.csv") -> Upload:
        """Store a file and tell ingest of it, as the gateway does."""
        upload_id = new_id()
        await self.store(upload_id, content)
        return await self.ask(
            RegisterUpload(
                upload_id=upload_id,
                filename=filename,
                size_bytes=len(content),
                sha256=hashlib.sha256(content).hexdigest(),
            )
        )

    async def store(self, upload_id: UUID, content: bytes) -> None:
        """Put a file into the object store, over one that may be there."""

        async def chunks() -> AsyncIterator[bytes]:
            yield content

        await self.objects.put(upload_key(self.org_id, upload_id), chunks())

    async def lose(self, upload_id: UUID) -> None:
        """Take a file out of the object store."""
        await self.objects.delete(upload_key(self.org_id, upload_id))

    async def stores(self, upload_id: UUID) -> bool:
        """Whether a file still lies in the object store."""
        try:
            async with self.objects.local(upload_key(self.org_id, upload_id)):
                return True
        except FileNotFoundError:
            return False

    async def source(self, content: bytes = PEOPLE, name: str = "people") -> Source:
        """A source made of a file."""
        upload = await self.upload(content)
        return await self.ask(creation(upload, name))

    async def sync(self, source: Source, **changes: object) -> SyncSource:
        """Send what the orchestrator would; the command."""
        values: dict[str, object] = {
            "run_id": new_id(),
            "step_id": new_id(),
            "source_id": source.id,
            "published": None,
        }
        command = SyncSource.model_validate(values | changes)
        await self.send(command)
        return command

    async def send(self, command: SyncSource | PublishRun) -> None:
        """Send as the orchestrator."""
        bus = await self.as_("orchestrator")
        await bus.send(command, org_id=self.org_id, actor="tester")

    async def hand_back(self, times: int) -> None:
        """Take the one command that waits, and give it back, as replicas that shut down do."""
        bus = await self.as_("ingest")
        pulling = await bus.jetstream.pull_subscribe_bind(consumer=CONSUMER, stream=CMD.name)
        for _ in range(times):
            (message,) = await pulling.fetch(1, timeout=10)
            await message.nak()
        await pulling.unsubscribe()

    async def outcome(self, command: SyncSource) -> SourceSynced | SourceSyncFailed:
        """What came of a sync, waited for."""
        return await self.hear(SourceSynced, SourceSyncFailed, step_id=command.step_id)

    async def synced(self, source: Source, **changes: object) -> SourceSynced:
        """Sync a source; what was said of it."""
        outcome = await self.outcome(await self.sync(source, **changes))
        assert isinstance(outcome, SourceSynced), outcome
        return outcome

    async def publish(self, *tables: TableVersion) -> None:
        """Make versions what readers see."""
        command = PublishRun(run_id=new_id(), step_id=new_id(), tables=tables)
        await self.send(command)
        said = await self.hear(RunPublished, PublishFailed, run_id=command.run_id)
        assert isinstance(said, RunPublished), said

    async def published(self, source: Source, **changes: object) -> TableVersion:
        """Sync a source and publish it; the version that readers see now."""
        (version,) = (await self.synced(source, **changes)).tables
        await self.publish(version)
        return version

    async def cancel(self, run_id: UUID) -> None:
        """Say that a run was called off, as the orchestrator does."""
        bus = await self.as_("orchestrator")
        event = RunCancelRequested(run_id=run_id, version=3)
        await bus.publish(event, org_id=self.org_id)

    async def hear(self, *kinds: type[E], **fields: object) -> E:
        """The first event of these classes with these fields, waited for."""
        async with asyncio.timeout(40), self._news:
            await self._news.wait_for(lambda: self.heard(*kinds, **fields))
        return self.heard(*kinds, **fields)[0]

    def heard(self, *kinds: type[E], **fields: object) -> list[E]:
        """The events of these classes with these fields, so far."""
        return [
            event
            for event in self._heard
            if isinstance(event, kinds)
            and all(getattr(event, key) == value for key, value in fields.items())
        ]

    def outcomes(self, step_id: UUID) -> list[Event]:
        """What was said of a step so far; said once more in the same words it counts once."""
        said: list[Event] = []
        for event in self.heard(SourceSynced, SourceSyncFailed, step_id=step_id):
            if event not in said:
                said.append(event)
        return said

    async def idle(self) -> None:
        """Wait until every sync that was sent has been handled."""
        migrator = await self.as_("migrator")

        async def handled() -> bool:
            state = await migrator.jetstream.consumer_info(CMD.name, CONSUMER)
            return state.num_pending == 0 and state.num_ack_pending == 0

        await eventually(handled, within=40)

    @asynccontextmanager
    async def stopped(
        self, source: Source, stage: Stage, **changes: object
    ) -> AsyncIterator[tuple[SyncSource, psutil.Process]]:
        """A sync that has come as far as `stage`, its worker, and no further while this lasts.

        The organisation must have loaded before, so that dlt's own tables are there.
        """
        async with AsyncExitStack() as stack:
            if stage == "starting":
                command = await self.sync(source, **changes)
                worker = await eventually(only_worker)
                worker.suspend()
                stack.callback(_resume, worker)
            else:
                first = "_dlt_version" if stage == "describing" else "_dlt_loads"
                held = await stack.enter_async_context(AsyncExitStack())
                await held.enter_async_context(self.held(first))
                command = await self.sync(source, **changes)
                await eventually(lambda: self._is_waited_for(first), within=30)
                worker = await eventually(only_worker)
                if stage == "counting":
                    await stack.enter_async_context(self.held("_dlt_version"))
                    await held.aclose()
                    await eventually(lambda: self._is_waited_for("_dlt_version"))
            yield command, worker

    @asynccontextmanager
    async def held(self, table: str) -> AsyncIterator[None]:
        """One of dlt's own tables, which every load writes, locked: loads wait."""
        connection = await asyncpg.connect(self._ground.superuser_url)
        try:
            async with connection.transaction():
                target = qualified(data_schema(self.org_id), table)
                await connection.execute(f"LOCK TABLE {target} IN SHARE ROW EXCLUSIVE MODE")
                yield
        finally:
            await connection.close()

    async def _is_waited_for(self, table: str) -> bool:
        target = qualified(data_schema(self.org_id), table)
        query = "SELECT FROM pg_locks WHERE NOT granted AND relation = $1::text::regclass"
        return bool(await self.fetch(query, target))

    async def cut(self, sessions: str) -> int:
        """End ingest's sessions with the database: those of its `workers`, or `all` of them."""
        ended = await self.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'dalgo_ingest' "
            "AND ($1 = 'all' OR application_name <> 'dalgo-ingest')",
            sessions,
        )
        return len(ended)

    async def has_settled(self) -> bool:
        """Whether no worker's session is left in the database, that could still write."""
        return not await self.fetch(
            "SELECT FROM pg_stat_activity WHERE usename = 'dalgo_ingest' "
            "AND application_name <> 'dalgo-ingest'"
        )

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[asyncpg.Connection]:
        """The database as its superuser, in ingest's schema."""
        connection = await asyncpg.connect(
            self._ground.superuser_url, server_settings={"search_path": schema("ingest")}
        )
        try:
            yield connection
        finally:
            await connection.close()

    async def fetch(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        """Rows as the superuser sees them, in ingest's schema."""
        async with self.connected() as connection:
            return await connection.fetch(query, *arguments)

    async def versions(self) -> set[str]:
        """The versions that lie in the organisation's data schema."""
        rows = await self.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = $1 AND tablename LIKE 'v\\_%'",
            data_schema(self.org_id),
        )
        return {row["tablename"] for row in rows}

    async def live(self, source: Source) -> list[tuple[object, ...]]:
        """What readers see of a source, without the load's id."""
        view = f"{live_schema(self.org_id)}.{live_name('source', source.id)}"
        rows = await self.fetch(f"SELECT * FROM {view} ORDER BY 1")
        return [tuple(row.values())[:-1] for row in rows]

    async def _hear(self, message: Msg) -> None:
        kind = lookup(message.header["ce-type"] if message.header else "")
        if kind is not None and issubclass(kind, Event):
            async with self._news:
                self._heard.append(from_body(kind, message.data))
                self._news.notify_all()


def creation(upload: Upload, name: str = "people", **config: object) -> CreateSource:
    """The request for a source of a file."""
    return CreateSource(
        source_id=new_id(),
        name=name,
        source_type="csv",
        config=CsvConfig.model_validate({"upload_id": upload.upload_id} | config),
    )
