"""What compiles but lies in Ibis on PostgreSQL, as far as steps on rows could step into it."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from recipe import compile_recipe, parse
from recipe.recipe import STEPS_BY_TYPE

from .cases import CONTEXT, Outcome, mismatch, run, tables_of

METHODS = ("count", "name", "columns", "schema", "filter", "order_by", "limit", "key", "place")
"""Column names that are attributes of an Ibis table, or names that the compiler takes itself."""

TABLES = {
    "t": {
        "columns": {name: "text" if name == "name" else "integer" for name in METHODS},
        "rows": [
            [1, "a b", 5, 1, 1, 1, 1, 1, 7],
            [2, "a", None, 1, 1, 1, 1, 1, 7],
            [3, None, 2, 1, 1, 1, 1, 1, 7],
            [4, " ", None, 1, 1, 1, 1, 1, None],
        ],
    },
    "equal": {"columns": {"v": "integer", "w": "text"}, "rows": [[1, "x"]] * 7 + [[1, None]] * 4},
}

ROW_STEPS: dict[str, dict[str, Any]] = {
    "filter": {"column": "name", "operator": "contains", "value": "a"},
    "distinct": {"columns": ["name", "count"]},
    "dedupe": {"columns": ["name"], "keep": "last", "order_by": ["count", "place"]},
    "sort": {"columns": ["name", "key"]},
    "limit": {"count": 2},
    "top": {"count": 1, "order_by": ["count"], "by": ["name"]},
    "sample": {"percent": 50},
    "union": {"tables": ["t"], "source_column": "table"},
    "join": {"with": "t", "left_on": ["count", "name"], "right_on": ["count", "name"]},
    "unnest": {"column": "name"},
    "fill": {"columns": ["columns", "place"], "method": "down", "order_by": ["count"], "by": ["name"]},
    "drop_blank": {"columns": ["name", "columns"]},
    "coalesce": {"columns": ["columns", "count"], "name": "first"},
}  # fmt: skip

STEPS = [{"type": kind, **fields} for kind, fields in ROW_STEPS.items()] + [
    {"type": "fill", "columns": ["columns", "place"], "method": method, "by": ["name"]}
    for method in ("up", "mean", "median", "mode")
]


@pytest_asyncio.fixture
async def connection(postgres_url: str) -> AsyncIterator[asyncpg.Connection]:
    opened = await asyncpg.connect(postgres_url)
    yield opened
    await opened.close()


def recipe(table: str, *steps: dict[str, Any]) -> dict[str, Any]:
    return {
        "tables": TABLES,
        "recipe": {"steps": [{"type": "source", "table": table}, *steps]},
    }


async def rows_of(
    connection: asyncpg.Connection, table: str, *steps: dict[str, Any]
) -> list[tuple[object, ...]]:
    outcome: Outcome = await run(recipe(table, *steps), connection)
    assert outcome.problem is None, outcome.message
    return list(outcome.rows)


@pytest.mark.parametrize("kind", ["distinct", "dedupe", "top", "fill"])
def test_first_and_distinct_on_become_an_aggregate_that_postgresql_lacks(kind: str) -> None:
    case = recipe("t", {"type": kind, **ROW_STEPS[kind]})
    compiled = compile_recipe(parse(case["recipe"]), tables_of(case), CONTEXT)
    assert "FIRST(" not in compiled.sql
    assert "DISTINCT ON" not in compiled.sql


@pytest.mark.parametrize("separator", [None, ";"])
async def test_unnest_drops_rows_with_nothing_to_unnest(
    connection: asyncpg.Connection, separator: str | None
) -> None:
    step = {"type": "unnest", "column": "name", "separator": separator}
    rows = await rows_of(connection, "t", step, {"type": "select", "columns": ["count"]})
    assert {row[0] for row in rows} == {1, 2, 3, 4}


async def test_last_of_a_window_ignores_that_nulls_are_to_be_ignored(
    connection: asyncpg.Connection,
) -> None:
    filled = {"type": "fill", "columns": ["columns"], "method": "down", "order_by": ["count"]}
    select = {"type": "select", "columns": ["count", "columns"]}
    assert await rows_of(connection, "t", filled, select) == [(1, 5), (2, 5), (3, 2), (4, 2)]


async def test_the_same_table_joined_twice_and_stacked_on_itself_is_told_apart(
    connection: asyncpg.Connection,
) -> None:
    join: dict[str, Any] = {
        "type": "join",
        "with": "t",
        "right_on": "count",
        "columns": ["columns"],
    }
    rows = await rows_of(
        connection,
        "t",
        {**join, "left_on": "columns", "prefix": "one_", "join_type": "inner"},
        {**join, "left_on": "one_columns", "prefix": "two_"},
        {"type": "union", "tables": ["t", "t"]},
    )
    assert len(rows) == 1 + 4 + 4
    rows = await rows_of(
        connection,
        "t",
        {**join, "left_on": "columns", "prefix": "one_", "join_type": "inner"},
        {**join, "left_on": "columns", "prefix": "two_"},
        {"type": "select", "columns": ["count", "columns", "one_columns", "two_columns"]},
    )
    assert rows == [(3, 2, None, None)]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: f"{step['type']} {step.get('method', '')}")
async def test_a_column_named_like_a_method_is_a_column(
    connection: asyncpg.Connection, step: dict[str, Any]
) -> None:
    assert await rows_of(connection, "t", step)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: f"{step['type']} {step.get('method', '')}")
async def test_pages_of_rows_that_tie_overlap(
    connection: asyncpg.Connection, step: dict[str, Any]
) -> None:
    # `run` compares the pages with the whole; here every row has equals, and the order is hidden.
    stacked = {"type": "union", "tables": ["t", "t"]}
    hidden = [{"type": "sort", "columns": ["key", "limit"]}, {"type": "drop", "columns": ["key"]}]
    if "key" in str(step):
        hidden.pop()
    assert await rows_of(connection, "t", stacked, *hidden, step)


async def test_rows_that_are_equal_throughout_are_counted_not_merged(
    connection: asyncpg.Connection,
) -> None:
    case = recipe("equal", {"type": "sort", "columns": ["v"]}, {"type": "limit", "count": 9})
    rows = [[1, "x"]] * 7 + [[1, None]] * 2
    expect = {"columns": ["v", "w"], "rows": rows, "ordered": True}
    assert mismatch(case | {"expect": expect}, await run(case, connection)) == ""


@pytest.mark.parametrize(
    "step",
    [
        {"type": "top", "count": 1, "order_by": ["count"], "by": []},
        {"type": "fill", "columns": ["columns"], "method": "median", "by": []},
        {"type": "fill", "columns": ["columns"], "method": "up", "by": []},
    ],
    ids=lambda step: step["type"],
)
async def test_grouping_by_nothing_raises(
    connection: asyncpg.Connection, step: dict[str, Any]
) -> None:
    assert await rows_of(connection, "t", step)


def test_every_step_of_this_file_exists() -> None:
    assert set(ROW_STEPS) <= set(STEPS_BY_TYPE)
