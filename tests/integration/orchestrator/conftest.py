"""The orchestrator on real servers; its neighbours are the test's, each with their real rights."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

import pytest_asyncio
from nats.aio.msg import Msg

from chassis.bus import Bus
from contracts.auth import GetOrganization, Organization
from contracts.envelope import Meta, from_body, new_id
from contracts.ingest import PlannedSource, PlanSources, SourcesPlan, SourceSynced
from contracts.message import Command, Event, Request, lookup
from contracts.orchestrator import CancelRun, GetRun, Run, RunStatus, StartRun, Trigger
from contracts.problem import not_found
from contracts.tables import Column, TableVersion
from contracts.transform import (
    FindMissingVersions,
    MissingVersions,
    PlannedTransformation,
    PlanTransformations,
    PublishRun,
    RunPublished,
    TransformationBuilt,
    TransformationsPlan,
)

M = TypeVar("M", bound=Command | Event)


class Neighbours:
    """Whoever the orchestrator asks and commands: sources and recipes that a test names."""

    def __init__(self, gateway: Bus, ingest: Bus, transform: Bus, org_id: UUID) -> None:
        self.gateway, self.ingest, self.transform = gateway, ingest, transform
        self.org_id = org_id
        self.organizations = {str(org_id)}
        """Whose messages are heard: runs of an earlier test may still be open, and move."""
        self.sources: dict[UUID, str] = {}
        self.recipes: dict[UUID, PlannedTransformation] = {}
        self.patience: dict[UUID, timedelta] = {}
        """Of sources that wait for another system."""
        self.seen: dict[UUID, TableVersion] = {}
        """What is published."""
        self.gone: set[str] = set()
        """Versions that do not exist any more."""
        self.heard: list[Command | Event] = []
        self._sent: set[str | None] = set()
        """Ids of the messages that were heard."""
        self._news = asyncio.Condition()

    def source(self, name: str) -> UUID:
        """A source that exists."""
        source_id = new_id()
        self.sources[source_id] = name
        return source_id

    def recipe(self, name: str, *reads: UUID) -> UUID:
        """A transformation that exists, and reads these tables."""
        recipe_id = new_id()
        self.recipes[recipe_id] = PlannedTransformation(
            transformation_id=recipe_id,
            name=name,
            recipe_version=3,
            table_id=recipe_id,
            reads=reads,
        )
        return recipe_id

    async def start(
        self,
        *source_ids: UUID,
        recipes: tuple[UUID, ...] = (),
        org_id: UUID | None = None,
        pipeline_id: UUID | None = None,
    ) -> UUID:
        """Send StartRun as the gateway does; the run's id."""
        run_id = new_id()
        command = StartRun(
            run_id=run_id,
            run_kind="pipeline",
            pipeline_id=pipeline_id or new_id(),
            source_ids=source_ids,
            transformation_ids=recipes,
            trigger=Trigger(type="manual", actor="tester"),
        )
        self.organizations.add(str(org_id or self.org_id))
        await self.gateway.send(command, org_id=org_id or self.org_id, actor="tester")
        return run_id

    async def cancel(self, run_id: UUID) -> None:
        """Send CancelRun as the gateway does."""
        await self.gateway.send(CancelRun(run_id=run_id), org_id=self.org_id, actor="tester")

    async def synced(
        self, run_id: UUID, step_id: UUID, source_id: UUID, *, org_id: UUID | None = None
    ) -> None:
        """Say that a source has been synced, as ingest does."""
        event = SourceSynced(
            run_id=run_id,
            step_id=step_id,
            lease=1,
            tables=(self.version(source_id),),
            unchanged=False,
        )
        await self.ingest.publish(event, org_id=org_id or self.org_id)

    async def built(
        self, run_id: UUID, step_id: UUID, table_id: UUID, *, org_id: UUID | None = None
    ) -> None:
        """Say that a transformation has been built, as transform does."""
        event = TransformationBuilt(
            run_id=run_id,
            step_id=step_id,
            lease=1,
            tables=(self.version(table_id),),
            unchanged=False,
            sql="SELECT 1",
        )
        await self.transform.publish(event, org_id=org_id or self.org_id)

    async def published(self, command: PublishRun, *, org_id: UUID | None = None) -> None:
        """Say that a run's tables are what readers see, as transform does."""
        tables = tuple(table.table_id for table in command.tables)
        event = RunPublished(run_id=command.run_id, table_ids=tables, attempt=command.attempt)
        await self.transform.publish(event, org_id=org_id or self.org_id)

    def version(self, table_id: UUID) -> TableVersion:
        """A version of a table that holds three rows."""
        return TableVersion(
            table_id=table_id,
            version_id=new_id(),
            relation="v_" + "a" * 26,
            columns=(Column(name="id", physical="id", type="integer"),),
            rows=3,
            bytes=8192,
            fingerprint="f",
        )

    async def hear(self, kind: type[M], *, count: int = 1, **fields: object) -> M:
        """The `count`-th message of this class with these fields, waited for."""
        await self.until(lambda: len(self.told(kind, **fields)) >= count)
        return self.told(kind, **fields)[count - 1]

    async def until(self, holds: Callable[[], bool], seconds: float = 15) -> None:
        """Wait until what was heard makes this true."""
        async with asyncio.timeout(seconds), self._news:
            await self._news.wait_for(holds)

    def told(self, kind: type[M], **fields: object) -> list[M]:
        """The messages of this class with these fields, so far."""
        return [
            message
            for message in self.heard
            if isinstance(message, kind)
            and all(getattr(message, key) == value for key, value in fields.items())
        ]

    async def run(self, run_id: UUID) -> Run:
        """The run as people see it."""
        return await self.gateway.ask(GetRun(run_id=run_id), org_id=self.org_id, actor="tester")

    async def status(self, run_id: UUID) -> RunStatus:
        """How the run stands."""
        return (await self.run(run_id)).status

    async def listen(self, message: Msg) -> None:
        """Keep what was said to or by the orchestrator about this test's organisations."""
        headers = message.header or {}
        if headers.get("ce-orgid") not in self.organizations:
            return
        # The relay may send what the writer has sent: the stream drops it, and so does who listens.
        if (sent := headers.get("Nats-Msg-Id")) in self._sent:
            return
        self._sent.add(sent)
        kind = lookup(headers["ce-type"])
        if kind is not None and issubclass(kind, Command | Event):
            async with self._news:
                self.heard.append(from_body(kind, message.data))
                self._news.notify_all()

    async def organization(self, request: GetOrganization, meta: Meta) -> Organization:
        """GetOrganization."""
        assert meta.org_id is not None
        return Organization(id=meta.org_id, name="Wells", timezone="Africa/Nairobi")

    async def plan_sources(self, request: PlanSources, meta: Meta) -> SourcesPlan:
        """PlanSources."""
        for source_id in request.source_ids:
            if source_id not in self.sources:
                raise not_found("source", source_id)
        return SourcesPlan(
            sources=tuple(
                PlannedSource(
                    source_id=own,
                    name=self.sources[own],
                    table_id=own,
                    patience=self.patience.get(own, timedelta(0)),
                )
                for own in request.source_ids
            )
        )

    async def plan_transformations(
        self, request: PlanTransformations, meta: Meta
    ) -> TransformationsPlan:
        """PlanTransformations."""
        recipes = tuple(self.recipes[own] for own in request.transformation_ids)
        names = {recipe.table_id: recipe.name for recipe in recipes} | self.sources
        return TransformationsPlan(
            transformations=recipes, published=tuple(self.seen.values()), table_names=names
        )

    async def find_missing_versions(
        self, request: FindMissingVersions, meta: Meta
    ) -> MissingVersions:
        """FindMissingVersions."""
        return MissingVersions(relations=tuple(self.gone & set(request.relations)))

    def answers(self) -> dict[str, dict[type[Request[Any]], Any]]:
        """What each neighbour answers."""
        return {
            "auth": {GetOrganization: self.organization},
            "ingest": {PlanSources: self.plan_sources},
            "transform": {
                PlanTransformations: self.plan_transformations,
                FindMissingVersions: self.find_missing_versions,
            },
        }


@pytest_asyncio.fixture
async def silent(ground, org_id, connect_bus) -> AsyncIterator[Neighbours]:
    """Neighbours that say what a test has them say, but answer no questions yet."""
    gateway, ingest, transform = [
        await connect_bus(name) for name in ("gateway", "ingest", "transform")
    ]
    neighbours = Neighbours(gateway, ingest, transform, org_id)
    migrator = await connect_bus("migrator")
    await migrator.watch(f"evt.{org_id.hex}.>", neighbours.listen)
    await migrator.watch("cmd.>", neighbours.listen)
    yield neighbours
    for consumer in ("ingest", "transform"):
        # Nobody carried these out, and the next test's services must not.
        await migrator.jetstream.purge_stream("CMD", subject=f"cmd.{consumer}.>")


@pytest_asyncio.fixture
async def neighbours(silent, stand_in) -> Neighbours:
    """Neighbours that answer."""
    for service, handlers in silent.answers().items():
        await stand_in(service, handlers)
    return silent
