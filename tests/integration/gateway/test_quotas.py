"""What an organisation may start, tell and keep open, over HTTP with the real bus."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace

import httpx
import pytest

from chassis.testing import eventually
from contracts.envelope import new_id
from contracts.ingest import GetSource, PlanSources
from contracts.message import Done
from contracts.orchestrator import CheckQueue
from contracts.problem import DATABASE_AWAY, DATABASE_FULL, problem
from contracts.shares import LIVE_STREAMS, LIVE_STREAMS_OF_PERSON, RUN_WAITS
from contracts.streams import EVT
from gateway.replay import bounds

BATCH = {"Content-Type": "application/cloudevents-batch+json"}


def events(count: int) -> list[dict]:
    event = {"specversion": "1.0", "source": "/etl", "type": "source.synced"}
    return [event | {"id": new_id().hex, "data": {"table": "wells"}} for _ in range(count)]


@pytest.fixture
async def clean(member, connect_bus):
    """Takes the test's events off their streams, so that no service of a later test follows them."""
    yield
    migrator = await connect_bus("migrator")
    for stream, kind in (("EXT", "ext"), ("EVT", "evt")):
        await migrator.jetstream.purge_stream(stream, subject=f"{kind}.{member.org_id.hex}.>")


async def test_events_of_an_organisation_are_counted_by_all_gateways(
    start_gateway, start_service, sign_up, connect_bus
):
    await start_service("auth")
    gateways = [await start_gateway(events_per_minute=100) for _ in range(2)]
    member, other = await sign_up(gateways[0]), await sign_up(gateways[0])

    async def tell(client: httpx.AsyncClient, gateway, count: int) -> httpx.Response:
        address = f"{gateway.url}/api/v1/events"
        return await client.post(address, json=events(count), headers=BATCH)

    first, second = gateways
    assert (await tell(member.client, first, 60)).status_code == 202
    refused = await tell(member.client, second, 60)
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_exceeded")
    assert int(refused.headers["retry-after"]) == refused.json()["retry_after"] > 0
    assert (await tell(member.client, second, 40)).status_code == 202
    assert (await tell(other.client, second, 60)).status_code == 202
    migrator = await connect_bus("migrator")
    stored = {}
    for who in (member, other):
        pattern = f"ext.{who.org_id.hex}.>"
        state = (await migrator.jetstream.stream_info("EXT", subjects_filter=pattern)).state
        stored[who.org_id] = sum((state.subjects or {}).values())
        await migrator.jetstream.purge_stream("EXT", subject=pattern)
    assert list(stored.values()) == [100, 60]


async def test_a_batch_that_is_too_large_is_refused(member):
    padded = [event | {"data": {"table": "wells", "x": "x" * 4000}} for event in events(100)]
    response = await member.client.post("/events", json=padded, headers=BATCH)
    assert (response.status_code, response.json()["code"]) == (413, "too_large")


async def test_starts_of_runs_are_limited_and_a_repeat_is_no_start(start_gateway, member, ingest):
    gateway = await start_gateway(run_starts_per_minute=2)

    source_id = new_id()

    async def start(key: str) -> httpx.Response:
        address = f"{gateway.url}/api/v1/sources/{source_id}/sync"
        return await member.client.post(address, headers={"Idempotency-Key": key})

    started = [await start(key) for key in ("a", "b")]
    assert [each.status_code for each in started] == [202, 202]
    refused = await start("c")
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_exceeded")
    assert int(refused.headers["retry-after"]) > 0
    assert (await start("a")).json()["id"] != (await start("b")).json()["id"]
    run = started[0].json()
    cancel = f"{gateway.url}/api/v1/runs/{run['id']}/cancel"
    assert (await member.client.post(cancel)).status_code in {200, 202}
    retry = await member.client.post(f"{gateway.url}/api/v1/runs/{run['id']}/retry")
    assert retry.status_code in {409, 429}


async def test_a_full_queue_takes_no_more_runs_until_one_has_begun(
    start_service, member, stand_in, ground
):
    settings = {"MAX_ACTIVE_RUNS_PER_ORGANIZATION": "1", "MAX_QUEUED_RUNS_PER_ORGANIZATION": "2"}
    await start_service("orchestrator", **settings)

    async def silent(_: object, __: object) -> None:
        # Whoever plans never answers: runs stay in the queue.
        await asyncio.Event().wait()

    await stand_in("ingest", {GetSource: _any_source, PlanSources: silent})

    async def start() -> httpx.Response:
        return await member.client.post(f"/sources/{new_id()}/sync")

    first = await start()
    assert [first.status_code, (await start()).status_code] == [202, 202]

    async def is_full() -> httpx.Response | None:
        response = await start()
        return response if response.status_code == 429 else None

    refused = await eventually(is_full)
    assert refused.json()["code"] == "queue_full"
    assert int(refused.headers["retry-after"]) > 0
    await member.client.post(f"/runs/{first.json()['id']}/cancel")
    queued = [run["id"] for run in (await member.client.get("/runs?status=queued")).json()]
    for run_id in queued:
        await member.client.post(f"/runs/{run_id}/cancel")
    assert (await start()).status_code == 202


