"""The gateway as a real HTTP server on the real bus, and small stand-ins for what it asks."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from chassis.bus import Bus
from chassis.serving import Server
from contracts.envelope import Meta, from_body, from_headers, new_id
from contracts.ingest import (
    CsvConfig,
    GetSource,
    PlannedSource,
    PlanSources,
    Source,
    SourcesPlan,
    SourceSynced,
    SourceSyncFailed,
    SyncSource,
)
from contracts.problem import Problem, not_found
from contracts.transform import PlanTransformations, TransformationsPlan
from gateway.app import running
from gateway.settings import Settings


@pytest.fixture(scope="session", autouse=True)
def _traces() -> None:
    """Spans have ids only once there is a provider; a process sets it in telemetry.configure."""
    if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        trace.set_tracer_provider(TracerProvider())


@dataclass
class Gateway:
    """A running gateway."""

    url: str
    app: FastAPI
    server: uvicorn.Server


@pytest.fixture
async def start_gateway(ground) -> AsyncIterator[Callable[..., Awaitable[Gateway]]]:
    """Starts gateways on free ports; stops them after the test."""
    async with AsyncExitStack() as stack:

        async def start(**changes: object) -> Gateway:
            given = ground.bus("gateway").model_dump()
            settings = Settings.model_validate(
                given | {"object_store_url": ground.objects_url} | changes
            )
            app = await stack.enter_async_context(running(settings))
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            config = uvicorn.Config(
                app, lifespan="off", log_config=None, access_log=False, proxy_headers=False
            )
            server = Server(config, app.state.edge.fanout.close)
            serving = asyncio.create_task(server.serve([listener]))

            async def stop() -> None:
                server.should_exit = True
                await serving

            stack.push_async_callback(stop)
            async with asyncio.timeout(10):
                while not server.started:  # noqa: ASYNC110 - uvicorn tells by this flag alone
                    await asyncio.sleep(0.01)
            return Gateway(f"http://127.0.0.1:{listener.getsockname()[1]}", app, server)

        yield start


@pytest.fixture
async def gateway(start_gateway) -> Gateway:
    return await start_gateway()


@dataclass
class Member:
    """Somebody who is signed in, and their client."""

    client: httpx.AsyncClient
    org_id: UUID
    user_id: UUID
    session: dict[str, Any]


@pytest.fixture
async def sign_up() -> AsyncIterator[Callable[[Gateway], Awaitable[Member]]]:
    """Signs somebody new up through a gateway."""
    async with AsyncExitStack() as stack:

        async def start(gateway: Gateway) -> Member:
            client = await stack.enter_async_context(
                httpx.AsyncClient(base_url=f"{gateway.url}/api/v1", timeout=30)
            )
            response = await client.post(
                "/auth/signup",
                json={
                    "email": f"{new_id().hex}@example.org",
                    "password": "a long and quiet sentence",
                    "organization_name": "Wells",
                },
            )
            assert response.status_code == 201, response.text
            session = response.json()
            client.headers["Authorization"] = f"Bearer {session['access_token']}"
            org_id, user_id = session["organization"]["id"], session["user"]["id"]
            return Member(client, UUID(org_id), UUID(user_id), session)

        yield start


@pytest.fixture
async def member(start_service, gateway, sign_up) -> Member:
    await start_service("auth")
    return await sign_up(gateway)


def _source(source_id: UUID, name: str = "wells", revision: int = 3) -> Source:
    return Source(
        id=source_id,
        name=name,
        source_type="csv",
        config=CsvConfig(upload_id=source_id),
        status="ready",
        table_id=source_id,
        revision=revision,
        created_at=datetime.now(UTC),
        last_synced_at=None,
        last_error=None,
    )


@pytest.fixture
def make_source() -> Callable[..., Source]:
    """A source as ingest tells it."""
    return _source


@dataclass
class Ingest:
    """A stand-in that knows every source of its organisations; their syncs wait to be failed."""

    bus: Bus
    org_ids: set[UUID]
    syncs: asyncio.Queue[tuple[SyncSource, Meta]] = field(default_factory=asyncio.Queue)

    async def get_source(self, request: GetSource, meta: Meta) -> Source:
        if meta.org_id not in self.org_ids:
            raise not_found("source", request.source_id)
        return _source(request.source_id)

    async def plan_sources(self, request: PlanSources, meta: Meta) -> SourcesPlan:
        planned = (PlannedSource(source_id=s, name="wells", table_id=s) for s in request.source_ids)
        return SourcesPlan(sources=tuple(planned))

    async def pull(self) -> None:
        """Take syncs off the stream until cancelled."""
        subscription = await self.bus.jetstream.pull_subscribe_bind(
            consumer="ingest_sync_source_v1", stream="CMD"
        )
        while True:
            with contextlib.suppress(TimeoutError):
                (message,) = await subscription.fetch(1, timeout=1)
                meta = from_headers(message.headers, message.subject)
                await message.ack()
                # Runs of other tests come back with the orchestrator that every test starts.
                if meta.org_id in self.org_ids:
                    await self.syncs.put((from_body(SyncSource, message.data), meta))

    async def fail_next(self) -> None:
        """Wait for a sync and say that it failed."""
        command, meta = await self.syncs.get()
        problem = Problem(title="Bad", status=422, code="not_a_csv", detail="This is no CSV.")
        failed = SourceSyncFailed(
            run_id=command.run_id, step_id=command.step_id, lease=1, problem=problem
        )
        await self.bus.publish(failed, org_id=meta.org_id)

    async def keep_next(self) -> None:
        """Wait for a sync and say that it found nothing new."""
        command, meta = await self.syncs.get()
        kept = SourceSynced(
            run_id=command.run_id, step_id=command.step_id, lease=1, tables=(), unchanged=True
        )
        await self.bus.publish(kept, org_id=meta.org_id)


@pytest.fixture
async def ingest(ground, stand_in, member, start_service) -> AsyncIterator[Ingest]:
    """Real auth and orchestrator; ingest and transform stand in for themselves."""
    await start_service("orchestrator")
    bus = await Bus.connect(ground.bus("ingest"), "ingest")
    ingest = Ingest(bus, {member.org_id})
    await stand_in("ingest", {GetSource: ingest.get_source, PlanSources: ingest.plan_sources})

    async def plan(request: PlanTransformations, meta: Meta) -> TransformationsPlan:
        names = dict.fromkeys(request.source_table_ids, "wells")
        return TransformationsPlan(transformations=(), published=(), table_names=names)

    await stand_in("transform", {PlanTransformations: plan})
    pulling = asyncio.create_task(ingest.pull())
    yield ingest
    while not pulling.done():
        pulling.cancel()
        await asyncio.wait([pulling], timeout=1)
    await bus.close()
