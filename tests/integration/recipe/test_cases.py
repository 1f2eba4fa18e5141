"""The shared conformance cases on a real PostgreSQL."""

import json
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from .cases import mismatch, run

ROOT = Path(__file__).parents[3]
SHARED = Path(os.environ.get("SHARED_CASES", ROOT.parent / "shared" / "cases")) / "recipes"

HOLDS = {"a recipe of 20 filters on 500 columns can be validated"}
"""Of the reported faults; the others are still to be mended, and a mended one fails as `strict`."""


def possible(case: dict[str, Any]) -> bool:
    """Whether the case is about one recipe; circles of several are saved recipes' (`just cases`)."""
    return "transforms" not in case and "save_as" not in case


def cases() -> Iterator[Any]:
    for file in sorted(SHARED.glob("*.json")):
        for case in json.loads(file.read_text(encoding="utf-8")):
            if possible(case):
                fails = file.stem == "reported" and case["name"] not in HOLDS
                yield pytest.param(
                    case,
                    id=f"{file.stem}: {case['name']}",
                    marks=[pytest.mark.xfail(strict=True)] if fails else [],
                )


@pytest_asyncio.fixture
async def connection(postgres_url: str) -> AsyncIterator[asyncpg.Connection]:
    opened = await asyncpg.connect(postgres_url)
    yield opened
    await opened.close()


@pytest.mark.parametrize("case", list(cases()))
async def test_the_case_holds(case: dict[str, Any], connection: asyncpg.Connection) -> None:
    assert mismatch(case, await run(case, connection)) == ""
