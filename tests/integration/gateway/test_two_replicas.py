"""Live streams over two gateways and broken lines: every event once, in order, wherever it is read."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from httpx_sse import EventSource, ServerSentEvent
from tests.integration.gateway.conftest import Gateway

from contracts.envelope import new_id
from gateway import fanout, replay

ALL = "/events/stream"


@pytest.fixture
async def replicas(start_gateway, gateway, ingest) -> tuple[Gateway, Gateway]:
    return gateway, await start_gateway()


@asynccontextmanager
async def stream(
    member: Any, gateway: Gateway, path: str, last: str | None = None
) -> AsyncIterator[AsyncIterator[ServerSentEvent]]:
    headers = {"Last-Event-ID": last} if last is not None else {}
    headers["Authorization"] = member.client.headers["Authorization"]
    async with (
        httpx.AsyncClient(base_url=f"{gateway.url}/api/v1", timeout=30) as client,
        client.stream("GET", path, headers=headers) as response,
    ):
        assert response.status_code == 200, await response.aread()
        yield EventSource(response).aiter_sse()


async def start(member: Any) -> str:
    return (await member.client.post(f"/sources/{new_id()}/sync")).json()["id"]


async def take(sents: AsyncIterator[ServerSentEvent], runs: int) -> list[ServerSentEvent]:
    """Events until so many runs have ended."""
    taken: list[ServerSentEvent] = []
    ended = 0
    async with asyncio.timeout(20):
        while ended < runs:
            sent = await anext(sents)
            if sent.event == "listening":
                continue
            taken.append(sent)
            ended += sent.event in {"run_failed", "run_cancelled"}
    return taken


def told(sents: list[ServerSentEvent]) -> dict[str, list[int]]:
    """The versions of each run as they came."""
    found: dict[str, list[int]] = {}
    for sent in sents:
        event = sent.json()
        found.setdefault(event["run_id"], []).append(event["version"])
    return found


def complete(versions: list[int]) -> bool:
    return versions == list(range(1, len(versions) + 1)) and len(versions) > 3


async def cut(gateway: Gateway) -> None:
    """Break the gateway's line to the bus."""
    gateway.app.state.edge.bus.connection._transport.close()


async def test_a_run_is_followed_on_at_another_replica(replicas, member, ingest):
    ours, other = replicas
    run_id = await start(member)
    path = f"/runs/{run_id}/events"
    seen: list[ServerSentEvent] = []
    async with stream(member, ours, path) as sents:
        while len(seen) < 3:
            seen.append(await anext(sents))
    ours.server.should_exit = True
    await ingest.fail_next()
    async with asyncio.timeout(20), stream(member, other, path, seen[-1].id) as sents:
        seen += [sent async for sent in sents]
    assert complete(told(seen)[run_id])
    assert seen[-1].event == "run_failed"


async def test_the_organisations_stream_goes_on_at_another_replica_where_it_was(
    replicas, member, ingest
):
    ours, other = replicas
    async with stream(member, ours, ALL) as sents:
        listening = await anext(sents)
        assert listening.json() == {"complete": True}
        run_ids = [await start(member), await start(member)]
        await ingest.fail_next()
        seen = await take(sents, 1)
    # Nobody listens; one replica goes.
    await ingest.fail_next()
    run_ids.append(await start(member))
    ours.server.should_exit = True
    await ingest.fail_next()
    async with stream(member, other, ALL, seen[-1].id) as sents:
        assert (await anext(sents)).json() == {"complete": True}
        seen += await take(sents, 2)
    assert told(seen).keys() == set(run_ids)
    assert all(complete(versions) for versions in told(seen).values())
    positions = [int(sent.id) for sent in seen]
    assert positions == sorted(set(positions))
    # From the very beginning, another reads the same.
    async with stream(member, other, ALL, listening.id) as sents:
        assert [sent.id for sent in await take(sents, 3)] == [sent.id for sent in seen]


@pytest.mark.parametrize("path", ["one", "all"])
async def test_what_a_broken_line_to_the_bus_has_swallowed_is_filled_in(
    gateway, ingest, member, path
):
    run_id = await start(member)
    where = ALL if path == "all" else f"/runs/{run_id}/events"
    async with stream(member, gateway, where, "0" if path == "one" else None) as sents:
        first = await anext(sents)
        other = await start(member) if path == "all" else run_id
        await cut(gateway)
        # No later event shows the gap: this is the last one of each run.
        await ingest.fail_next()
        if path == "all":
            await ingest.fail_next()
        seen = await take(sents, 2 if path == "all" else 1)
    if path == "one":
        seen = [first, *seen]
    assert complete(told(seen)[other])
    assert seen[-1].event == "run_failed"


async def test_who_reads_slowly_loses_nothing_and_takes_no_more_room(
    gateway, ingest, member, monkeypatch
):
    monkeypatch.setattr(replay, "_ROOM", 3)
    monkeypatch.setattr(fanout, "_ROOM", 3)
    async with stream(member, gateway, ALL) as sents:
        await anext(sents)
        for _ in range(5):
            await start(member)
            await ingest.fail_next()
        seen = await take(sents, 5)
    assert len(told(seen)) == 5
    assert all(complete(versions) for versions in told(seen).values())


async def test_a_position_that_the_stream_does_not_reach_is_said_to_be_incomplete(
    gateway, ingest, member
):
    async with stream(member, gateway, ALL, "999999999999") as sents:
        assert (await anext(sents)).json() == {"complete": False}
        await start(member)
        await ingest.fail_next()
        seen = await take(sents, 1)
    assert complete(told(seen).popitem()[1])
    refused = await member.client.get(ALL, headers={"Last-Event-ID": "yesterday"})
    assert refused.status_code == 422
