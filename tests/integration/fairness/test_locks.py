"""A login of another system that takes every advisory lock it can name or see stops nobody."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio
from pydantic import SecretStr

from chassis.bus import Bus
from chassis.database import Database
from chassis.migrations import Target, migrate
from chassis.objects import Objects
from chassis.outbox import Outbox, Outgoing, Relay
from chassis.settings import ServiceSettings
from chassis.testing import eventually
from contracts.auth import SignUp
from contracts.envelope import new_id
from contracts.ingest import CreateSource, CsvConfig, RegisterUpload
from contracts.orchestrator import (
    CreatePipeline,
    GetRun,
    OnUpload,
    RunCancelRequested,
    SetTriggers,
    StartRun,
    Trigger,
)
from contracts.problem import ProblemError
from contracts.transform import CreateTransformation
from ingest.domain import upload_key
from warehouse import names
from warehouse.loaders import issue_loader
from warehouse.provision import provision

from ...conftest import PASSWORD, Ground, StartService

_PATIENCE = 45.0
"""Seconds; a wait for a lock that an outsider holds has no end."""

_RECIPE: dict[str, object] = {
    "version": 1,
    "steps": [
        {"type": "source", "table": "people"},
        {"type": "filter", "column": "age", "operator": "greater_than", "value": 18},
    ],
}
_SERVICES = ("auth", "ingest", "transform", "orchestrator")


_OF_AN_ORGANIZATION = {
    "roles": "warehouse.organization.{org_id}",
    "slots": "room of {org_id}",
    "triggers": "orchestrator.triggers.{org_id}",
    "recipes": "transform.recipes.{org_id}",
    "load": "dlt:org_{org_id.hex}_data",
}
_OF_ALL = ("auth.signing_keys", *(f"{name}.outbox" for name in _SERVICES))
"""Keys of advisory locks that services have used."""


def _signed(number: int, bits: int) -> int:
    return number - (1 << bits) if number >> (bits - 1) else number


class Outsider:
    """A loader's sessions: one holds known keys, the other takes what `pg_locks` shows."""

    def __init__(self, holding: asyncpg.Connection, looking: asyncpg.Connection) -> None:
        self._holding = holding
        self._looking = looking

    async def hold_general(self) -> None:
        """Take the keys that were not an organisation's."""
        await self._holding.execute(f"SELECT pg_advisory_lock({0x64616C67})")
        for key in _OF_ALL:
            await self._holding.execute("SELECT pg_advisory_lock(hashtext($1))", key)

    async def hold(self, org_id: UUID, *kinds: str) -> None:
        """Take the keys by which an organisation was locked for some kinds of work."""
        for kind in kinds:
            key = _OF_AN_ORGANIZATION[kind].format(org_id=org_id)
            await self._holding.execute("SELECT pg_advisory_lock(hashtextextended($1, 0))", key)

    async def grab(self) -> None:
        """Take whatever is held, as soon as it is free, until cancelled."""
        await self._looking.execute("SET lock_timeout = '50ms'")
        while True:
            for classid, objid, subid in await self._looking.fetch(
                "SELECT classid::bigint, objid::bigint, objsubid FROM pg_locks"
                " WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
            ):
                # One key of 64 bits shows as its two halves, as two keys of 32 bits do.
                high, low = (_signed(half, 32) for half in (classid, objid))
                both = _signed((classid << 32) | objid, 64)
                numbers = str(both) if subid == 1 else f"{high}, {low}"
                try:
                    await self._looking.execute(f"SELECT pg_advisory_lock({numbers})")
                except asyncpg.PostgresError:
                    continue
            await asyncio.sleep(0.01)


@pytest_asyncio.fixture
async def transform_database(ground: Ground) -> AsyncIterator[Database]:
    pool = await asyncpg.create_pool(ground.database_url("transform"), min_size=1, max_size=4)
    yield Database(pool, "transform")
    await pool.close()


@pytest_asyncio.fixture
async def outsider(
    ground: Ground, transform_database: Database, advisory_locks: None
) -> AsyncIterator[Outsider]:
    """The loader of an organisation that no other has anything to do with."""
    own, source_id = new_id(), new_id()
    password = await issue_loader(transform_database, own, source_id)
    place = ground.migrator_url.partition("@")[2]
    name = names.loader_role(own, source_id)
    url = f"postgresql://{name}:{password}@{place}"
    sessions = [await asyncpg.connect(url, timeout=10) for _ in range(2)]
    outsider = Outsider(*sessions)
    grabbing = asyncio.create_task(outsider.grab())
    yield outsider
    # Had it failed, nothing would have been tried.
    assert not grabbing.done(), grabbing.exception()
    grabbing.cancel()
    await asyncio.gather(grabbing, return_exceptions=True)
    for session in sessions:
        await session.close()


