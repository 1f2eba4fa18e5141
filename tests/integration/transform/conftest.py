"""Transform on real servers, and its neighbours on the bus: who asks, who sends, who listens."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio
from nats.aio.msg import Msg

from chassis.bus import Bus
from chassis.database import affected
from chassis.testing import eventually
from contracts.envelope import Meta, from_body, new_id
from contracts.message import Command, Event, Request, lookup
from contracts.orchestrator import RunCancelRequested
from contracts.streams import CMD, SERVICES, service
from contracts.tables import Column, TableVersion
from contracts.transform import (
    BuildTransformation,
    CreateTransformation,
    DeclareTable,
    EnsureOrganization,
    PlanTransformations,
    PublishAborted,
    PublishFailed,
    PublishRun,
    RunPublished,
    Transformation,
    TransformationBuilt,
    TransformationFailed,
)
from warehouse import names, versions
from warehouse.access import as_org

from .warehouse_views import Warehouse

E = TypeVar("E", bound=Event)

PASSWORD = "only-for-tests"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Stand:
    """One organisation, with everything around transform played by its real rights."""

    def __init__(self, ground, org_id: UUID, connect: Callable[[str], Awaitable[Bus]]) -> None:
        self.ground = ground
        self.org_id = org_id
        self._connect = connect
        self._buses: dict[str, Bus] = {}
        self._heard: list[Event] = []
        self._news = asyncio.Condition()

    async def begin(self) -> None:
        """Listen to the organisation's events, and provision it."""
        migrator = await self.as_("migrator")
        await migrator.watch(f"evt.{self.org_id.hex}.>", self._hear)
        await migrator.connection.flush()
        await self.ask(EnsureOrganization())

    async def ask(self, request: Request, org_id: UUID | None = None, timeout: float = 60):
        """Ask as the first service that may."""
        asker = next(entry.name for entry in SERVICES if type(request) in entry.asks)
        bus = await self.as_(asker)
        return await bus.ask(request, org_id=org_id or self.org_id, actor="tester", timeout=timeout)

    async def send(self, command: Command, org_id: UUID | None = None) -> None:
        """Send as the orchestrator."""
        bus = await self.as_("orchestrator")
        await bus.send(command, org_id=org_id or self.org_id, actor="tester")

    async def hear(self, *kinds: type[E], count: int = 1, **fields: object) -> E:
        """The `count`-th event of these classes with these fields, waited for."""

        def found() -> list[E]:
            return [
                event
                for event in self._heard
                if isinstance(event, kinds)
                and all(getattr(event, key) == value for key, value in fields.items())
            ]

        async with asyncio.timeout(15), self._news:
            await self._news.wait_for(lambda: len(found()) >= count)
        return found()[count - 1]

    async def idle(self, *commands: type[Command]) -> None:
        """Wait until every command of these classes that was sent has been handled."""
        migrator = await self.as_("migrator")

        async def handled() -> bool:
            consumers = [
                await migrator.jetstream.consumer_info(CMD.name, consumer.name)
                for consumer in service("transform").consumers()
                if {command.subject() for command in commands} & set(consumer.subjects)
            ]
            return all(info.num_pending == 0 and info.num_ack_pending == 0 for info in consumers)

        await eventually(handled)

    async def cancel(self, run_id: UUID) -> None:
        """Say that a run was called off, as the orchestrator does."""
        orchestrator = await self.as_("orchestrator")
        await orchestrator.publish(RunCancelRequested(run_id=run_id, version=3), org_id=self.org_id)

    async def connection(self, login: str) -> asyncpg.Connection:
        """A database connection as a service's login; the caller closes it."""
        return await asyncpg.connect(self.ground.database_url(login), timeout=10)

    async def declare(
        self, name: str, expected: tuple[Column, ...], table_id: UUID | None = None
    ) -> UUID:
        """Reserve a source's table, as ingest does; its id."""
        table_id = table_id or new_id()
        await self.ask(
            DeclareTable(
                table_id=table_id, table_kind="source", display_name=name, expected=expected
            )
        )
        return table_id

    async def load(
        self, table_id: UUID, select: str, held: tuple[Column, ...], fingerprint: str = "f"
    ) -> TableVersion:
        """Write a version of a source's table, as ingest does."""
        version_id = new_id()
        relation = names.version_relation(version_id)
        target = names.qualified(names.data_schema(self.org_id), relation)
        connection = await self.connection("ingest")
        try:
            async with connection.transaction(), as_org(connection, self.org_id):
                made = await connection.execute(f"CREATE TABLE {target} AS {select}")
                await versions.analyze(connection, self.org_id, relation)
                size = await versions.size(connection, self.org_id, relation)
        finally:
            await connection.close()
        return TableVersion(
            table_id=table_id,
            version_id=version_id,
            relation=relation,
            columns=held,
            rows=affected(made),
            bytes=size,
            fingerprint=fingerprint,
        )

    async def source(self, name: str, select: str, held: tuple[Column, ...]) -> TableVersion:
        """A source's table, declared, loaded and published."""
        table_id = await self.declare(name, held)
        version = await self.load(table_id, select, held)
        await self.publish(version)
        return version

    async def publish(
        self, *tables: TableVersion, run_id: UUID | None = None
    ) -> RunPublished | PublishAborted | PublishFailed:
        """Send PublishRun and wait for what came of it."""
        run_id = run_id or new_id()
        await self.send(PublishRun(run_id=run_id, step_id=new_id(), tables=tables))
        return await self.hear(RunPublished, PublishAborted, PublishFailed, run_id=run_id)

    async def transformation(self, name: str, *steps: dict[str, object]) -> Transformation:
        """Save a recipe."""
        return await self.ask(
            CreateTransformation(
                transformation_id=new_id(), name=name, recipe={"steps": list(steps)}
            )
        )

    async def command(
        self, transformation_id: UUID, inputs: tuple[TableVersion, ...] = (), **changes: object
    ) -> BuildTransformation:
        """What the orchestrator would send; `inputs` are what the run made before."""
        made = {version.table_id: version for version in inputs}
        plan = await self.ask(
            PlanTransformations(
                transformation_ids=(transformation_id,), source_table_ids=tuple(made)
            )
        )
        known = {version.table_id: version for version in plan.published} | made
        (recipe,) = plan.transformations
        values: dict[str, object] = {
            "run_id": new_id(),
            "step_id": new_id(),
            "transformation_id": transformation_id,
            "recipe_version": recipe.recipe_version,
            "inputs": tuple(known[table_id] for table_id in recipe.reads),
            "published": known.get(recipe.table_id),
            "as_of": NOON,
            "timezone": "UTC",
        }
        return BuildTransformation.model_validate(values | changes)

    async def build(
        self, transformation_id: UUID, inputs: tuple[TableVersion, ...] = (), **changes: object
    ) -> TransformationBuilt | TransformationFailed:
        """Send BuildTransformation and wait for what came of it."""
        command = await self.command(transformation_id, inputs, **changes)
        await self.send(command)
        return await self.hear(TransformationBuilt, TransformationFailed, step_id=command.step_id)

    async def as_(self, name: str) -> Bus:
        if name not in self._buses:
            self._buses[name] = await self._connect(name)
        return self._buses[name]

    async def _hear(self, message: Msg) -> None:
        kind = lookup(message.header["ce-type"] if message.header else "")
        if kind is not None and issubclass(kind, Event):
            async with self._news:
                self._heard.append(from_body(kind, message.data))
                self._news.notify_all()


