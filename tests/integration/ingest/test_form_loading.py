"""A KoboToolbox form becomes versions: its submissions and each repeat, all or none."""

from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from contracts.envelope import new_id
from ingest.connectors import BadSource, Unavailable
from ingest.connectors.kobo.form import tables
from ingest.connectors.kobo.shape import KoboOptions
from ingest.jobs import FormJob
from warehouse.names import data_schema, org_role, version_relation

from ...servers import kobo
from ...servers.households import ANSWERS, CONTENT
from ...servers.kobo import Asset, KoboServer

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def server() -> Iterator[KoboServer]:
    with kobo.running() as server:
        yield server


@pytest.fixture
def form(server: KoboServer) -> Asset:
    return server.add_form("Households", CONTENT)


@pytest.fixture
def job(ground, organization, server, form):
    """Makes a job that reads the form into new versions."""

    def job(**more) -> FormJob:
        paths = [table.path for table in tables({"content": CONTENT}, "codes").all()]
        given = {
            "database_url": SecretStr(ground.database_url("ingest")),
            "role": org_role(organization),
            "schema_name": data_schema(organization),
            "server_url": server.url,
            "api_token": SecretStr(kobo.TOKEN),
            "options": KoboOptions(form_id=form.uid),
            "relations": {path: version_relation(new_id()) for path in paths},
            "allowed_origins": (server.url,),
        }
        return FormJob(**given | more)

    return job


async def there(connection, job: FormJob) -> list[str]:
    return [
        path
        for path, relation in job.relations.items()
        if await connection.fetchval("SELECT to_regclass($1)", relation) is not None
    ]


async def test_submissions_and_repeats_arrive_with_their_types(
    pool, job, server, form, as_organization
) -> None:
    number = server.submit_all(form, ANSWERS)
    server.submit(form, village="V")
    order = job()
    loaded = await pool.load_form(order)
    assert loaded.submissions == 2
    assert {path: table.rows for path, table in loaded.tables.items()} == {
        "": 2,
        "members": 2,
        "members/visits": 2,
    }
    relations = order.relations
    types = await as_organization.fetch(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = $1",
        relations[""],
    )
    found = dict(map(tuple, types))
    assert (found["id"], found["head_age"], found["income"]) == ("bigint", "bigint", "numeric")
    assert (found["visited"], found["submission_time"]) == ("date", "timestamp without time zone")
    assert (found["score"], found["tags"]) == ("text", "jsonb")
    first, second = await as_organization.fetch(f"SELECT * FROM {relations['']} ORDER BY id")
    assert (first["id"], first["head_age"], str(first["income"])) == (number, 41, "1200.50")
    assert first["head_name"] == ANSWERS["head/name"]
    assert first["start"].isoformat() == "2026-01-05T04:30:00.123000"
    assert {key for key, cell in second.items() if cell is None} >= {"head_age", "start", "score"}
    joined = await as_organization.fetch(
        f"SELECT s.village, m.members_name, v.members_visits_on::text FROM {relations['']} s "
        f"JOIN {relations['members']} m ON m.parent_id = s.id "
        f"LEFT JOIN {relations['members/visits']} v ON v.parent_id = m.id ORDER BY m.index, v.index"
    )
    assert [tuple(row) for row in joined] == [
        ("रामपुर", "Gita", "2025-11-01"),
        ("रामपुर", "Gita", "2025-12-01"),
        ("रामपुर", "Ravi", None),
    ]


async def test_cells_that_break_csv_arrive_as_they_were_given(
    pool, job, server, form, as_organization
) -> None:
    said = ['a"b', "a,b\r\nc", "\\.", "\\N", "NULL", "  ", "😀", "'; --"]
    for one in said:
        server.submit(form, village=one)
    order = job()
    await pool.load_form(order)
    found = await as_organization.fetch(f"SELECT village FROM {order.relations['']} ORDER BY id")
    assert [row["village"] for row in found] == said


async def test_a_form_without_submissions_becomes_empty_tables(pool, job, as_organization) -> None:
    order = job()
    loaded = await pool.load_form(order)
    assert {table.rows for table in loaded.tables.values()} == {0}
    assert sorted(await there(as_organization, order)) == ["", "members", "members/visits"]


async def test_a_form_in_which_nothing_changed_is_not_loaded(
    pool, job, server, form, as_organization
) -> None:
    number = server.submit_all(form, ANSWERS)
    first = await pool.load_form(job())
    order = job(published=first.fingerprint)
    again = await pool.load_form(order)
    assert (again.tables, again.fingerprint) == ({}, first.fingerprint)
    assert await there(as_organization, order) == []
    server.edit(form, number, village="moved")
    changed = await pool.load_form(job(published=first.fingerprint))
    assert len(changed.tables) == 3


async def test_a_repeat_that_came_meanwhile_fails_the_load(
    pool, job, server, form, as_organization
) -> None:
    order = job()
    order = order.model_copy(update={"relations": {"": order.relations[""]}})
    with pytest.raises(Unavailable, match="new repeats while it was read: members,"):
        await pool.load_form(order)
    assert await there(as_organization, order) == []


async def test_when_one_table_fails_none_is_left(pool, job, server, form, as_organization) -> None:
    server.submit_all(form, ANSWERS)
    order = job()
    taken = order.relations["members/visits"]
    await as_organization.execute(f"CREATE TABLE {taken} (a int)")
    with pytest.raises(BadSource):
        await pool.load_form(order)
    assert await there(as_organization, order) == ["members/visits"]
    await as_organization.execute(f"DROP TABLE {taken}")


async def test_what_the_server_refuses_is_told_and_the_token_is_not(
    pool, job, as_organization
) -> None:
    order = job(api_token=SecretStr("deadbeef"))
    with pytest.raises(BadSource, match="The API token is not accepted") as raised:
        await pool.load_form(order)
    assert raised.value.code == "token_refused"
    assert "deadbeef" not in raised.value.message + repr(order)
    assert await there(as_organization, order) == []
