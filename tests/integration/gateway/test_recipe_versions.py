"""Versions, SQL and lineage over HTTP; what is used is not deleted, and all who use it are named."""

import asyncio

import pytest
from pydantic import SecretStr

from chassis.bus import Bus
from chassis.settings import BusSettings
from contracts.envelope import new_id
from contracts.tables import Column
from contracts.transform import DeclareTable

CSV = b"name,age,place\nAda,36,London\nKim,7,Pune\n"
SOURCE = {"type": "source", "table": "people"}
ADULTS = {"type": "filter", "column": "age", "operator": "greater_than", "value": 17}


@pytest.fixture
async def client(member, start_service):
    """A client of an organisation without any table."""
    await start_service("transform")
    await start_service("orchestrator")
    return member.client


@pytest.fixture
async def people(client, member, ground):
    """A source's table, as ingest announces it."""
    password = SecretStr(ground.environment("ingest")["NATS_PASSWORD"])
    settings = BusSettings(nats_url=ground.nats_url, nats_user="ingest", nats_password=password)
    bus = await Bus.connect(settings, "ingest")
    types = {"name": "text", "age": "integer", "place": "text"}
    expected = tuple(
        Column.model_validate({"name": name, "physical": name, "type": kind})
        for name, kind in types.items()
    )
    table_id = new_id()
    declared = DeclareTable(
        table_id=table_id, table_kind="source", display_name="people", expected=expected
    )
    await bus.ask(declared, org_id=member.org_id)
    await bus.close()
    return table_id


@pytest.fixture
async def source_id(client, start_service):
    """A real source of that table."""
    await start_service("ingest")
    uploaded = await client.post("/uploads", files={"file": ("people.csv", CSV)})
    assert uploaded.status_code == 201, uploaded.text
    config = {"upload_id": uploaded.json()["upload_id"]}
    body = {"type": "csv", "name": "people", "config": config}
    created = await client.post("/sources", json=body)
    assert created.status_code == 201, created.text
    return created.json()["id"]


async def save(client) -> str:
    """Save a recipe twice; where it is found."""
    body = {"name": "Adults", "recipe": {"steps": [SOURCE, ADULTS]}}
    created = await client.post("/transformations", json=body)
    assert created.status_code == 201, created.text
    path = f"/transformations/{created.json()['id']}"
    recipe = {"steps": [SOURCE, ADULTS | {"value": 20}, {"type": "drop", "columns": ["place"]}]}
    assert (await client.put(path, json=recipe)).status_code == 200
    return path


async def test_versions_are_listed_shown_compared_and_brought_back(client, people, member):
    path = await save(client)
    listed = await client.get(f"{path}/versions", params={"limit": 1})
    assert [one["version"] for one in listed.json()] == [2]
    assert listed.json()[0]["saved_by"] == str(member.user_id)
    rest = await client.get(listed.links["next"]["url"].removeprefix("/api/v1"))
    assert [(one["version"], one["is_current"]) for one in rest.json()] == [(1, False)]
    first = (await client.get(f"{path}/versions/1")).json()
    assert first["recipe"]["steps"] == [SOURCE, ADULTS]
    diff = (await client.get(f"{path}/versions/2/diff", params={"with": 1})).json()
    assert [(step["kind"], step["type"]) for step in diff["steps"]] == [
        ("changed", "filter"),
        ("added", "drop"),
    ]
    assert diff["steps"][0]["fields"] == [{"field": "value", "old": 17, "new": 20}]
    stale = await client.post(f"{path}/versions/1/restore", headers={"If-Match": '"1"'})
    assert stale.status_code == 412
    restored = await client.post(f"{path}/versions/1/restore", headers={"If-Match": '"2"'})
    assert (restored.status_code, restored.headers["etag"]) == (200, '"3"'), restored.text
    assert restored.json()["recipe"]["steps"] == [SOURCE, ADULTS]


@pytest.mark.parametrize(
    ("rest", "status"),
    [
        ("versions/9", 404),
        ("versions/9/diff", 404),
        ("versions/0", 422),
        ("versions/2147483648", 422),
    ],
)
async def test_versions_that_never_were_are_told_so(client, people, rest, status):
    assert (await client.get(f"{await save(client)}/{rest}")).status_code == status


async def test_the_sql_of_a_recipe_that_is_not_saved_is_shown(client, people):
    body = {"recipe": {"steps": [SOURCE, ADULTS | {"note": "only grown-ups"}]}}
    shown = await client.post("/transformations/sql", json=body)
    assert shown.status_code == 200, shown.text
    assert "only grown-ups */" in shown.json()["sql"]
    wrong = await client.post(
        "/transformations/sql", json={"recipe": {"steps": [SOURCE, ADULTS | {"column": "aeg"}]}}
    )
    assert wrong.status_code == 422
    assert [(error["step"], error["code"]) for error in wrong.json()["errors"]] == [
        (1, "unknown_column")
    ]
    empty = await client.post("/transformations/sql", json={})
    assert (empty.status_code, empty.json()["code"]) == (422, "invalid_request")


