"""Builds that would never end, or fill the disk: stopped at a limit, with the reason and the step."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from chassis.database import Database
from chassis.testing import eventually
from contracts.problem import ProblemError
from contracts.transform import PreviewRecipe, TransformationBuilt, TransformationFailed
from transform.limits import Limits, PastLimit, Writer
from warehouse import names
from warehouse.access import as_org

MB = 1024**2
NUMBERS = "SELECT n, md5(n::text) AS word FROM generate_series(1, 10000) n"
SMALL = "SELECT n, md5(n::text) AS word FROM generate_series(1, 100) n"
SOURCE: dict[str, object] = {"type": "source", "table": "left"}
CROSS: dict[str, object] = {"type": "join", "with": "right", "join_type": "cross"}
SORT = {"type": "sort", "columns": [{"column": "Word"}]}
GROUPED = {
    "type": "group",
    "by": ["Word"],
    "aggregates": [{"column": "right_N", "function": "sum", "alias": "sum"}],
}


@pytest.fixture
def environment(request) -> dict[str, str]:
    """Settings of transform, given to a test by `limits`."""
    return getattr(request, "param", {})


def limits(**environment: str) -> pytest.MarkDecorator:
    """Run a test beside a transform with these settings."""
    return pytest.mark.parametrize("environment", [environment], indirect=True, ids=[""])


@pytest_asyncio.fixture
async def transform(start_service, environment):
    """The service with the limits of the test."""
    return await start_service("transform", **environment)


@pytest_asyncio.fixture
async def superuser(ground) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(ground.superuser_url)
    yield connection
    await connection.close()


@pytest_asyncio.fixture
async def product(stand, column_factory):
    """Makes a recipe whose first step reads 'left' and whose second one a table of equal size."""

    async def make(*steps: dict[str, object], select: str = NUMBERS):
        held = column_factory(n="integer", word="text")
        await stand.source("left", select, held)
        await stand.source("right", select, held)
        saved = await stand.transformation("All", SOURCE, *steps)
        return saved.id

    return make


async def failed(stand, transformation_id) -> TransformationFailed:
    outcome = await stand.build(transformation_id)
    assert isinstance(outcome, TransformationFailed), outcome
    return outcome


@limits(BUILD_MAX_BYTES=str(64 * MB))
async def test_a_cross_join_is_stopped_and_its_disk_is_free_again(stand, product, superuser):
    transformation_id = await product(CROSS)

    async def size() -> int:
        return await superuser.fetchval("SELECT pg_database_size(current_database())")

    before = await size()
    problem = (await failed(stand, transformation_id)).problem
    assert (problem.status, problem.code) == (422, "build_too_large")
    assert "a build may make 64 MB" in problem.detail
    assert "was not complete" in problem.detail
    assert "step 1: it pairs every row with every row of 'right'" in problem.detail
    assert [(error.step, error.code) for error in problem.errors] == [(1, "build_too_large")]

    async def is_free() -> bool:
        return await size() < before + 16 * MB

    await eventually(is_free)


@limits(BUILD_MAX_BYTES=str(MB))
async def test_a_table_that_is_too_large_once_it_is_whole_fails(stand, product):
    problem = (await failed(stand, await product(CROSS, select=SMALL))).problem
    assert problem.code == "build_too_large"
    assert problem.detail.startswith("The result takes 1.")
    assert " MB; a build may make 1 MB. Nothing was changed." in problem.detail


@limits(BUILD_MAX_ROWS="9999")
async def test_a_build_of_too_many_rows_fails(stand, product):
    problem = (await failed(stand, await product(CROSS, select=SMALL))).problem
    assert problem.code == "build_too_large"
    assert "The result has 10,000 rows; a build may make 9,999." in problem.detail


@limits(BUILD_MAX_ROWS="10000", BUILD_MAX_BYTES=str(2 * MB))
async def test_a_build_of_just_as_much_as_may_be_goes_through(stand, product):
    built = await stand.build(await product(CROSS, select=SMALL))
    assert isinstance(built, TransformationBuilt)
    assert (built.tables[0].rows, built.warnings) == (10_000, ())


@limits(MAX_TEMP_BYTES=str(16 * MB))
async def test_a_build_of_many_temporary_files_is_stopped(stand, product):
    problem = (await failed(stand, await product(CROSS, SORT))).problem
    assert problem.code == "build_too_large"
    assert "a build may use 16 MB" in problem.detail
    assert "every row of 'right'" in problem.detail


@limits(BUILD_TIMEOUT="1.5")
async def test_a_build_that_takes_too_long_is_stopped(stand, product, superuser):
    """It writes nothing but at its end."""
    problem = (await failed(stand, await product(CROSS, GROUPED))).problem
    assert (problem.status, problem.code) == (422, "build_timed_out")
    assert problem.detail.startswith("The build was stopped after 1.5 seconds.")
    assert "every row of 'right'" in problem.detail
    running = await superuser.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE usename = 'transform' AND state = 'active'"
    )
    assert running == 0


@limits(BUILD_TIMEOUT="1.5")
async def test_reading_the_names_of_columns_is_part_of_the_time(stand, column_factory):
    """The recipe is saved before its tables have data."""
    held = column_factory(n="integer", word="text")
    tables = [await stand.declare(name, held) for name in ("left", "right")]
    pivot = {
        "type": "pivot",
        "index": ["Word"],
        "names_from": "right_Word",
        "values_from": "N",
        "function": "sum",
    }
    saved = await stand.transformation("All", SOURCE, CROSS, pivot)
    for table_id in tables:
        await stand.publish(await stand.load(table_id, NUMBERS, held))
    assert (await failed(stand, saved.id)).problem.code == "build_timed_out"


@asynccontextmanager
async def without(superuser: asyncpg.Connection, right: str, login: str) -> AsyncIterator[None]:
    """A server on which a login does not have a right that ours gives."""
    kind = right.partition(" ")[0]
    await superuser.execute(f"REVOKE {right} FROM {login} CASCADE")
    try:
        yield
    finally:
        option = " WITH GRANT OPTION" if kind == "SET" and login == "dalgo_migrator" else ""
        await superuser.execute(f"GRANT {right} TO {login}{option}")


TEMPORARY = "SET ON PARAMETER temp_file_limit"
FILES = "EXECUTE ON FUNCTION pg_stat_file(text, boolean)"


@limits(MAX_TEMP_BYTES=str(16 * MB))
async def test_temporary_files_are_watched_where_they_cannot_be_limited(stand, product, superuser):
    async with without(superuser, TEMPORARY, "dalgo_transform"):
        problem = (await failed(stand, await product(CROSS, SORT))).problem
    assert problem.code == "build_too_large"
    assert "temporary files; a build may use 16 MB" in problem.detail


async def test_rows_are_limited_beforehand_where_files_cannot_be_seen(
    ground, start_service, connect_bus, org_id, column_factory, superuser
):
    from .conftest import Stand

    async with without(superuser, FILES, "dalgo_migrator"):
        with capture_logs() as logged:
            await start_service("transform", BUILD_MAX_ROWS="20000")
        stand = Stand(ground, org_id, connect_bus)
        await stand.begin()
        held = column_factory(n="integer", word="text")
        await stand.source("left", NUMBERS, held)
        await stand.source("right", NUMBERS, held)
        saved = await stand.transformation("All", SOURCE, CROSS)
        problem = (await failed(stand, saved.id)).problem
    assert "The result has more than 20,000 rows; a build may make 20,000." in problem.detail
    (said,) = [line for line in logged if line["event"] == "build_limits_incomplete"]
    assert said["missing"] == ["EXECUTE ON FUNCTION pg_stat_file(text, boolean)"]


async def test_what_could_not_be_asked_while_the_database_was_away_is_asked_before_a_build(
    stand, transform, superuser
):
    away = await asyncpg.create_pool(stand.ground.database_url("transform"), min_size=1, max_size=1)
    database = Database(away, "transform")
    await away.close()
    writer = Writer(database, Limits(rows=10))
    with capture_logs() as logged:
        await writer.check_rights()
    assert [line["event"] for line in logged] == ["limits_not_checked"]
    database.pool = transform.database.pool
    target = names.qualified(names.data_schema(stand.org_id), "v_many")
    many = "SELECT n FROM generate_series(1, 100) n"
    async with without(superuser, FILES, "dalgo_migrator"), database.transaction() as connection:
        pid = await connection.fetchval("SELECT pg_backend_pid()")
        async with as_org(connection, stand.org_id):
            assert pid is not None
            with pytest.raises(PastLimit, match="more than 10 rows"):
                await writer.write(connection, pid, target, many)
            await connection.execute(f"DROP TABLE {target}")


@limits(MAX_TEMP_BYTES=str(4 * MB), PREVIEW_TIMEOUT="9")
async def test_a_preview_may_use_no_more_temporary_files(stand, product):
    transformation_id = await product(CROSS, {"type": "distinct"})
    asked = PreviewRecipe(transformation_id=transformation_id, count="none")
    with pytest.raises(ProblemError) as raised:
        await stand.ask(asked)
    assert raised.value.problem.code == "too_many_temporary_files"


async def test_every_statement_of_transform_ends_at_some_time(stand):
    connection = await stand.connection("transform")
    try:
        assert await connection.fetchval("SHOW statement_timeout") == "10min"
    finally:
        await connection.close()


async def test_a_table_of_far_more_rows_than_any_that_it_was_made_of_is_warned_of(stand, product):
    twice = "SELECT n % 10 AS n, md5(n::text) AS word FROM generate_series(1, 3500) n"
    keyed = {"type": "join", "with": "right", "left_on": "N", "right_on": "N", "columns": []}
    built = await stand.build(await product(keyed, select=twice))
    assert isinstance(built, TransformationBuilt)
    assert built.tables[0].rows == 1_225_000
    assert [notice.code for notice in built.warnings] == ["many_rows"]
    assert "1,225,000 rows" in built.warnings[0].message