@pytest.fixture
def column_factory() -> Callable[..., tuple[Column, ...]]:
    """Makes columns whose display name is the physical one with a capital."""

    def make(**types: str) -> tuple[Column, ...]:
        return tuple(
            Column.model_validate({"name": name.capitalize(), "physical": name, "type": kind})
            for name, kind in types.items()
        )

    return make


@pytest.fixture
def preview_timeout(request: pytest.FixtureRequest) -> str:
    """Seconds: ample for a busy machine, unless the test waits for their end."""
    return getattr(request, "param", "60")


@pytest_asyncio.fixture
async def transform(start_service, preview_timeout):
    """The service, as its process runs it."""
    return await start_service("transform", PUBLISH_PATIENCE="2", PREVIEW_TIMEOUT=preview_timeout)


@pytest_asyncio.fixture
async def stand(transform, ground, org_id, connect_bus) -> Stand:
    """An organisation that is provisioned, and its neighbours."""
    stand = Stand(ground, org_id, connect_bus)
    await stand.begin()
    return stand


@pytest_asyncio.fixture
async def other(transform, ground, connect_bus) -> Stand:
    """Another organisation."""
    stand = Stand(ground, new_id(), connect_bus)
    await stand.begin()
    return stand


@pytest.fixture
def meta() -> Callable[[UUID], Meta]:
    """Makes the attributes of a message of an organisation."""

    def make(org_id: UUID) -> Meta:
        return Meta(id=new_id(), source="test", type="test", time=NOON, org_id=org_id)

    return make


@pytest_asyncio.fixture
async def orchestrator(start_service, connect_bus):
    """The real one, without the news of runs that earlier tests only played."""
    migrator = await connect_bus("migrator")
    await migrator.jetstream.purge_stream("EVT")
    return await start_service("orchestrator")


@pytest.fixture
def held(column_factory):
    """Columns of a version with three of them."""
    return column_factory(a="integer", b="text", c="integer")


@pytest_asyncio.fixture
async def superuser(stand):
    """The database as its superuser."""
    connection = await asyncpg.connect(stand.ground.superuser_url)
    yield connection
    await connection.close()


@pytest_asyncio.fixture
async def warehouse(stand, superuser) -> Warehouse:
    """The organisation's warehouse, with an analyst."""
    warehouse = Warehouse(stand, superuser)
    await warehouse.settle()
    return warehouse