@pytest.mark.parametrize("code", [DATABASE_FULL, DATABASE_AWAY])
async def test_no_run_is_accepted_that_the_database_cannot_keep(member, stand_in, code):
    async def cannot(*_: object) -> Done:
        raise problem(503, code, "Not now.")

    await stand_in("orchestrator", {CheckQueue: cannot})
    await stand_in("ingest", {GetSource: _any_source})
    refused = await member.client.post(f"/sources/{new_id()}/sync")
    assert (refused.status_code, refused.json()["code"]) == (503, code)
    assert refused.headers["retry-after"]


async def _any_source(request: GetSource, _: object):
    from .conftest import _source

    return _source(request.source_id)


@pytest.mark.parametrize(
    "slots", [LIVE_STREAMS, LIVE_STREAMS_OF_PERSON], ids=lambda each: each.name
)
async def test_streams_that_are_open_at_once_are_capped(gateway, member, slots):
    gateway.app.state.edge.shares.put(replace(slots, each=2))
    async with AsyncExitStack() as stack:
        reading = []
        for _ in range(2):
            opened = await stack.enter_async_context(member.client.stream("GET", "/events/stream"))
            assert opened.status_code == 200
            # Held: an iterator that is dropped closes its stream.
            reading.append(opened.aiter_lines())
            await anext(reading[-1])
        refused = await member.client.get("/events/stream")
        assert (refused.status_code, refused.json()["code"]) == (429, "share_used_up")
        assert refused.headers["retry-after"]
    # Those that were closed are free again, once the gateway has seen it.

    async def opens() -> bool:
        async with member.client.stream("GET", "/events/stream") as response:
            return response.status_code == 200

    await eventually(opens)


async def test_who_waits_for_too_many_runs_is_answered_at_once(gateway, member, ingest):
    gateway.app.state.edge.shares.of(replace(RUN_WAITS, each=1))
    waits = {"Prefer": "wait=30"}
    waiting = asyncio.create_task(member.client.post(f"/sources/{new_id()}/sync", headers=waits))
    await ingest.syncs.put(await ingest.syncs.get())
    second = await member.client.post(f"/sources/{new_id()}/sync", headers=waits)
    assert (second.status_code, second.headers.get("preference-applied")) == (202, None)
    assert not waiting.done()
    await ingest.keep_next()
    first = await waiting
    assert (first.status_code, first.headers["preference-applied"]) == (200, "wait=30")


async def test_a_stream_whose_own_oldest_events_went_is_not_complete(
    gateway, member, sign_up, connect_bus, clean
):
    other = await sign_up(gateway)
    bus = await connect_bus("orchestrator")
    asking = await connect_bus("gateway")
    begin = await bounds(asking, member.org_id, None)
    subject = f"evt.{member.org_id.hex}.orchestrator.run_queued.v1"
    assert EVT.max_per_subject is not None
    for _ in range(0, EVT.max_per_subject, 500):
        assert (await bounds(asking, member.org_id, begin.after)).is_complete
        await asyncio.gather(*(bus.jetstream.publish(subject, b"{}") for _ in range(500)))
    # As many as it keeps, and all of them later than the reader's position.
    assert (await bounds(asking, member.org_id, begin.after)).is_complete
    await bus.jetstream.publish(subject, b"{}")
    assert not (await bounds(asking, member.org_id, begin.after)).is_complete
    assert (await bounds(asking, other.org_id, begin.after)).is_complete
    # Who has read the event that went has missed nothing.
    assert (await bounds(asking, member.org_id, begin.after + 1)).is_complete
    late = await bounds(asking, member.org_id, None)
    await bus.jetstream.publish(subject, b"{}")
    assert await bounds(asking, member.org_id, late.after) == late


async def test_live_streams_leave_half_of_the_connections_to_other_requests(start_gateway):
    gateway = await start_gateway(http_connections=6)
    shares = gateway.app.state.edge.shares
    for slots in (LIVE_STREAMS, LIVE_STREAMS_OF_PERSON):
        assert shares.of(slots).slots.total == 3