async def test_an_organisation_is_provisioned(
    transform_database: Database, outsider: Outsider, org_id: UUID
) -> None:
    await outsider.hold(org_id, "roles")
    async with asyncio.timeout(_PATIENCE), transform_database.transaction() as connection:
        await provision(connection, org_id)


async def test_a_loader_is_issued(
    transform_database: Database, outsider: Outsider, org_id: UUID
) -> None:
    await outsider.hold(org_id, "roles")
    async with asyncio.timeout(_PATIENCE):
        assert await issue_loader(transform_database, org_id, new_id())


async def test_the_migrator_migrates(ground: Ground, outsider: Outsider) -> None:
    await outsider.hold_general()
    targets = [*(Target(name, PASSWORD) for name in _SERVICES), Target("warehouse", None)]
    async with asyncio.timeout(_PATIENCE):
        assert await migrate(ground.migrator_url, targets) == 0


async def test_auth_finds_its_signing_key(outsider: Outsider, start_service: StartService) -> None:
    await outsider.hold_general()
    async with asyncio.timeout(_PATIENCE):
        await start_service("auth")


async def test_the_relay_sends_what_was_committed(
    ground: Ground, bus: Bus, connect_bus: Any, outsider: Outsider, org_id: UUID
) -> None:
    await outsider.hold_general()
    heard = asyncio.Event()

    async def hear(_: object) -> None:
        heard.set()

    await bus.watch(f"evt.{org_id.hex}.orchestrator.>", hear)
    outbox = Outbox("orchestrator")
    settings = ServiceSettings(
        nats_url=ground.nats_url, database_url=SecretStr(ground.database_url("orchestrator"))
    )
    database = await Database.connect(settings, "orchestrator")
    event = Outgoing(RunCancelRequested(run_id=new_id(), version=1), org_id)
    async with database.transaction() as connection:
        await outbox.put(connection, [event])
    outbox.wake()
    relay = Relay(database, await connect_bus("orchestrator"), outbox)
    relaying = asyncio.create_task(relay.run())
    try:
        async with asyncio.timeout(_PATIENCE):
            await heard.wait()
    finally:
        relaying.cancel()
        await asyncio.gather(relaying, return_exceptions=True)
        await database.close()


@pytest.mark.parametrize("kind", _OF_AN_ORGANIZATION)
async def test_a_source_is_loaded_a_recipe_saved_and_a_pipeline_run(
    ground: Ground, bus: Bus, outsider: Outsider, start_service: StartService, kind: str
) -> None:
    for name in _SERVICES:
        await start_service(name)
    org_id = await _organization(bus)
    await outsider.hold(org_id, kind)
    async with asyncio.timeout(_PATIENCE):
        source_id = await _source(ground, bus, org_id)
        built = await bus.ask(
            CreateTransformation(transformation_id=new_id(), name="Adults", recipe=_RECIPE),
            org_id=org_id,
        )
        sources, transformations = (source_id,), (built.id,)
        pipeline = CreatePipeline(
            pipeline_id=new_id(),
            name="All",
            source_ids=sources,
            transformation_ids=transformations,
        )
        pipeline_id = (await bus.ask(pipeline, org_id=org_id)).id
        triggers = SetTriggers(pipeline_id=pipeline_id, triggers=(OnUpload(type="upload"),))
        await bus.ask(triggers, org_id=org_id)
        run = StartRun(
            run_id=new_id(),
            run_kind="pipeline",
            pipeline_id=pipeline_id,
            source_ids=sources,
            transformation_ids=transformations,
            trigger=Trigger(type="manual", actor="tester"),
        )
        await bus.send(run, org_id=org_id)
        assert await _end(bus, org_id, run.run_id) == "succeeded"


async def _end(bus: Bus, org_id: UUID, run_id: UUID) -> str:
    async def ended() -> str | None:
        try:
            run = await bus.ask(GetRun(run_id=run_id), org_id=org_id)
        except ProblemError:
            return None
        return run.status if run.finished_at else None

    return await eventually(ended, within=_PATIENCE)


async def _organization(bus: Bus) -> UUID:
    grant = await bus.ask(
        SignUp(
            email=f"{new_id().hex}@example.org",
            password=SecretStr("a long and quiet sentence"),
            organization_name="Wells",
        ),
        org_id=None,
    )
    return grant.organization.id


async def _source(ground: Ground, bus: Bus, org_id: UUID) -> UUID:
    content = b"name,age\nAsha,31\nBen,17\n"

    async def chunks() -> AsyncIterator[bytes]:
        yield content

    upload_id = new_id()
    await Objects(ground.objects_url).put(upload_key(org_id, upload_id), chunks())
    await bus.ask(
        RegisterUpload(
            upload_id=upload_id,
            filename="people.csv",
            size_bytes=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
        ),
        org_id=org_id,
    )
    source = await bus.ask(
        CreateSource(
            source_id=new_id(),
            name="people",
            source_type="csv",
            config=CsvConfig(upload_id=upload_id),
        ),
        org_id=org_id,
        timeout=30,
    )
    return source.id
