"""Previews and profiles over HTTP with the real transform, which stops when nobody waits."""

import asyncio
import json
from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest
from pydantic import SecretStr

from chassis.bus import Bus
from chassis.settings import BusSettings
from chassis.testing import eventually
from contracts.envelope import new_id
from contracts.tables import Column, TableVersion
from contracts.transform import DeclareTable, EnsureOrganization, PublishRun
from warehouse.access import as_org
from warehouse.names import data_schema, qualified, version_relation

COLUMNS = (
    Column(name="Number", physical="number", type="integer"),
    Column(name="Kind", physical="kind", type="text"),
)
SOURCE = {"type": "source", "table": "numbers"}
ENDLESS = {
    "recipe": {
        "steps": [
            SOURCE,
            *(
                {"type": "join", "with": "numbers", "join_type": "cross", "prefix": p}
                for p in "abc"
            ),
        ]
    }
}


async def _published(ground, org_id) -> None:
    """A table of three thousand rows, as ingest and the orchestrator would bring it."""

    async def connect(name: str) -> Bus:
        password = SecretStr(ground.environment(name)["NATS_PASSWORD"])
        settings = BusSettings(nats_url=ground.nats_url, nats_user=name, nats_password=password)
        return await Bus.connect(settings, name)

    ingest, orchestrator = await connect("ingest"), await connect("orchestrator")
    database = await asyncpg.connect(ground.database_url("ingest"))
    try:
        table_id, version_id = new_id(), new_id()
        await ingest.ask(EnsureOrganization(), org_id=org_id)
        declared = DeclareTable(
            table_id=table_id, table_kind="source", display_name="numbers", expected=COLUMNS
        )
        await ingest.ask(declared, org_id=org_id)
        relation = version_relation(version_id)
        async with database.transaction(), as_org(database, org_id):
            await database.execute(
                f"CREATE TABLE {qualified(data_schema(org_id), relation)} AS SELECT n AS number, "
                "CASE n % 2 WHEN 0 THEN 'even' ELSE 'odd' END AS kind "
                "FROM generate_series(1, 3000) AS n"
            )
        version = TableVersion(
            table_id=table_id,
            version_id=version_id,
            relation=relation,
            columns=COLUMNS,
            rows=3000,
            bytes=163_840,
            fingerprint="f",
        )
        publish = PublishRun(run_id=new_id(), step_id=new_id(), tables=(version,))
        await orchestrator.send(publish, org_id=org_id)
    finally:
        await database.close()
        await ingest.close()
        await orchestrator.close()


@pytest.fixture
async def client(member, start_service, ground) -> httpx.AsyncClient:
    """A client whose organisation has a table; two replicas of transform answer."""
    for _ in range(2):
        await start_service("transform", PREVIEW_TIMEOUT="30")
    await _published(ground, member.org_id)

    async def is_there() -> bool:
        return (await member.client.get("/warehouse/tables/numbers")).json()["version"] is not None

    await eventually(is_there)
    return member.client


@pytest.fixture
async def working(ground, member) -> AsyncIterator:
    """How many statements run over the organisation's tables."""
    connection = await asyncpg.connect(ground.superuser_url)

    async def count() -> int:
        return await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE $1 "
            "AND pid <> pg_backend_pid()",
            f"%{data_schema(member.org_id)}%",
        )

    yield count
    await connection.close()


@pytest.mark.parametrize("path", ["/transformations/preview", "/transformations/profile"])
async def test_a_client_that_leaves_stops_the_sql_on_whichever_replica_it_runs(
    client, working, path
):
    async def ask(number: int) -> None:
        # Equal ones would share their work.
        first, *rest = ENDLESS["recipe"]["steps"]
        body = {"recipe": {"steps": [first | {"note": str(number)}, *rest]}}
        # A connection of its own, which closing it ends.
        async with httpx.AsyncClient(base_url=client.base_url, headers=client.headers) as own:
            await own.post(path, json=body, timeout=60)

    # As many as one organisation may run on one replica, if both come there.
    asking = [asyncio.create_task(ask(number)) for number in range(2)]

    async def all_run() -> bool:
        return await working() == len(asking)

    await eventually(all_run)
    for task in asking:
        task.cancel()
    await asyncio.wait(asking)

    async def none_runs() -> bool:
        return await working() == 0

    # By themselves they would go on for as long as their statements may.
    await eventually(none_runs)
    assert (await client.get("/warehouse/tables/numbers/preview?limit=1")).status_code == 200


