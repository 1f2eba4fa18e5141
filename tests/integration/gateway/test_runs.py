"""Runs over HTTP with the real orchestrator: started, waited for, followed, cancelled."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import httpx
import jwt
import pytest
from httpx_sse import EventSource

from contracts.envelope import Meta, new_id
from contracts.ingest import GetSource, Source
from contracts.orchestrator import RunEvent
from gateway import stream

SECRET = "a secret that is long enough for HS256"


@pytest.fixture
def client(member, ingest):
    return member.client


async def start(client: httpx.AsyncClient, **headers: str) -> dict:
    response = await client.post(f"/sources/{new_id()}/sync", headers=headers)
    assert response.status_code == 202, response.text
    return response.json()


async def follow(client: httpx.AsyncClient, run_id: str, last: int | None = None):
    """The events of a run until the stream ends, as (id, RunEvent)."""
    headers = {"Last-Event-ID": str(last)} if last is not None else {}
    async with client.stream("GET", f"/runs/{run_id}/events", headers=headers) as response:
        assert response.status_code == 200
        return [
            (sent.id, RunEvent.model_validate_json(sent.data))
            async for sent in EventSource(response).aiter_sse()
        ]


async def test_a_started_run_can_be_asked_for_right_away(client):
    response = await client.post(f"/sources/{new_id()}/sync")
    run = response.json()
    assert response.headers["location"] == f"/api/v1/runs/{run['id']}"
    assert run["kind"] == "sync"
    assert run["trigger"]["type"] == "manual"
    shown = await client.get(f"/runs/{run['id']}")
    assert shown.status_code == 200
    assert shown.headers["etag"] == f'"{shown.json()["version"]}"'
    assert [one["id"] for one in (await client.get("/runs")).json()] == [run["id"]]


async def test_a_run_is_followed_to_its_end_and_from_any_version_on(client, ingest):
    run = await start(client)
    following = asyncio.create_task(follow(client, run["id"]))
    await ingest.fail_next()
    events = await asyncio.wait_for(following, 10)
    types = [event.type for _, event in events]
    assert types[:3] == ["run_queued", "run_started", "step_started"]
    assert types[-1] == "run_failed"
    assert [key for key, _ in events] == [str(n) for n in range(1, len(events) + 1)]
    assert await follow(client, run["id"]) == events
    assert await follow(client, run["id"], last=3) == events[3:]
    assert await follow(client, run["id"], last=len(events)) == []


async def test_two_readers_of_one_run_read_the_same(client, ingest):
    run = await start(client)
    readers = [asyncio.create_task(follow(client, run["id"])) for _ in range(5)]
    await ingest.fail_next()
    first, *others = await asyncio.wait_for(asyncio.gather(*readers), 10)
    assert all(other == first for other in others)


async def test_an_event_that_the_bus_dropped_is_filled_in(client, ingest, gateway, member):
    run = await start(client)
    events = []
    async with client.stream("GET", f"/runs/{run['id']}/events") as response:
        sents = EventSource(response).aiter_sse()
        while len(events) < 3:
            events.append((await anext(sents)).id)
        edge = gateway.app.state.edge
        heard = edge.fanout.hand_out
        # Deaf for one event: what comes after it shows the gap.
        edge.fanout.hand_out = lambda org, event: None if event.version == 4 else heard(org, event)
        await ingest.fail_next()
        events += [sent.id async for sent in sents]
    assert events == [str(n) for n in range(1, len(events) + 1)]
    assert len(events) > 4


async def test_silence_is_looked_into(client, ingest, gateway, monkeypatch):
    monkeypatch.setattr(stream, "_HEARTBEAT", 0.2)
    run = await start(client)
    following = asyncio.create_task(follow(client, run["id"]))
    gateway.app.state.edge.fanout.hand_out = lambda org, event: None
    await ingest.fail_next()
    events = await asyncio.wait_for(following, 10)
    assert events[-1][1].type == "run_failed"


async def test_waiting_for_the_end_answers_with_the_finished_run(client, ingest):
    waiting = asyncio.create_task(
        client.post(f"/sources/{new_id()}/sync", headers={"Prefer": "wait=20"})
    )
    await ingest.fail_next()
    response = await asyncio.wait_for(waiting, 10)
    assert response.status_code == 200
    assert response.headers["preference-applied"] == "wait=20"
    run = response.json()
    assert run["status"] == "failed"
    assert run["error"]["detail"]


async def test_waiting_in_vain_answers_with_the_run_as_it_stands(client):
    started = time.monotonic()
    response = await client.post(f"/sources/{new_id()}/sync", headers={"Prefer": "wait=1"})
    assert response.status_code == 202
    assert response.json()["status"] == "syncing"
    assert time.monotonic() - started > 0.9


async def test_the_same_key_starts_one_run(client, ingest):
    source = new_id()

    async def sync() -> str:
        response = await client.post(f"/sources/{source}/sync", headers={"Idempotency-Key": "k"})
        return response.json()["id"]

    first, *others = [await sync(), *await asyncio.gather(sync(), sync())]
    assert set(others) == {first}
    assert len((await client.get("/runs")).json()) == 1
    await ingest.syncs.get()
    assert ingest.syncs.empty()


async def test_a_cancelled_run_ends_and_stays_so(client):
    run = await start(client)
    response = await client.post(f"/runs/{run['id']}/cancel")
    assert response.status_code == 202
    events = await asyncio.wait_for(follow(client, run["id"]), 10)
    assert events[-1][1].type == "run_cancelled"
    again = await client.post(f"/runs/{run['id']}/cancel")
    assert (again.status_code, again.json()["status"]) == (200, "cancelled")


async def test_a_failed_run_is_retried_and_followed_from_either_beginning(client, ingest):
    run = await start(client)
    early = await client.post(f"/runs/{run['id']}/retry")
    assert (early.status_code, early.json()["code"]) == (409, "not_ended")
    await ingest.fail_next()
    events = await asyncio.wait_for(follow(client, run["id"]), 10)

    response = await client.post(f"/runs/{run['id']}/retry")
    assert response.status_code == 202, response.text
    assert response.json()["attempt"] == 2
    assert response.json()["status"] in {"queued", "syncing"}
    readers = [asyncio.create_task(follow(client, run["id"], last=n)) for n in (0, len(events))]
    await ingest.keep_next()
    whole, rest = await asyncio.wait_for(asyncio.gather(*readers), 10)
    assert whole == events + rest
    assert (rest[0][1].type, rest[-1][1].type) == ("run_queued", "run_succeeded")
    late = await client.post(f"/runs/{run['id']}/retry")
    assert (late.status_code, late.json()["code"]) == (409, "succeeded")


async def test_a_pipeline_is_kept_run_and_found_by_its_runs(client, ingest):
    body = {"name": "Monthly", "source_ids": [str(new_id())]}
    created = await client.post("/pipelines", json=body, headers={"Idempotency-Key": "k"})
    assert created.status_code == 201, created.text
    pipeline = created.json()
    again = await client.post("/pipelines", json=body, headers={"Idempotency-Key": "k"})
    assert again.json()["id"] == pipeline["id"]
    run = (await client.post(f"/pipelines/{pipeline['id']}/run")).json()
    assert (run["kind"], run["pipeline_id"]) == ("pipeline", pipeline["id"])
    runs = (await client.get(f"/pipelines/{pipeline['id']}/runs")).json()
    assert [one["id"] for one in runs] == [run["id"]]
    await ingest.fail_next()
    stale = await client.patch(
        f"/pipelines/{pipeline['id']}", json={"name": "x"}, headers={"If-Match": '"99"'}
    )
    assert stale.status_code == 412


async def test_runs_are_listed_by_filters_and_an_unknown_one_is_refused(client, ingest):
    run = await start(client)
    await ingest.fail_next()
    await asyncio.wait_for(follow(client, run["id"]), 10)
    other = await start(client)

    async def ids(query: str) -> list[str]:
        response = await client.get(f"/runs?{query}")
        assert response.status_code == 200, response.text
        return [one["id"] for one in response.json()]

    assert await ids("kind=sync&trigger=manual") == [other["id"], run["id"]]
    assert await ids("status=failed&status=cancelled") == [run["id"]]
    shown = (await client.get(f"/runs/{run['id']}")).json()
    assert await ids(f"source_id={shown['steps'][0]['source_id']}") == [run["id"]]
    assert await ids("created_before=2020-01-01T00:00:00Z") == []
    first = await client.get("/runs?kind=sync&limit=1")
    assert [one["id"] for one in first.json()] == [other["id"]]
    rest = await client.get(first.links["next"]["url"].removeprefix("/api/v1"))
    assert [one["id"] for one in rest.json()] == [run["id"]]

    for query, field in [
        ("status=done", "status"),
        ("kind=sink", "kind"),
        ("statuses=failed", "statuses"),
        ("created_after=2026-01-01T00:00:00", "created_after"),
        ("limit=0", "limit"),
    ]:
        refused = await client.get(f"/runs?{query}")
        assert refused.status_code == 422, query
        assert field in refused.json()["errors"][0]["field"], refused.text


async def test_a_runs_timeline_tells_its_steps(client, ingest):
    run = await start(client)
    await ingest.fail_next()
    await asyncio.wait_for(follow(client, run["id"]), 10)
    told = (await client.get(f"/runs/{run['id']}/timeline")).json()
    (attempt,) = told["attempts"]
    assert (attempt["number"], attempt["status"]) == (1, "failed")
    assert [step["status"] for step in attempt["steps"]] == ["failed", "cancelled"]
    assert attempt["steps"][0]["took_ms"] >= 0
    assert (await client.get(f"/runs/{new_id()}/timeline")).status_code == 404


async def test_what_is_another_organisations_does_not_exist(client, sign_up, gateway, ingest):
    run = await start(client)
    stranger = (await sign_up(gateway)).client
    for method, path in [
        ("GET", f"/runs/{run['id']}"),
        ("GET", f"/runs/{run['id']}/events"),
        ("GET", f"/runs/{run['id']}/timeline"),
        ("POST", f"/runs/{run['id']}/cancel"),
        ("POST", f"/runs/{run['id']}/retry"),
        ("POST", f"/sources/{new_id()}/sync"),
        ("POST", f"/pipelines/{new_id()}/run"),
    ]:
        response = await stranger.request(method, path)
        assert (response.status_code, response.json()["code"]) == (404, "not_found"), path
    assert (await stranger.get("/runs")).json() == []


async def test_the_organisations_stream_tells_of_its_runs_and_of_no_other(
    client, sign_up, gateway, ingest, member
):
    stranger = await sign_up(gateway)
    ingest.org_ids.add(stranger.org_id)
    async with client.stream("GET", "/events/stream") as response:
        sents = EventSource(response).aiter_sse()
        first = await anext(sents)
        assert (first.event, first.json()) == ("listening", {"complete": True})
        await start(stranger.client)
        run = await start(client)
        event = RunEvent.model_validate_json((await anext(sents)).data)
    assert str(event.run_id) == run["id"]


async def test_progress_reaches_who_follows_the_run(client, ingest, member):
    run = await start(client)
    command, _ = await ingest.syncs.get()
    async with client.stream("GET", f"/runs/{run['id']}/events") as response:
        async for sent in EventSource(response).aiter_sse():
            if sent.id == "3":
                await ingest.bus.tick(member.org_id, command.run_id, b'{"rows": 5}')
            if sent.event == "progress":
                assert (sent.id, sent.json()["data"]) == ("3", {"rows": 5})
                break


async def test_without_the_orchestrator_a_run_is_taken_and_starts_later(
    member, start_service, stand_in, make_source
):
    async def get_source(request: GetSource, _: Meta) -> Source:
        return make_source(request.source_id)

    await stand_in("ingest", {GetSource: get_source})
    response = await member.client.post(f"/sources/{new_id()}/sync")
    run = response.json()
    assert (response.status_code, run["status"], run["version"]) == (202, "queued", 0)
    await start_service("orchestrator")
    deadline = time.monotonic() + 10
    while (shown := await member.client.get(f"/runs/{run['id']}")).status_code != 200:
        assert time.monotonic() < deadline, shown.text
    assert shown.json()["id"] == run["id"]


class TestTheEndOfAStream:
    """A stream ends with the token, and with the gateway."""

    async def test_it_ends_when_the_token_expires(self, start_service, start_gateway, sign_up):
        shared = {"jwt_algorithm": "HS256", "jwt_secret_key": SECRET}
        await start_service("auth", **{key.upper(): value for key, value in shared.items()})
        member = await sign_up(await start_gateway(**shared))
        claims = jwt.decode(member.session["access_token"], options={"verify_signature": False}) | {
            "exp": datetime.now(UTC) + timedelta(seconds=2)
        }
        short = {"Authorization": f"Bearer {jwt.encode(claims, SECRET, algorithm='HS256')}"}
        async with asyncio.timeout(10):
            async with member.client.stream("GET", "/events/stream", headers=short) as response:
                assert response.status_code == 200
                async for _ in response.aiter_bytes():
                    pass
            again = await member.client.get("/events/stream", headers=short)
        assert (again.status_code, again.json()["code"]) == (401, "token_expired")

    async def test_it_ends_when_the_gateway_stops(self, member, gateway):
        async with asyncio.timeout(4):
            async with member.client.stream("GET", "/events/stream") as response:
                chunks = response.aiter_bytes()
                await anext(chunks)
                gateway.server.should_exit = True
                async for _ in chunks:
                    pass