async def test_lineage_says_from_where(client, people):
    path = await save(client)
    traced = (await client.get(f"{path}/lineage")).json()
    (name, _) = traced["columns"]
    assert (name["from"][0]["table"], name["from"][0]["column"]) == ("people", "name")
    assert [table["name"] for table in traced["upstream"]] == ["people"]
    tables = (await client.get("/warehouse/lineage")).json()["tables"]
    assert [table["name"] for table in tables] == ["Adults", "people"]
    assert tables[0]["columns"][0]["from"][0]["column"] == "name"
    bare = (await client.get("/warehouse/lineage", params={"columns": "false"})).json()["tables"]
    assert bare[0]["columns"] == []
    assert bare[0]["reads"] == [bare[1]["table_id"]]


async def test_what_is_used_is_not_deleted_and_everybody_who_uses_it_is_named(client, source_id):
    path = await save(client)
    pipeline = {
        "name": "Monthly",
        "source_ids": [source_id],
        "transformation_ids": [path.rpartition("/")[2]],
    }
    created = await client.post("/pipelines", json=pipeline)
    assert created.status_code == 201, created.text
    refused = await client.delete(f"/sources/{source_id}")
    assert (refused.status_code, refused.json()["code"]) == (409, "in_use")
    assert "the transformation 'Adults' and the pipeline 'Monthly'" in refused.json()["detail"]
    assert (await client.get(f"/sources/{source_id}")).json()["status"] == "ready"
    reader = {"name": "Reader", "recipe": {"steps": [{"type": "source", "table": "Adults"}]}}
    reader_id = (await client.post("/transformations", json=reader)).json()["id"]
    refused = await client.delete(path)
    assert refused.status_code == 409
    assert "the transformation 'Reader' and the pipeline 'Monthly'" in refused.json()["detail"]
    await client.delete(f"/transformations/{reader_id}")
    await client.delete(created.headers["location"].removeprefix("/api/v1"))
    refused = await client.delete(f"/sources/{source_id}")
    assert "'people' is used by the transformation 'Adults'." in refused.json()["detail"]
    assert (await client.delete(path)).status_code == 204
    assert (await client.delete(f"/sources/{source_id}")).status_code == 204


@pytest.mark.parametrize("changes", [False, True])
async def test_a_delete_and_a_pipeline_at_once_leave_no_pipeline_without_its_recipe(
    client, people, changes
):
    for turn in range(6):
        recipe = {"name": f"Base {turn}", "recipe": {"steps": [SOURCE]}}
        recipe_id = (await client.post("/transformations", json=recipe)).json()["id"]
        members = {"transformation_ids": [recipe_id]}
        if changes:
            kept = await client.post("/pipelines", json={"name": f"Run {turn}"})
            keep = client.patch(f"/pipelines/{kept.json()['id']}", json=members)
        else:
            keep = client.post("/pipelines", json={"name": f"Run {turn}", **members})
        deleted, kept = await asyncio.gather(client.delete(f"/transformations/{recipe_id}"), keep)
        assert deleted.status_code in {204, 409}, deleted.text
        assert kept.status_code in {200, 201, 422, 503}, kept.text
        pipelines = (await client.get("/pipelines")).json()
        users = [one["name"] for one in pipelines if recipe_id in one["transformation_ids"]]
        assert bool(users) == (kept.status_code in {200, 201})
        assert bool(users) != (deleted.status_code == 204), (deleted.text, kept.text)


async def test_a_source_can_be_renamed_while_recipes_read_it(client, source_id):
    path = await save(client)
    renamed = await client.patch(f"/sources/{source_id}", json={"name": "persons"})
    assert renamed.status_code == 200, renamed.text
    shown = (await client.get(path)).json()
    assert shown["recipe"]["steps"][0]["table"] == "persons"
    assert shown["version"] == 2
    run = await client.post(f"/sources/{source_id}/sync", headers={"Prefer": "wait=30"})
    assert run.json()["status"] == "succeeded", run.text
    page = await client.post(f"{path}/preview", json={})
    assert page.json()["rows"] == [{"name": "Ada", "age": 36}]


async def test_a_run_tells_the_version_of_the_recipe_that_it_used(client, source_id):
    path = await save(client)
    await client.post(f"/sources/{source_id}/sync", headers={"Prefer": "wait=30"})
    ended = await client.post(f"{path}/execute", headers={"Prefer": "wait=30"})
    assert ended.json()["status"] == "succeeded", ended.text
    assert [(step["kind"], step.get("recipe_version")) for step in ended.json()["steps"]] == [
        ("transform", 2),
        ("publish", None),
    ]
