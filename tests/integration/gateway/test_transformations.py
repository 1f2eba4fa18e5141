"""Transformations over HTTP with the real transform: a recipe out is the recipe that went in."""

import pytest
from pydantic import SecretStr

from chassis.bus import Bus
from chassis.settings import BusSettings
from contracts.envelope import new_id
from contracts.tables import Column
from contracts.transform import DeclareTable

JOIN = {
    "version": 1,
    "steps": [
        {"type": "source", "table": "wells"},
        {"type": "join", "with": "places", "left_on": "k", "right_on": "k", "join_type": "left"},
    ],
}


@pytest.fixture
async def client(member, start_service, ground):
    """A client whose organisation expects two tables."""
    await start_service("transform")
    await start_service("orchestrator")
    password = SecretStr(ground.environment("ingest")["NATS_PASSWORD"])
    settings = BusSettings(nats_url=ground.nats_url, nats_user="ingest", nats_password=password)
    bus = await Bus.connect(settings, "ingest")
    for name in ("wells", "places"):
        expected = (
            Column(name="k", physical="k", type="integer"),
            Column(name=name, physical=name, type="text"),
        )
        declared = DeclareTable(
            table_id=new_id(), table_kind="source", display_name=name, expected=expected
        )
        await bus.ask(declared, org_id=member.org_id)
    await bus.close()
    return member.client


async def test_a_saved_recipe_can_be_sent_back_as_it_came(client):
    created = await client.post("/transformations", json={"name": "Joined", "recipe": JOIN})
    assert created.status_code == 201, created.text
    assert created.headers["etag"] == '"1"'
    path = created.headers["location"].removeprefix("/api/v1")
    shown = (await client.get(path)).json()
    assert shown["recipe"]["steps"][1]["with"]
    assert shown["output_table_name"] == "Joined"
    body = shown["recipe"] | {"steps": [*shown["recipe"]["steps"], {"type": "limit", "count": 5}]}
    saved = await client.put(path, json=body, headers={"If-Match": '"1"'})
    assert (saved.status_code, saved.headers["etag"]) == (200, '"2"'), saved.text
    stale = await client.put(path, json=body, headers={"If-Match": '"1"'})
    assert stale.status_code == 412
    sql = (await client.get(f"{path}/sql")).json()["sql"]
    assert sql.upper().count("SELECT") >= 1
    assert [one["name"] for one in (await client.get("/transformations")).json()] == ["Joined"]
    assert (await client.delete(path, headers={"If-Match": '"2"'})).status_code == 204


async def test_every_error_of_a_recipe_is_told_at_its_step(client):
    recipe = {"steps": [*JOIN["steps"], {"type": "fliter"}]}
    created = await client.post("/transformations", json={"name": "x", "recipe": recipe})
    assert created.status_code == 422
    assert {error["step"] for error in created.json()["errors"]} == {2}
    checked = await client.post("/transformations/validate", json={"recipe": recipe})
    assert checked.status_code == 200
    assert checked.json()["valid"] is False


async def test_what_reads_a_table_that_never_came_is_not_started(client):
    created = await client.post("/transformations", json={"name": "Joined", "recipe": JOIN})
    response = await client.post(f"/transformations/{created.json()['id']}/execute")
    assert response.status_code == 422
    assert "wells" in response.json()["detail"]


async def test_the_catalogue_shows_tables_before_they_have_rows(client):
    tables = (await client.get("/warehouse/tables")).json()
    assert [(one["name"], one["row_count"]) for one in tables] == [
        ("places", None),
        ("wells", None),
    ]
    one = (await client.get("/warehouse/tables/wells")).json()
    assert [column["name"] for column in one["columns"]] == ["k", "wells"]
