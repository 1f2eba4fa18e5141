"""Previews keep to their time, and to reading."""

import asyncpg
import pytest
from pydantic import SecretStr

from contracts.problem import ProblemError
from contracts.transform import PreviewRecipe
from transform.reading import Reader
from transform.session import Sessions
from warehouse.names import data_schema


@pytest.fixture
def reader(transform):
    """A reader that has half a second."""
    sessions = Sessions(SecretStr("a key of the tests"))
    return Reader(transform.database, sessions, timeout=0.5)


@pytest.mark.parametrize("preview_timeout", ["2"], indirect=True)
async def test_a_preview_that_takes_too_long_says_what_to_do(stand, column_factory):
    await stand.source(
        "numbers", "SELECT generate_series(1, 3000) AS n", column_factory(n="integer")
    )
    cross = {"type": "join", "with": "numbers", "join_type": "cross"}
    steps = [{"type": "source", "table": "numbers"}, *(cross | {"prefix": p} for p in "abc")]
    with pytest.raises(ProblemError) as raised:
        await stand.ask(PreviewRecipe(recipe={"steps": steps}))
    assert (raised.value.problem.status, raised.value.problem.code) == (504, "preview_timed_out")


async def test_rows_are_shown_without_a_count_that_takes_too_long(stand, reader):
    async with reader.reading(stand.org_id, "preview", "UTC") as reading:
        rows = await reading.rows("SELECT 1 AS n")
        total = await reading.number("SELECT count(*) FROM pg_sleep(60)")
    assert [row["n"] for row in rows] == [1]
    assert total is None


async def test_a_reading_cannot_write(stand, reader):
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        async with reader.reading(stand.org_id, "preview", "UTC") as reading:
            await reading.rows("CREATE TABLE t (n int)")


async def test_a_reading_reads_as_its_organisation_alone(stand, other, reader, column_factory):
    version = await other.source("secret", "SELECT 1 AS n", column_factory(n="integer"))
    with pytest.raises(ProblemError):
        async with reader.reading(stand.org_id, "preview", "UTC") as reading:
            await reading.rows(f'SELECT * FROM "{data_schema(other.org_id)}"."{version.relation}"')
