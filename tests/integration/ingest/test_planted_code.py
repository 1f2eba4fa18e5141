"""Code that a loader has planted in its landing table does nothing when ingest reads the table."""

from contextlib import suppress

import asyncpg
import pytest
import pytest_asyncio

from chassis.database import Database
from contracts.envelope import new_id
from contracts.ingest import ExternalConfig
from ingest.connectors import BadSource
from ingest.external.landing import Landing
from warehouse.names import version_relation

from ...planted import NOT_PLANNED, PLANNED, planter

WELLS = ExternalConfig(table="wells")
VECTORS = PLANNED | NOT_PLANNED


@pytest_asyncio.fixture
async def loader(ground, org_id):
    """A loader that plants code."""
    found = await planter(ground, org_id)
    yield found
    await found.session.close()
    await found.superuser.close()


@pytest_asyncio.fixture
async def landing(ground):
    """Landing schemas as ingest's service reads them, each time in fresh sessions."""
    pool = await asyncpg.create_pool(ground.database_url("ingest"), min_size=0, max_size=2)
    yield Landing(Database(pool, "ingest"))
    await pool.close()


async def copy(landing: Landing, org_id) -> None:
    await landing.copy(org_id, WELLS, version_relation(new_id()), new_id(), None)


@pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS)
async def test_planted_code_reaches_nothing_when_its_table_is_copied(
    org_id, landing, loader, vector
):
    await loader.plant(vector)
    with suppress(BadSource):
        await copy(landing, org_id)
    assert await loader.harm() == []


@pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS)
async def test_planted_code_reaches_nothing_when_its_table_is_previewed(
    org_id, landing, loader, vector
):
    await loader.plant(vector)
    with suppress(BadSource):
        await landing.sample(org_id, WELLS, 5)
    assert await loader.harm() == []


@pytest.mark.parametrize(
    ("vector", "told"),
    [
        ("index", "index wells_evil_idx holds.*Index plain columns"),
        ("predicate", "index wells_n_idx holds.*without a condition"),
        ("statistics", "extended statistics s holds.*Make them on plain columns"),
        ("partition key", "partition key of wells holds.*Partition by plain columns"),
        ("index of a partition", "index one_evil_idx holds"),
        ("index of a child", "index child_evil_idx holds"),
    ],
)
async def test_a_table_whose_reading_would_compute_something_is_refused_by_the_objects_name(
    org_id, landing, loader, vector, told
):
    await loader.plant(PLANNED[vector])
    for reading in (
        copy(landing, org_id),
        landing.sample(org_id, WELLS, 5),
        landing.shape(org_id, WELLS),
    ):
        with pytest.raises(BadSource, match=f"'wells'.*{told}") as raised:
            await reading
        assert raised.value.code == "runs_code"


async def test_what_is_computed_on_no_reading_is_read_as_ever(org_id, landing, loader):
    for name in ("check", "generated column", "default", "cast", "domain", "trigger", "rule"):
        await loader.session.execute("DROP TABLE IF EXISTS wells")
        await loader.plant(NOT_PLANNED[name])
        assert len((await landing.sample(org_id, WELLS, 5))[1]) == 1, name
        await copy(landing, org_id)


async def test_an_error_that_code_in_a_table_raises_is_told_of_the_table(org_id, landing, loader):
    """Made after the table was looked at, as a loader could do it at that very moment."""
    await loader.session.execute(
        f"CREATE FUNCTION {loader.landing}.loud(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS "
        "$$ BEGIN IF session_user = 'dalgo_ingest' THEN RAISE 'no luck'; END IF; RETURN 1; END $$"
    )
    await loader.plant("CREATE TABLE wells AS SELECT 1 AS n")

    async def read() -> None:
        async with landing._opened(org_id, WELLS, 1, 8) as (session, _):
            await loader.plant("CREATE INDEX ON wells ((loud(1)))")
            await session.rows(f"SELECT n FROM {loader.landing}.wells", [("n", "integer")])

    with pytest.raises(BadSource, match="'wells' failed: no luck"):
        await read()
