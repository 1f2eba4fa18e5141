"""A table that another system fills, from the login to what readers see, through the gateway."""

import asyncpg
import pytest

from chassis.testing import eventually
from contracts.envelope import new_id

EVENT = {"specversion": "1.0", "source": "/etl", "type": "source.synced"}
STRUCTURED = {"Content-Type": "application/cloudevents+json"}
BATCH = {"Content-Type": "application/cloudevents-batch+json"}


@pytest.fixture
async def services(start_service) -> None:
    await start_service("auth")
    await start_service("transform", LOADER_ADDRESS="db.example.org:6543")
    await start_service("orchestrator")
    await start_service("ingest", LOOK_EVERY="0.05", WARM_WORKERS="0")


@pytest.fixture
async def member(services, gateway, sign_up):
    return await sign_up(gateway)


async def make(member, **config) -> dict:
    body = {"type": "external", "name": "Wells", "config": {"table": "wells"} | config}
    response = await member.client.post("/sources", json=body)
    assert response.status_code == 201, response.text
    return response.json()


async def issue(member, source) -> dict:
    response = await member.client.post(f"/sources/{source['id']}/loader")
    assert response.status_code == 201, response.text
    assert response.headers["cache-control"] == "no-store"
    return response.json()


async def fill(ground, login: dict, rows: int) -> None:
    place = ground.migrator_url.partition("@")[2]
    connection = await asyncpg.connect(
        f"postgresql://{login['username']}:{login['password']}@{place}"
    )
    try:
        async with connection.transaction():
            await connection.execute("DROP TABLE IF EXISTS wells")
            await connection.execute(f"CREATE TABLE wells AS SELECT generate_series(1, {rows}) n")
    finally:
        await connection.close()


async def announce(member, rows: int, id: str | None = None) -> None:
    event = EVENT | {"id": id or str(new_id()), "data": {"table": "wells", "rows": rows}}
    response = await member.client.post("/events", json=event, headers=STRUCTURED)
    assert response.status_code == 202, response.text
    assert response.json() == [{"id": event["id"], "type": "source.synced"}]


async def run_of(member, source, wait: int = 30) -> dict:
    response = await member.client.post(
        f"/sources/{source['id']}/sync", headers={"Prefer": f"wait={wait}"}
    )
    assert response.status_code in {200, 202}, response.text
    return response.json()


async def rows_of(member, source) -> int | None:
    return (await member.client.get(f"/sources/{source['id']}")).json()["row_count"]


async def ended(member, run: dict) -> dict:
    async def found() -> dict | None:
        now = (await member.client.get(f"/runs/{run['id']}")).json()
        return now if now["finished_at"] else None

    return await eventually(found, within=30)


async def test_a_run_waits_for_another_systems_word_and_publishes_what_it_filled(member, ground):
    source = await make(member, deadline="PT5M")
    assert source["config"]["deadline"] == "PT5M"
    login = await issue(member, source)
    assert (login["host"], login["port"], login["table"]) == ("db.example.org", 6543, "wells")
    await fill(ground, login, 3)

    run = await run_of(member, source, wait=1)
    assert run["status"] == "syncing"
    await announce(member, 3, id="first")
    run = await ended(member, run)
    assert run["status"] == "succeeded", run
    assert await rows_of(member, source) == 3

    # Told again, an event is no news; told anew, it is.
    await announce(member, 3, id="first")
    run = await run_of(member, source, wait=1)
    assert run["status"] == "syncing"
    response = await member.client.post(f"/runs/{run['id']}/cancel")
    assert response.status_code == 202
    assert (await ended(member, run))["status"] == "cancelled"

    await fill(ground, login, 5)
    await announce(member, 5)
    assert (await run_of(member, source))["status"] == "succeeded"
    assert await rows_of(member, source) == 5


async def test_a_run_whose_word_does_not_come_ends_by_the_sources_choice(member, ground):
    source = await make(member, deadline="PT0S")
    run = await run_of(member, source)
    assert run["status"] == "failed"
    (step, _) = run["steps"]
    assert step["error"]["code"] == "not_announced"

    await fill(ground, await issue(member, source), 2)
    await announce(member, 2)
    assert (await run_of(member, source))["status"] == "succeeded"
    config = {"table": "wells", "deadline": "PT0S", "on_missing": "use_last"}
    response = await member.client.patch(f"/sources/{source['id']}", json={"config": config})
    assert response.status_code == 200, response.text
    run = await run_of(member, source)
    assert (run["status"], run["steps"][0]["reason"]) == ("succeeded", "not announced in time")
    assert await rows_of(member, source) == 2


async def test_nobody_speaks_for_another_organisation(member, gateway, sign_up, ground):
    other = await sign_up(gateway)
    source = await make(member)
    await fill(ground, await issue(member, source), 1)
    run = await run_of(member, source, wait=1)
    for extension in ({}, {"orgid": str(member.org_id)}):
        event = EVENT | {"id": str(new_id()), "data": {"table": "wells"}} | extension
        response = await other.client.post("/events", json=event, headers=STRUCTURED)
        assert response.status_code == 202
    for path in ("post", "delete"):
        response = await getattr(other.client, path)(f"/sources/{source['id']}/loader")
        assert response.status_code == 404
    assert (await member.client.get(f"/runs/{run['id']}")).json()["status"] == "syncing"
    await announce(member, 1)
    assert (await ended(member, run))["status"] == "succeeded"


async def test_a_batch_is_taken_in_whole_or_not_at_all(member, connect_bus):
    migrator = await connect_bus("migrator")
    heard = []

    async def hear(message) -> None:
        heard.append((message.subject, message.data, dict(message.header)))

    await migrator.watch(f"ext.{member.org_id.hex}.>", hear)
    good = EVENT | {"id": "1", "data": {"table": "wells", "rows": 2}}
    bad = EVENT | {"id": "2", "data": {"table": "No such name"}}
    response = await member.client.post("/events", json=[good, bad], headers=BATCH)
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "1.data.table"
    unknown = EVENT | {"id": "2", "type": "org.example.done", "data": {"a": 1}}
    response = await member.client.post("/events", json=[good, unknown], headers=BATCH)
    assert (response.status_code, response.json()["code"]) == (422, "unknown_event_type")
    assert response.json()["errors"][0]["alternatives"] == ["pipeline.run", "source.synced"]
    assert heard == []

    response = await member.client.post("/events", json=[good], headers=BATCH)
    assert response.json() == [{"id": "1", "type": "source.synced"}]

    async def told() -> bool:
        return bool(heard)

    await eventually(told)
    ((subject, body, headers),) = heard
    assert subject == f"ext.{member.org_id.hex}.source.synced"
    assert (body, headers["ce-orgid"]) == (b'{"table":"wells","rows":2}', str(member.org_id))


async def test_a_login_is_shown_once_and_can_be_revoked(member, ground):
    source = await make(member)
    login = await issue(member, source)
    assert login["password"] not in (await member.client.get(f"/sources/{source['id']}")).text
    assert (await member.client.delete(f"/sources/{source['id']}/loader")).status_code == 204
    with pytest.raises(asyncpg.PostgresError):
        await fill(ground, login, 1)
    assert (await member.client.delete(f"/sources/{source['id']}")).status_code == 204
