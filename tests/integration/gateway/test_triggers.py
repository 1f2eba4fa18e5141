"""Pipelines that are set off, over HTTP with the real orchestrator: by each other and from outside."""

from uuid import UUID

import pytest

from chassis.testing import eventually
from contracts.envelope import new_id

STRUCTURED = {"Content-Type": "application/cloudevents+json"}
EVENT = {"specversion": "1.0", "source": "/etl/wells", "type": "pipeline.run"}


@pytest.fixture
def client(member, ingest):
    return member.client


async def make(client, name: str) -> dict:
    body = {"name": name, "source_ids": [str(new_id())]}
    response = await client.post("/pipelines", json=body)
    assert response.status_code == 201, response.text
    return response.json()


async def put(client, pipeline: dict, *rules: dict, **headers: str):
    address = f"/pipelines/{pipeline['id']}/triggers"
    return await client.put(address, json={"triggers": rules}, headers=headers)


def after(pipeline: dict) -> dict:
    return {"type": "pipeline", "pipeline_id": pipeline["id"]}


async def fired(client, pipeline: dict, count: int) -> list[dict]:
    async def look() -> list[dict] | None:
        found = (await client.get(f"/pipelines/{pipeline['id']}/firings")).json()
        return found if len(found) == count else None

    return await eventually(look)


async def tell(client, pipeline_id: str, event_id: str):
    event = EVENT | {"id": event_id, "data": {"pipeline_id": pipeline_id}}
    return await client.post("/events", json=event, headers=STRUCTURED)


async def test_a_pipeline_that_another_system_runs_sets_off_the_one_after_it(client, ingest):
    first, second = await make(client, "first"), await make(client, "second")
    kept = await put(client, second, after(first))
    assert kept.status_code == 200, kept.text
    (rule,) = kept.json()["triggers"]
    defaults = {"only_if_changed": False, "is_active": True, "overlap": "queue"}
    assert rule == after(first) | defaults
    assert (await client.get(f"/pipelines/{second['id']}")).json() == kept.json()

    told = await tell(client, first["id"], "monday")
    assert told.status_code == 202, told.text
    assert told.json() == [{"id": "monday", "type": "pipeline.run"}]
    command, meta = await ingest.syncs.get()
    await ingest.syncs.put((command, meta))
    assert [str(command.source_id)] == first["source_ids"]
    await ingest.keep_next()
    (firing,) = await fired(client, first, 1)
    assert firing["cause"]["event_source"] == "/etl/wells"
    (firing,) = await fired(client, second, 1)
    assert (firing["cause"]["type"], firing["reason"]) == ("pipeline", None)
    assert firing["cause"]["run_id"] == str(command.run_id)
    await ingest.keep_next()

    async def ended() -> dict | None:
        run = (await client.get(f"/runs/{firing['run_id']}")).json()
        return run if run["finished_at"] else None

    run = await eventually(ended)
    assert (run["status"], run["trigger"]["type"]) == ("succeeded", "event")
    assert run["trigger"]["caused_by"] == firing["cause"]
    await tell(client, first["id"], "monday")
    await tell(client, first["id"], "tuesday")
    await ingest.keep_next()
    causes = [one["cause"]["event_id"] for one in await fired(client, first, 2)]
    assert len(set(causes)) == 2


async def test_a_run_of_a_pipeline_that_is_not_there_is_refused(client, gateway, sign_up, ingest):
    missing = str(new_id())
    response = await tell(client, missing, "7")
    assert response.status_code == 422
    assert missing in response.json()["detail"]
    other = await sign_up(gateway)
    ingest.org_ids.add(other.org_id)
    theirs = await make(other.client, "theirs")
    assert (await tell(client, theirs["id"], "8")).json()["code"] == "unknown_pipeline"
    assert await fired(other.client, theirs, 0) == []


async def test_triggers_are_refused_at_their_place_in_words(client):
    pipeline = await make(client, "nightly")
    other = await make(client, "other")
    upload = {"type": "upload"}
    kept = await put(client, pipeline, upload, **{"If-Match": '"1"'})
    assert kept.headers["etag"] == '"2"'
    stale = await put(client, pipeline, **{"If-Match": '"1"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "changed_meanwhile")
    for rules, field in (
        (({"type": "moon"},), "triggers.0"),
        ((upload, {"type": "pipeline"}), "triggers.1.pipeline_id"),
        ((after(other) | {"when": "always"},), "triggers.0.when"),
        ((upload, after(pipeline)), "triggers.1.pipeline_id"),
        ((upload | {"source_id": other["source_ids"][0]},), "triggers.0.source_id"),
    ):
        response = await put(client, pipeline, *rules)
        assert response.status_code == 422, rules
        assert [one["field"] for one in response.json()["errors"]] == [field]
    shown = (await client.get(f"/pipelines/{pipeline['id']}")).json()
    assert [rule["type"] for rule in shown["triggers"]] == ["upload"]
    assert (await put(client, {"id": str(UUID(int=0))})).status_code == 404
