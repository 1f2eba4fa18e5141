"""A KoboToolbox form becomes versions: its submissions and each repeat, all or none."""

from collections.abc import Iterator, Mapping

import pytest
from pydantic import SecretStr

from contracts.envelope import new_id
from ingest.connectors import BadSource
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
        given = {
            "database_url": SecretStr(ground.database_url("ingest")),
            "role": org_role(organization),
            "schema_name": data_schema(organization),
            "server_url": server.url,
            "api_token": SecretStr(kobo.TOKEN),
            "options": KoboOptions(form_id=form.uid),
            "allowed_origins": (server.url,),
        }
        return FormJob(**given | more)

    return job


class Places(dict[str, str]):
    """The relations of a form's tables by path, made when they are asked for."""

    async def __call__(self, names: Mapping[str, str]) -> dict[str, str]:
        for path in names:
            self.setdefault(path, version_relation(new_id()))
        return self

    async def there(self, connection) -> list[str]:
        """Paths of the tables that exist."""
        return [
            path
            for path, relation in self.items()
            if await connection.fetchval("SELECT to_regclass($1)", relation) is not None
        ]


@pytest.fixture
def places() -> Places:
    return Places()


async def test_submissions_and_repeats_arrive_with_their_types(
    pool, job, places, server, form, as_organization
) -> None:
    number = server.submit_all(form, ANSWERS)
    server.submit(form, village="V")
    loaded = await pool.load_form(job(), places)
    assert loaded.submissions == 2
    assert {path: table.rows for path, table in loaded.tables.items()} == {
        "": 2,
        "members": 2,
        "members/visits": 2,
    }
    types = await as_organization.fetch(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = $1",
        places[""],
    )
    found = dict(map(tuple, types))
    assert (found["id"], found["head_age"], found["income"]) == ("bigint", "bigint", "numeric")
    assert (found["visited"], found["submission_time"]) == ("date", "timestamp without time zone")
    assert (found["score"], found["tags"]) == ("text", "jsonb")
    first, second = await as_organization.fetch(f"SELECT * FROM {places['']} ORDER BY id")
    assert (first["id"], first["head_age"], str(first["income"])) == (number, 41, "1200.50")
    assert first["head_name"] == ANSWERS["head/name"]
    assert first["start"].isoformat() == "2026-01-05T04:30:00.123000"
    assert {key for key, cell in second.items() if cell is None} >= {"head_age", "start", "score"}
    joined = await as_organization.fetch(
        f"SELECT s.village, m.members_name, v.members_visits_on::text FROM {places['']} s "
        f"JOIN {places['members']} m ON m.parent_id = s.id "
        f"LEFT JOIN {places['members/visits']} v ON v.parent_id = m.id ORDER BY m.index, v.index"
    )
    assert [tuple(row) for row in joined] == [
        ("रामपुर", "Gita", "2025-11-01"),
        ("रामपुर", "Gita", "2025-12-01"),
        ("रामपुर", "Ravi", None),
    ]


async def test_cells_that_break_csv_arrive_as_they_were_given(
    pool, job, places, server, form, as_organization
) -> None:
    said = ['a"b', "a,b\r\nc", "\\.", "\\N", "NULL", "  ", "😀", "'; --"]
    for one in said:
        server.submit(form, village=one)
    await pool.load_form(job(), places)
    found = await as_organization.fetch(f"SELECT village FROM {places['']} ORDER BY id")
    assert [row["village"] for row in found] == said


async def test_a_form_without_submissions_becomes_empty_tables(
    pool, job, places, as_organization
) -> None:
    loaded = await pool.load_form(job(), places)
    assert {table.rows for table in loaded.tables.values()} == {0}
    assert sorted(await places.there(as_organization)) == ["", "members", "members/visits"]


async def test_a_form_in_which_nothing_changed_is_not_loaded(
    pool, job, places, server, form, as_organization
) -> None:
    number = server.submit_all(form, ANSWERS)
    first = await pool.load_form(job(), Places())
    again = await pool.load_form(job(published=first.fingerprint), places)
    assert (again.tables, again.fingerprint, places) == ({}, first.fingerprint, {})
    server.edit(form, number, village="moved")
    changed = await pool.load_form(job(published=first.fingerprint), places)
    assert len(changed.tables) == 3


async def test_when_one_table_fails_none_is_left(
    pool, job, places, server, form, as_organization
) -> None:
    server.submit_all(form, ANSWERS)
    taken = (await places({"members/visits": ""}))["members/visits"]
    await as_organization.execute(f"CREATE TABLE {taken} (a int)")
    with pytest.raises(BadSource):
        await pool.load_form(job(), places)
    assert await places.there(as_organization) == ["members/visits"]
    await as_organization.execute(f"DROP TABLE {taken}")


async def test_what_the_server_refuses_is_told_and_the_token_is_not(
    pool, job, places, as_organization
) -> None:
    order = job(api_token=SecretStr("deadbeef"))
    with pytest.raises(BadSource, match="The API token is not accepted") as raised:
        await pool.load_form(order, places)
    assert raised.value.code == "token_refused"
    assert "deadbeef" not in raised.value.message + repr(order)
    assert await places.there(as_organization) == []