async def test_a_table_that_nobody_waits_for_any_more_is_not_read(client, working, ground, member):
    connection = await asyncpg.connect(ground.superuser_url)
    try:
        relation = await connection.fetchval(
            "SELECT relation FROM dalgo_transform.table_versions WHERE org_id = $1", member.org_id
        )
        async with connection.transaction():
            await connection.execute(f'LOCK TABLE "{data_schema(member.org_id)}"."{relation}"')
            with pytest.raises(httpx.ReadTimeout):
                await client.get("/warehouse/tables/numbers/preview", timeout=0.7)

            async def none_runs() -> bool:
                return await working() == 0

            await eventually(none_runs, within=2)
    finally:
        await connection.close()


async def test_a_table_is_paged_sorted_and_filtered(client):
    params: dict[str, str | list[str]] = {
        "limit": "2",
        "offset": "1",
        "sort": ["Kind", "-Number"],
        "filter": json.dumps({"column": "Number", "operator": "less_than", "value": 7}),
    }
    page = (await client.get("/warehouse/tables/numbers/preview", params=params)).json()
    assert page["rows"] == [{"Number": 4, "Kind": "even"}, {"Number": 2, "Kind": "even"}]
    assert page["total_count"] == 6
    assert page["columns"] == ["Number", "Kind"]
    params["count"] = "none"
    page = (await client.get("/warehouse/tables/numbers/preview", params=params)).json()
    assert page["total_count"] is None


@pytest.mark.parametrize("text", ["{", "[]", '"x"', '{"column": "Nmber", "operator": "is_null"}'])
async def test_a_filter_that_is_none_is_refused(client, text):
    answer = await client.get("/warehouse/tables/numbers/preview", params={"filter": text})
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_filter")


async def test_a_recipe_is_previewed_with_a_filter_as_given_and_as_saved(client):
    recipe = {
        "steps": [
            SOURCE,
            {
                "type": "group",
                "by": ["Kind"],
                "aggregates": [{"function": "sum", "column": "Number", "alias": "total"}],
            },
        ]
    }
    odd = {"column": "Kind", "operator": "equals", "value": "odd"}
    body = {"recipe": recipe, "filter": odd}
    page = (await client.post("/transformations/preview", json=body)).json()
    assert (page["rows"], page["total_count"]) == ([{"Kind": "odd", "total": 2250000}], 1)
    saved = await client.post("/transformations", json={"name": "Sums", "recipe": recipe})
    path = f"/transformations/{saved.json()['id']}/preview"
    page = (await client.post(path, json={"filter": odd, "until_step": 1})).json()
    assert page["rows"] == [{"Kind": "odd", "total": 2250000}]
    sort = [{"column": "Number", "descending": True}]
    page = (await client.post(path, json={"until_step": 0, "limit": 1, "sort": sort})).json()
    assert page["rows"] == [{"Number": 3000, "Kind": "even"}]


async def test_a_table_and_a_recipe_have_profiles(client):
    found = (await client.get("/warehouse/tables/numbers/profile")).json()
    assert (found["sampled"], found["rows_read"], found["total_rows"]) == (False, 3000, 3000)
    number, kind = found["columns"]
    assert (number["nulls"], number["min"], number["max"], number["mean"]) == (0, 1, 3000, 1500.5)
    assert number["histogram"][0] == {"from": 1, "to": 151, "count": 150}
    assert kind["top"] == [{"value": "even", "count": 1500}, {"value": "odd", "count": 1500}]
    even = {"type": "filter", "column": "Kind", "operator": "equals", "value": "even"}
    body = {"recipe": {"steps": [SOURCE, even]}}
    found = (await client.post("/transformations/profile", json=body)).json()
    assert found["total_rows"] == 1500


async def test_the_room_that_tables_take_is_told(client):
    found = (await client.get("/warehouse/storage")).json()
    assert (found["published_bytes"], found["former_bytes"]) == (163_840, 0)
    assert [(table["name"], table["former_versions"]) for table in found["tables"]] == [
        ("numbers", 0)
    ]
    assert (await client.get("/warehouse/storage?limit=0")).status_code == 422
