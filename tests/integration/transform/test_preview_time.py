"""Previews keep to their time, and to reading."""

import asyncpg
import pytest

from contracts.problem import ProblemError
from contracts.transform import PreviewRecipe
from transform.compiler import Compiler
from transform.preview import Previewer


@pytest.fixture
async def previewer(transform):
    """A previewer that has half a second."""
    compiler = Compiler()
    yield Previewer(transform.database, compiler, timeout=0.5)
    await compiler.close()


async def test_a_preview_that_takes_too_long_says_what_to_do(stand, column_factory):
    await stand.source(
        "numbers", "SELECT generate_series(1, 3000) AS n", column_factory(n="integer")
    )
    cross = {"type": "join", "with": "numbers", "join_type": "cross"}
    steps = [{"type": "source", "table": "numbers"}, *(cross | {"prefix": p} for p in "abc")]
    with pytest.raises(ProblemError) as raised:
        await stand.ask(PreviewRecipe(recipe={"steps": steps}))
    assert (raised.value.problem.status, raised.value.problem.code) == (504, "preview_timed_out")


async def test_rows_are_shown_without_a_count_that_takes_too_long(stand, previewer):
    rows, total = await previewer._read(stand.org_id, "SELECT 1 AS n", "SELECT pg_sleep(60)", "UTC")
    assert [row["n"] for row in rows] == [1]
    assert total is None


async def test_a_preview_cannot_write(stand, previewer):
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        await previewer._read(stand.org_id, "CREATE TABLE t (n int)", None, "UTC")
