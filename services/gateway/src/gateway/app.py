"""The composition root of the gateway: routes, what surrounds them, and the open connections."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace

from fastapi import APIRouter, Depends, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.routing import APIRoute
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from chassis.bus import Bus
from chassis.objects import Objects
from chassis.rates import Rates
from chassis.shares import Shares
from chassis.telemetry import log
from contracts.auth import GetSigningKeys, JsonWebKeySet
from contracts.shares import LIVE_STREAMS, LIVE_STREAMS_OF_PERSON
from contracts.streams import QUOTAS
from gateway import openapi, problems
from gateway.auth import Keys, Verifier
from gateway.edge import Edge
from gateway.fanout import Fanout
from gateway.limits import ENVELOPE, BodyLimit
from gateway.observe import Observe
from gateway.queue_room import QueueRoom
from gateway.quotas import Quotas
from gateway.request_rates import AddressLimit, requests_of_addresses, requests_of_organizations
from gateway.routes import (
    auth,
    events,
    google_sheets,
    health,
    kobo,
    pipelines,
    runs,
    schedules,
    schema,
    sources,
    table_versions,
    transformations,
    triggers,
    uploads,
    warehouse,
)
from gateway.settings import Settings
from gateway.text import acceptable
from gateway.unconfirmed import Unconfirmed

BASE = "/api/v1"
_QUIET = ("/healthz", "/readyz")
"""Routes that machines ask every few seconds."""


def create_app(settings: Settings) -> FastAPI:
    """The application without its connections: enough to describe itself and to refuse."""
    app = FastAPI(
        title="Dalgo Lite",
        version="1.0.0",
        summary="Sources, recipes, pipelines and the warehouse of an organisation.",
        openapi_url="/openapi.json",
        docs_url="/docs",
        redoc_url=None,
        generate_unique_id_function=_operation_id,
        dependencies=[Depends(acceptable)],
    )
    api = APIRouter(prefix=BASE)
    for router in (
        auth.router,
        uploads.router,
        google_sheets.router,
        sources.router,
        kobo.router,
        schema.router,
        pipelines.router,
        schedules.router,
        triggers.router,
        runs.router,
        events.router,
        table_versions.router,
        warehouse.router,
    ):
        api.include_router(router)
    api.include_router(transformations.router, prefix="/transformations")
    api.include_router(transformations.router, prefix="/transforms", include_in_schema=False)
    app.include_router(api)
    app.include_router(auth.well_known)
    problems.install(app)
    openapi.install(app)
    _surround(app, settings)
    return app


def _operation_id(route: APIRoute) -> str:
    """What generated clients call the operation: `sources_create`."""
    return f"{route.tags[0]}_{route.name}"


def _surround(app: FastAPI, settings: Settings) -> None:
    """Middleware, from the inside out."""
    larger = {
        BASE + uploads.PATH: settings.upload_max_bytes + ENVELOPE,
        BASE + events.PATH: events.MAX_BODY,
    }
    app.add_middleware(BodyLimit, larger=larger)
    app.add_middleware(AddressLimit, rate=requests_of_addresses(settings), free=_QUIET)
    app.add_middleware(Observe, quiet=_QUIET)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.cors_origins,
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=[
            "Authorization",
            "Content-Type",
            "Dalgo-View",
            "Idempotency-Key",
            "If-Match",
            "Last-Event-ID",
            "Prefer",
        ],
        allow_credentials=True,
        expose_headers=["ETag", "Link", "Location", "Preference-Applied", "Retry-After"],
        max_age=600,
    )
    if settings.trusted_proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(settings.trusted_proxies))  # pyright: ignore[reportArgumentType]
    FastAPIInstrumentor.instrument_app(
        app, excluded_urls=",".join(_QUIET), exclude_spans=["receive", "send"]
    )


def _shares(settings: Settings) -> Shares:
    """Those of the gateway: live streams, which last, leave half of all connections to others."""
    shares, most = Shares(), max(1, settings.http_connections // 2)
    for slots in (LIVE_STREAMS, LIVE_STREAMS_OF_PERSON):
        total = min(slots.total, most)
        shares.put(replace(slots, total=total, each=min(slots.each, total)))
    return shares


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[FastAPI]:
    """The application with its connections open, until the context ends."""
    started = time.perf_counter()
    bus = await Bus.connect(settings, "gateway")
    fanout = Fanout()
    stack = ExitStack()
    try:
        await fanout.start(bus)

        async def ask_keys() -> JsonWebKeySet:
            return await bus.ask(GetSigningKeys(), org_id=None, timeout=2)

        edge = Edge(
            settings=settings,
            bus=bus,
            verifier=Verifier(settings, Keys(ask_keys)),
            fanout=fanout,
            objects=Objects(settings.object_store_url),
            quotas=Quotas(settings, Rates(bus, QUOTAS)),
            queue_room=QueueRoom(settings.run_starts_per_minute),
            requests=requests_of_organizations(settings),
            shares=_shares(settings),
            unconfirmed=Unconfirmed(bus),
        )
        app = create_app(settings)
        app.state.edge = edge
        app.state.health = health.checks(edge)
        app.router.routes.extend(app.state.health.routes())
        repeating = asyncio.create_task(edge.unconfirmed.run())
        stack.callback(repeating.cancel)
        log.info("service_started", seconds=round(time.perf_counter() - started, 2))
        yield app
    finally:
        stack.close()
        fanout.close()
        await bus.close()
        log.info("service_stopped")
