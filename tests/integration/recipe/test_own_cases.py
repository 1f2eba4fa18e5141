"""Cases of our own, so that a clone without the shared ones is still tested on PostgreSQL."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from recipe import Context, compile_recipe, parse
from recipe.guard import guard
from recipe.items import SortItem
from recipe.statement import page

from .cases import SCHEMA, mismatch, run, tables_of

VISITS = {
    "columns": {"id": "integer", "Full name": "text", "seen": "timestamp", "answers": "json"},
    "rows": [
        [1, "asha", "2024-02-29T23:59:00", ["tap"]],
        [2, "Bo", "2024-03-01T00:00:00", {"a": 1}],
        [3, " ", None, None],
        [4, None, "2024-02-29T00:00:00", ["well", "tap"]],
        [5, "Asha", "2024-01-01T00:00:00", "tap"],
    ],
}


def case(
    steps: list[dict[str, Any]], columns: list[str], rows: list[list[object]]
) -> dict[str, Any]:
    """Rows are compared in their order."""
    return {
        "tables": {"visits": VISITS},
        "recipe": {"steps": [{"type": "source", "table": "visits"}, *steps]},
        "expect": {"columns": columns, "rows": rows, "ordered": True},
    }


def comparing(column: str, operator: str, **rest: object) -> dict[str, Any]:
    return {"type": "filter", "column": column, "operator": operator, **rest}


BY_ID: dict[str, Any] = {"type": "sort", "columns": ["id"]}
ONLY_ID: dict[str, Any] = {"type": "select", "columns": ["id"]}

CASES = {
    "a date on a timestamp column is the whole day": case(
        [BY_ID, comparing("seen", "equals", value="2024-02-29"), ONLY_ID], ["id"], [[1], [4]]
    ),
    "a choice is found in a JSON array and nowhere else": case(
        [BY_ID, comparing("answers", "has", value="tap"), ONLY_ID], ["id"], [[1], [4]]
    ),
    "a sort lives on when its column is dropped and its name is taken": case(
        [
            {"type": "sort", "columns": ["Full name"]},
            ONLY_ID,
            {"type": "rename", "columns": {"id": "Full name"}},
        ],
        ["Full name"],
        [[3], [5], [1], [2], [4]],
    ),
    "swapped names sort by what they now stand for": case(
        [
            {"type": "select", "columns": ["id", "Full name"]},
            {"type": "rename", "columns": {"id": "Full name", "Full name": "id"}},
            {"type": "sort", "columns": [{"column": "Full name", "descending": True}]},
            {"type": "select", "columns": ["Full name"]},
        ],
        ["Full name"],
        [[5], [4], [3], [2], [1]],
    ),
    "operations that read a cell several times do not disturb one another": case(
        [
            BY_ID,
            {
                "type": "clean",
                "columns": ["Full name"],
                "operations": ["upper", "sentence", "blank_to_null", "lower", "sentence"],
            },
            {"type": "select", "columns": ["Full name"]},
        ],
        ["Full name"],
        [["Asha"], ["Bo"], [None], [None], ["Asha"]],
    ),
    "power without a result is null, even between constants": case(
        [
            BY_ID,
            {"type": "limit", "count": 1},
            *[
                {
                    "type": "add_column",
                    "name": name,
                    "expression_type": "math",
                    "left": left,
                    "operator": "^",
                    "right": right,
                }
                for name, left, right in (("a", 0, -1), ("b", -8, 0.5), ("c", 10, 100_000))
            ],
            {"type": "select", "columns": ["a", "b", "c"]},
        ],
        ["a", "b", "c"],
        [[None, None, None]],
    ),
    "an expression that doubles forty times is still planned at once": case(
        [
            BY_ID,
            *[
                {
                    "type": "add_column",
                    "name": "id",
                    "expression_type": "math",
                    "left": "id",
                    "operator": "+",
                    "right": "id",
                    "replace": True,
                }
            ]
            * 70,
            ONLY_ID,
            {"type": "limit", "count": 1},
        ],
        ["id"],
        [[2**70]],
    ),
}


@pytest_asyncio.fixture
async def connection(postgres_url: str) -> AsyncIterator[asyncpg.Connection]:
    opened = await asyncpg.connect(postgres_url)
    yield opened
    await opened.close()


@pytest.mark.parametrize("name", CASES)
async def test_our_case_holds(name: str, connection: asyncpg.Connection) -> None:
    assert mismatch(CASES[name], await run(CASES[name], connection)) == ""


def test_a_page_sorted_by_the_reader_passes_the_guard() -> None:
    recipe = CASES["a choice is found in a JSON array and nowhere else"]
    context = Context(as_of=datetime(2026, 3, 18, tzinfo=UTC))
    compiled = compile_recipe(parse(recipe["recipe"]), tables_of(recipe), context)
    guard(page(compiled, [SortItem(column="id", descending=True)], 10, 0), {SCHEMA})
