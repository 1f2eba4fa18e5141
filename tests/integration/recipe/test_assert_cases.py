"""What asserts find in the data and how they say it, on a real PostgreSQL."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from recipe import check, compile_recipe, parse

from .cases import CONTEXT, filled, refused, tables_of

TABLES = {
    "visits": {
        "columns": {
            "id": "text",
            "n": "integer",
            "on": "date",
            "seen": "timestamp",
            "kind": "text",
            "district": "decimal",
        },
        "rows": [
            ["a", 1, "2024-01-31", "2024-01-31T23:00:00", "open", 1],
            ["a", 2, "2024-02-29", "2024-02-01T00:00:00", "shut", 1.0],
            ["b", 2, None, None, "Open", 2],
            [" ", 60, None, None, None, None],
            [None, None, None, None, " ", 3],
            ["", 61, None, None, "x" * 90, 3],
        ],
    },
    "districts": {
        "columns": {"code": "text", "key": "integer"},
        "rows": [["a", 1], ["b", 2], [None, None]],
    },
    "many": {"columns": {"v": "text"}, "rows": [[f"v{n % 12:02}"] for n in range(30)]},
}


def asserting(check: str, source: str = "visits", **fields: Any) -> dict[str, Any]:
    step = {"type": "assert", "check": check, **fields}
    return {"steps": [{"type": "source", "table": source}, step]}


SMALL = "'open'; 'shut'"

HOLD = {
    "blank cells pass all but not_blank": [
        asserting("in", columns=["kind"], values=["open", "shut", "Open", "x" * 90]),
        asserting("matches", columns=["id"], regex="^[ab]$"),
        asserting("between", columns=["on"], min="2024-01-31", max="2024-02-29"),
        asserting("references", columns=["id"], table="districts", table_columns=["code"]),
        asserting("unique", columns=["on"]),
        asserting("unique", columns=["seen"]),
    ],
    "a whole day is between itself": [
        asserting("between", columns=["seen"], min="2024-01-31", max="2024-02-01")
    ],
    "numbers of two types are compared as numbers": [
        asserting("in", columns=["district"], values=["1.0", 2, 3]),
    ],
    "a number of rows within its bounds": [
        asserting("row_count", min=6, max=6),
        asserting("row_count", max=6),
        asserting("row_count", min=0),
    ],
    "rows that a step before took out do not offend": [
        {
            "steps": [
                {"type": "source", "table": "visits"},
                {"type": "filter", "column": "id", "operator": "is_not_blank"},
                {"type": "distinct", "columns": ["id"]},
                {"type": "assert", "check": "unique", "columns": ["id"]},
                {"type": "assert", "check": "not_blank", "columns": ["id", "n"]},
            ]
        }
    ],
    "an assert that is disabled asks nothing": [asserting("row_count", min=9, enabled=False)],
}

FAIL = {
    "blanks are counted": (
        asserting("not_blank", columns=["id"]),
        "columns.0",
        "3 rows have a blank in 'id'.",
    ),
    "blanks of several columns are shown with their neighbours": (
        asserting("not_blank", columns=["id", "n"]),
        "columns",
        "3 rows have a blank in 'id' and 'n': ('', 61); (' ', 60); (nothing, nothing).",
    ),
    "what stands twice is told once, with how often": (
        asserting("unique", columns=["id"]),
        "columns.0",
        "2 rows have the same 'id' as another row: 'a' (2 times).",
    ),
    "a pair is looked at as a pair, with a blank in it too": (
        asserting("unique", columns=["on", "district"]),
        "columns",
        "2 rows have the same 'on' and 'district' as another row: (nothing, 3) (2 times).",
    ),
    "what is not allowed is told, cut when it is long": (
        asserting("in", columns=["kind"], values=["open", "shut"]),
        "columns.0",
        f"2 rows have a value in 'kind' that is not one of those allowed: 'Open'; '{'x' * 80}…'.",
    ),
    "what is out of bounds is told": (
        asserting("between", columns=["n"], min="1", max=60),
        "columns.0",
        "1 row has a value in 'n' that is not between 1 and 60: 61.",
    ),
    "what does not match is told": (
        asserting("matches", columns=["kind"], regex="^[A-Z]"),
        "columns.0",
        f"3 rows have a value in 'kind' that does not match the pattern: {SMALL}; '{'x' * 80}…'.",
    ),
    "what has no partner is told; numbers of two types compare as numbers": (
        asserting("references", columns=["district"], table="districts", table_columns=["key"]),
        "columns.0",
        "2 rows have a value in 'district' that is not in 'districts': 3 (2 times).",
    ),
    "values of one row must stand in one row of the other table": (
        asserting(
            "references", columns=["id", "n"], table="districts", table_columns=["code", "key"]
        ),
        "columns",
        "1 row has a value in 'id' and 'n' that is not in 'districts': ('a', 2).",
    ),
    "ten values are shown, all rows are counted": (
        asserting("unique", source="many", columns=["v"]),
        "columns.0",
        "30 rows have the same 'v' as another row: "
        + "; ".join(f"'v{n:02}' ({3 if n < 6 else 2} times)" for n in range(10))
        + "; …",
    ),
    "too few rows": (
        asserting("row_count", min=7),
        "check",
        "There are 6 rows here; at least 7 must be.",
    ),
    "too many rows": (
        asserting("row_count", max=5, min=1),
        "check",
        "There are 6 rows here; at most 5 must be.",
    ),
}

REFUSED = {
    "columns are needed": (asserting("unique"), "columns", "missing_field"),
    "values are needed": (asserting("in", columns=["id"]), "values", "missing_field"),
    "an upper bound is needed": (
        asserting("between", columns=["n"], min=1),
        "max",
        "missing_field",
    ),
    "one bound of a number of rows is needed": (asserting("row_count"), "min", "missing_field"),
    "the other table is needed": (
        asserting("references", columns=["id"]),
        "table",
        "missing_field",
    ),
    "an unknown column": (asserting("unique", columns=["x"]), "columns.0", "unknown_column"),
    "an unknown table": (
        asserting("references", columns=["id"], table="x", table_columns=["y"]),
        "table",
        "unknown_table",
    ),
    "an unknown column of the other table": (
        asserting("references", columns=["id"], table="districts", table_columns=["y"]),
        "table_columns.0",
        "unknown_column",
    ),
    "columns without a counterpart": (
        asserting("references", columns=["id"], table="districts", table_columns=["code", "key"]),
        "table_columns",
        "bad_value",
    ),
    "a check that does not exist": (asserting("nonsense"), "check", "bad_value"),
    "a pattern on numbers": (
        asserting("matches", columns=["n"], regex="1"),
        "columns.0",
        "wrong_type",
    ),
    "a pattern that is none": (
        asserting("matches", columns=["id"], regex="("),
        "regex",
        "bad_value",
    ),
    "bounds that are reversed": (
        asserting("between", columns=["n"], min=5, max=1),
        "max",
        "bad_value",
    ),
    "a bound that is no number": (
        asserting("between", columns=["n"], min="few", max=1),
        "min",
        "bad_value",
    ),
    "a value that the column cannot hold": (
        asserting("in", columns=["n"], values=[1, "two"]),
        "values.1",
        "bad_value",
    ),
    "a number of rows that is none": (asserting("row_count", min=-1), "min", "bad_value"),
    "a number of rows in words": (asserting("row_count", max="ten"), "max", "bad_value"),
    "numbers of rows that are reversed": (
        asserting("row_count", min=2, max=1),
        "max",
        "bad_value",
    ),
}


@pytest_asyncio.fixture
async def connection(postgres_url: str) -> AsyncIterator[asyncpg.Connection]:
    opened = await asyncpg.connect(postgres_url)
    transaction = opened.transaction()
    await transaction.start()
    await filled({"tables": TABLES}, opened)
    yield opened
    await transaction.rollback()
    await opened.close()


@pytest.mark.parametrize("name", HOLD)
async def test_what_is_as_it_should_be_passes(name: str, connection: asyncpg.Connection) -> None:
    tables = tables_of({"tables": TABLES})
    for recipe in HOLD[name]:
        compiled = compile_recipe(parse(recipe), tables, CONTEXT)
        assert await refused(compiled, connection) is None


@pytest.mark.parametrize("name", FAIL)
async def test_what_offends_is_counted_and_shown(name: str, connection: asyncpg.Connection) -> None:
    recipe, field, message = FAIL[name]
    compiled = compile_recipe(parse(recipe), tables_of({"tables": TABLES}), CONTEXT)
    found = await refused(compiled, connection)
    assert found is not None
    assert (found.step, found.field, found.code) == (1, field, "assert_failed")
    assert found.message == message


@pytest.mark.parametrize("name", REFUSED)
def test_an_assert_that_cannot_be_checked_is_refused(name: str) -> None:
    recipe, field, code = REFUSED[name]
    errors = check(recipe, tables_of({"tables": TABLES})).errors
    assert [(error.step, error.field, error.code) for error in errors] == [(1, field, code)]


def test_a_warning_keeps_its_severity() -> None:
    recipe = asserting("row_count", min=9, severity="warn")
    compiled = compile_recipe(parse(recipe), tables_of({"tables": TABLES}), CONTEXT)
    assert [asked.severity for asked in compiled.checks] == ["warn"]
    assert "count" not in compiled.sql.lower()
