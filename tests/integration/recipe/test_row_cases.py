"""Cases of our own for the steps that choose, repeat and fill rows, on a real PostgreSQL."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from recipe import check

from .cases import CONTEXT, mismatch, run, tables_of

VISITS = {
    "columns": {"id": "integer", "who": "text", "seen": "date", "score": "integer"},
    "rows": [
        [1, "asha", "2024-01-31", 5],
        [2, "asha", "2024-03-31", None],
        [3, "asha", None, 9],
        [4, "bo", None, 4],
        [5, " ", "2024-02-29", 4],
        [6, None, "2024-02-29", None],
    ],
}

ANSWERS = {
    "columns": {"id": "integer", "list": "json", "words": "text"},
    "rows": [
        [1, ["a", 2, None], "tap  well "],
        [2, [], " "],
        [3, {"k": [1]}, "tap;;well"],
        [4, "alone", None],
        [5, [["x", 1], {"k": True}, 2.5, False], "a b"],
    ],
}

GAPS = {
    "columns": {
        "at": "integer",
        "home": "text",
        "size": "integer",
        "town": "text",
        "own": "boolean",
        "data": "json",
        "when": "timestamp",
    },
    "rows": [
        [1, "p", None, " ", None, None, None],
        [2, "p", 4, "Pune", True, {"a": 1}, "2024-02-29T10:30:00"],
        [3, "p", None, None, None, None, None],
        [4, None, 1, "gaya", False, [], None],
        [5, None, 8, "Gaya", None, None, None],
        [6, None, None, "", None, None, None],
    ],
}

MOSTLY = {
    "columns": {"id": "integer", "a": "integer", "b": "decimal", "c": "text", "d": "date"},
    "rows": [
        [1, None, 2.5, "", "2024-02-29"],
        [2, 7, 1, "x", None],
        [3, None, None, " ", None],
    ],
}

NORTH = {
    "columns": {"id": "integer", "size": "integer", "day": "date", "ok": "boolean"},
    "rows": [[1, 3, "2024-02-29", True], [2, None, None, None]],
}
SOUTH = {
    "columns": {"ok": "text", "size": "decimal", "at": "timestamp", "id": "integer"},
    "rows": [["no", 2.5, "2024-02-29T10:30:00", 1]],
}
EAST = {
    "columns": {"extra": "json", "Region": "text", "day": "timestamp", "late": "integer"},
    "rows": [[["x"], "own", "2024-01-31T10:30:00", 2**62]],
}

TABLES = {
    "visits": VISITS,
    "answers": ANSWERS,
    "gaps": GAPS,
    "mostly": MOSTLY,
    "North": NORTH,
    "south": SOUTH,
    "east": EAST,
}

Steps = list[dict[str, Any]]


def case(
    table: str, steps: Steps, columns: list[str], rows: list[list[Any]], **types: str
) -> dict[str, Any]:
    """Rows are compared in their order."""
    return {
        "tables": TABLES,
        "recipe": {"steps": [{"type": "source", "table": table}, *steps]},
        "expect": {"columns": columns, "rows": rows, "ordered": True, "types": types},
    }


def select(*columns: str) -> dict[str, Any]:
    return {"type": "select", "columns": list(columns)}


def sort(*columns: object) -> dict[str, Any]:
    return {"type": "sort", "columns": list(columns)}


def fill(method: str, *columns: str, **rest: object) -> dict[str, Any]:
    return {"type": "fill", "method": method, "columns": list(columns), **rest}


def ids(table: str, steps: Steps, *expected: int, name: str = "id") -> dict[str, Any]:
    return case(table, [*steps, select(name)], [name], [[number] for number in expected])


def falling(column: str, **rest: object) -> dict[str, Any]:
    return {"column": column, "descending": True, **rest}


DEDUPE: dict[str, Any] = {"type": "dedupe", "columns": ["who"]}

CASES = {
    # dedupe
    "without an order, dedupe keeps the row that a sort put first": ids(
        "visits", [sort(falling("id")), DEDUPE], 6, 5, 4, 3
    ),
    "without an order, keep last is the row that a sort put last": ids(
        "visits", [sort(falling("id")), DEDUPE | {"keep": "last"}], 6, 5, 4, 1
    ),
    "without order or sort, first and last are the ends of the rows' total order": case(
        "visits",
        [
            {"type": "filter", "column": "who", "operator": "equals", "value": "asha"},
            DEDUPE | {"keep": "last"},
            select("id"),
        ],
        ["id"],
        [[3]],
    ),
    "an empty cell in the order of dedupe never wins, whatever the direction and nulls": ids(
        "visits",
        [
            DEDUPE | {"keep": "last", "order_by": [falling("seen", nulls="last")]},
            sort("id"),
        ],
        *(1, 4, 5, 6),
    ),
    "a tie in the order of dedupe goes by the sort before it": ids(
        "visits",
        [
            sort(falling("id")),
            {"type": "dedupe", "columns": ["seen"], "order_by": ["seen"]},
            sort("id"),
        ],
        *(1, 2, 3, 4, 6),
    ),
    "half a key is a key, an empty one is none": ids(
        "gaps",
        [{"type": "dedupe", "columns": ["home", "own"], "order_by": ["at"]}, sort("at")],
        *(1, 2, 4, 5, 6),
        name="at",
    ),
    # top
    "top keeps its own order": ids(
        "visits", [{"type": "top", "count": 3, "order_by": [falling("score"), "id"]}], 3, 1, 4
    ),
    "a tie in top goes by the sort before it": ids(
        "visits",
        [sort(falling("id")), {"type": "top", "count": 3, "order_by": ["score"]}],
        *(5, 4, 1),
    ),
    "in top, empty cells come first when they are told to, and empty groups are one": ids(
        "visits",
        [
            {
                "type": "top",
                "count": 1,
                "by": ["seen"],
                "order_by": [{"column": "score", "nulls": "first"}],
            },
            sort("id"),
        ],
        *(1, 2, 4, 6),
    ),
    "the top none are none": ids("visits", [{"type": "top", "count": 0, "order_by": ["id"]}]),
    # limit
    "limit keeps what a page without a sort shows first": case(
        "visits",
        [select("who"), {"type": "limit", "count": 2}],
        ["who"],
        [[" "], ["asha"]],
    ),
    # sample
    "a share of a sample is rounded up": case(
        "visits",
        [
            {"type": "sample", "percent": 17},
            {"type": "group", "by": [], "aggregates": [{"function": "count", "alias": "n"}]},
        ],
        ["n"],
        [[2]],
    ),
    "a sample stays in order": ids(
        "visits", [sort(falling("id")), {"type": "sample", "percent": 100}], 6, 5, 4, 3, 2, 1
    ),
    # union
    "tables of all types are stacked, each missing cell empty in its type": case(
        "North",
        [{"type": "union", "tables": ["south", "EAST"]}, sort("id", "size")],
        ["id", "size", "day", "ok", "at", "extra", "Region", "late"],
        [
            [1, 2.5, None, "no", "2024-02-29T10:30:00", None, None, None],
            [1, 3, "2024-02-29T00:00:00", "true", None, None, None, None],
            [2, None, None, None, None, None, None, None],
            [None, None, "2024-01-31T10:30:00", None, None, ["x"], "own", 2**62],
        ],
        id="integer",
        size="decimal",
        day="timestamp",
        ok="text",
        at="timestamp",
        extra="json",
        late="integer",
    ),
    "rows stay sorted when others come below": ids(
        "North", [sort(falling("id")), {"type": "union", "tables": ["North"]}], 2, 2, 1, 1
    ),
    "a table can be stacked on itself, more than once": ids(
        "mostly",
        [{"type": "union", "tables": ["mostly", "mostly"]}, sort("id")],
        *(1, 1, 1, 2, 2, 2, 3, 3, 3),
    ),
    "the table's name takes the place of a column that it replaces": case(
        "east",
        [
            {
                "type": "union",
                "tables": ["North"],
                "source_column": "Region",
                "replace": True,
            },
            select("Region", "id"),
            sort("id"),
        ],
        ["Region", "id"],
        [["North", 1], ["North", 2], ["east", None]],
    ),
    "each row once, with the table's name as a part of the row": case(
        "North",
        [
            select("id"),
            {"type": "union", "tables": ["south"], "distinct": True, "source_column": "of"},
            select("id", "of"),
            {"type": "filter", "column": "of", "operator": "is_not_blank"},
            {"type": "group", "by": [], "aggregates": [{"function": "count", "alias": "n"}]},
        ],
        ["n"],
        [[3]],
    ),
    # unnest
    "elements become text, an empty one null, and what is no array is one element": case(
        "answers",
        [{"type": "unnest", "column": "list"}, select("id", "list"), sort("id", "list")],
        ["id", "list"],
        [
            [1, "2"],
            [1, "a"],
            [1, None],
            [2, None],
            [3, '{"k": [1]}'],
            [4, "alone"],
            [5, "2.5"],
            [5, '["x", 1]'],
            [5, "false"],
            [5, '{"k": true}'],
        ],
        list="text",
    ),
    "without a separator, text is split at every run of white space": case(
        "answers",
        [{"type": "unnest", "column": "words"}, select("id", "words"), sort("id", "words")],
        ["id", "words"],
        [[1, "tap"], [1, "well"], [2, None], [3, "tap;;well"], [4, None], [5, "a"], [5, "b"]],
    ),
    "with a separator, an empty part is a row with an empty cell": case(
        "answers",
        [
            {"type": "filter", "column": "id", "operator": "in", "value": [2, 3]},
            {"type": "unnest", "column": "words", "separator": ";"},
            select("id", "words"),
            sort("id", "words"),
        ],
        ["id", "words"],
        [[2, None], [3, "tap"], [3, "well"], [3, None]],
    ),
    "rows stay sorted by the list that is taken apart": ids(
        "answers",
        [sort(falling("words")), {"type": "unnest", "column": "words"}],
        *(3, 1, 1, 5, 5, 2, 4),
    ),
    # fill
    "down carries cells of every type on, in the order of the sort before": case(
        "gaps",
        [sort("at"), fill("down", "town", "own", "data", "when", by=["home"])],
        ["at", "home", "size", "town", "own", "data", "when"],
        [
            [1, "p", None, " ", None, None, None],
            [2, "p", 4, "Pune", True, {"a": 1}, "2024-02-29T10:30:00"],
            [3, "p", None, "Pune", True, {"a": 1}, "2024-02-29T10:30:00"],
            [4, None, 1, "gaya", False, [], None],
            [5, None, 8, "Gaya", False, [], None],
            [6, None, None, "Gaya", False, [], None],
        ],
    ),
    "up takes the next cell, and a row's order may be the column itself": case(
        "gaps",
        [fill("up", "town", order_by=["at"]), sort("at"), select("at", "town")],
        ["at", "town"],
        [[1, "Pune"], [2, "Pune"], [3, "gaya"], [4, "gaya"], [5, "Gaya"], [6, ""]],
    ),
    "the rows keep the order they had before they were filled": ids(
        "gaps",
        [sort("size", "at"), fill("constant", "size", value="0")],
        *(4, 2, 5, 1, 3, 6),
        name="at",
    ),
    "the median of two is their mean, of each group, and a decimal": case(
        "gaps",
        [fill("median", "size", by=["home"]), sort("at"), select("at", "size")],
        ["at", "size"],
        [[1, 4], [2, 4], [3, 4], [4, 1], [5, 8], [6, 4.5]],
        size="decimal",
    ),
    "the median of three is the middle one, and of nothing nothing": case(
        "gaps",
        [
            fill("median", "size"),
            {"type": "filter", "column": "at", "operator": "equals", "value": 6},
            select("size"),
        ],
        ["size"],
        [[4]],
    ),
    "the mean leaves empty cells out": case(
        "gaps",
        [fill("mean", "size"), sort("at"), {"type": "limit", "count": 1}, select("size")],
        ["size"],
        [[13 / 3]],
        size="decimal",
    ),
    "the commonest text is none that is blank; of several it is the smallest": case(
        "gaps",
        [fill("mode", "town", "home"), sort("at"), select("at", "home", "town")],
        ["at", "home", "town"],
        [
            [1, "p", "Gaya"],
            [2, "p", "Pune"],
            [3, "p", "Gaya"],
            [4, "p", "gaya"],
            [5, "p", "Gaya"],
            [6, "p", "Gaya"],
        ],
    ),
    "a date fills a timestamp with its midnight": case(
        "gaps",
        [
            fill("constant", "when", value="2024-01-31"),
            sort("at"),
            {"type": "limit", "count": 2},
            select("when"),
        ],
        ["when"],
        [["2024-01-31T00:00:00"], ["2024-02-29T10:30:00"]],
        when="timestamp",
    ),
    # drop_blank
    "without columns, any blank cell drops the row": ids("gaps", [{"type": "drop_blank"}], 2, name="at"),
    "a row is only dropped when all of it is blank": case(
        "mostly",
        [select("a", "b", "c", "d"), {"type": "drop_blank", "how": "all"}, sort("b")],
        ["a", "b", "c", "d"],
        [[7, 1, "x", None], [None, 2.5, "", "2024-02-29"]],
    ),
    # coalesce
    "columns of two numeric types give decimals, in the place of the one replaced": case(
        "mostly",
        [
            {
                "type": "coalesce",
                "columns": ["a", "b"],
                "name": "a",
                "default": "-1",
                "replace": True,
            },
            sort("id"),
            select("id", "a"),
        ],
        ["id", "a"],
        [[1, 2.5], [2, 7], [3, -1]],
        a="decimal",
    ),
    "columns of other types give text": case(
        "mostly",
        [
            {"type": "coalesce", "columns": ["c", "d", "b"], "name": "any"},
            sort("id"),
            select("any"),
        ],
        ["any"],
        [["2024-02-29"], ["x"], [None]],
        any="text",
    ),
}  # fmt: skip

REFUSED = {
    "a value that is none of the column's type": (
        "gaps", fill("constant", "town", "size", value="many"), ("value", "bad_value")
    ),
    "a constant without a value": (
        "gaps", fill("constant", "size"), ("value", "missing_field")
    ),
    "a mean of text": (
        "gaps", fill("mean", "size", "town"), ("columns.1", "wrong_type")
    ),
    "a default that is none of the columns' type": (
        "mostly",
        {"type": "coalesce", "columns": ["a", "b"], "name": "x", "default": "none"},
        ("default", "bad_value"),
    ),
    "a new column under a name that exists": (
        "mostly",
        {"type": "coalesce", "columns": ["a", "b"], "name": "c"},
        ("name", "duplicate_column"),
    ),
    "a table's name in a column that another table has": (
        "North",
        {"type": "union", "tables": ["east"], "source_column": "Region"},
        ("source_column", "duplicate_column"),
    ),
    "a table that does not exist": (
        "North", {"type": "union", "tables": ["south", "west"]}, ("tables.1", "unknown_table")
    ),
    "a union with nothing": (
        "North", {"type": "union", "tables": []}, ("tables", "bad_value")
    ),
    "a list of numbers": (
        "gaps", {"type": "unnest", "column": "size"}, ("column", "wrong_type")
    ),
    "a sample without a size": (
        "gaps", {"type": "sample"}, ("count", "missing_field")
    ),
    "a sample of two sizes": (
        "gaps", {"type": "sample", "count": 1, "percent": 1}, ("percent", "bad_value")
    ),
    "more than everything": (
        "gaps", {"type": "sample", "percent": 101}, ("percent", "bad_value")
    ),
    "an order by what cannot be ordered": (
        "gaps", DEDUPE | {"columns": ["at"], "order_by": ["at", "data"]}, ("order_by.1", "wrong_type")
    ),
    "a group by a column that is not there": (
        "gaps", {"type": "top", "count": 1, "order_by": ["at"], "by": ["houses"]}, ("by.0", "unknown_column")
    ),
}  # fmt: skip


@pytest_asyncio.fixture
async def connection(postgres_url: str) -> AsyncIterator[asyncpg.Connection]:
    opened = await asyncpg.connect(postgres_url)
    yield opened
    await opened.close()


@pytest.mark.parametrize("name", CASES)
async def test_our_case_holds(name: str, connection: asyncpg.Connection) -> None:
    assert mismatch(CASES[name], await run(CASES[name], connection)) == ""


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused(name: str) -> None:
    table, step, (field, code) = REFUSED[name]
    recipe = {"steps": [{"type": "source", "table": table}, step]}
    errors = check(recipe, tables_of({"tables": TABLES}), CONTEXT).errors
    assert [(error.step, error.field, error.code) for error in errors] == [(1, field, code)]


def numbered(rows: range, each: int = 1) -> dict[str, Any]:
    content = [[row // each] for row in rows]
    return {
        "tables": {"many": {"columns": {"n": "integer"}, "rows": content}},
        "recipe": {"steps": [{"type": "source", "table": "many"}]},
    }


async def drawn(
    case: dict[str, Any], connection: asyncpg.Connection, **sample: object
) -> list[int]:
    steps = [*case["recipe"]["steps"], {"type": "sample", **sample}]
    outcome = await run(case | {"recipe": {"steps": steps}}, connection)
    return sorted(int(str(row[0])) for row in outcome.rows)


async def test_the_same_seed_draws_the_same_rows_and_another_one_others(
    connection: asyncpg.Connection,
) -> None:
    rows = numbered(range(200))
    once = await drawn(rows, connection, count=20)
    assert len(once) == 20
    assert await drawn(rows, connection, count=20, seed=1) == once
    assert await drawn(rows, connection, percent=10) == once
    assert await drawn(rows, connection, count=20, seed=2) != once


async def test_a_new_row_hardly_changes_a_sample(connection: asyncpg.Connection) -> None:
    before = await drawn(numbered(range(200)), connection, count=20)
    after = await drawn(numbered(range(201)), connection, count=20)
    assert len(set(before) - set(after)) <= 1


async def test_equal_rows_are_drawn_one_by_one(connection: asyncpg.Connection) -> None:
    some = await drawn(numbered(range(200), each=100), connection, count=20)
    assert set(some) == {0, 1}
