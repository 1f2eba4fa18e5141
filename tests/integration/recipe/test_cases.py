"""The shared conformance cases, as far as the language has their steps, on a real PostgreSQL."""

import json
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from recipe.recipe import STEPS_BY_TYPE

from .cases import mismatch, run

ROOT = Path(__file__).parents[3]
SHARED = Path(os.environ.get("SHARED_CASES", ROOT.parent / "shared" / "cases")) / "recipes"

SPECIFIED = {
    *("source", "filter", "distinct", "dedupe", "sort", "limit", "top", "sample", "union", "join"),
    *("unnest", "fill", "drop_blank", "select", "drop", "rename", "clean", "replace", "cast"),
    *("split", "extract_text", "coalesce", "categorize", "bin", "add_column", "flatten_json"),
    *("split_select_multiple", "mask", "group", "window", "pivot", "unpivot", "assert"),
}
"""Every step type of the specification; those not discovered have their cases later."""

LATER_EXPRESSIONS = {"date_diff", "date_add", "age"}


def possible(case: dict[str, Any]) -> bool:
    if "transforms" in case or "save_as" in case:
        return False
    for step in case["recipe"]["steps"]:
        if step.get("type") in SPECIFIED - set(STEPS_BY_TYPE):
            return False
        if step.get("expression_type") in LATER_EXPRESSIONS:
            return False
    return True


def cases() -> Iterator[Any]:
    for file in sorted(SHARED.glob("*.json")):
        for case in json.loads(file.read_text(encoding="utf-8")):
            if possible(case):
                yield pytest.param(case, id=f"{file.stem}: {case['name']}")


@pytest_asyncio.fixture
async def connection(postgres_url: str) -> AsyncIterator[asyncpg.Connection]:
    opened = await asyncpg.connect(postgres_url)
    yield opened
    await opened.close()


@pytest.mark.parametrize("case", list(cases()))
async def test_the_case_holds(case: dict[str, Any], connection: asyncpg.Connection) -> None:
    assert mismatch(case, await run(case, connection)) == ""
