"""Cases of our own for the steps that change a table's shape, on a real PostgreSQL."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from .cases import mismatch, run

GIFTS = {
    "columns": {
        "id": "integer",
        "donor": "text",
        "amount": "decimal",
        "whole": "integer",
        "paid": "date",
        "seen": "timestamp",
        "ok": "boolean",
        "extra": "json",
    },
    "rows": [
        [1, "asha", 10, 3, "2024-01-31", "2024-01-31T10:00:00", True, [1]],
        [2, "Bo", 2.5, None, "2024-01-31", "2024-01-31T23:59:00", False, None],
        [3, "bo", None, 3, None, None, None, {"a": 1}],
        [4, " ", 2.5, 10, "2023-12-31", "2023-12-31T00:00:00", None, "x"],
        [5, None, -5, 2, "2024-02-01", "2024-02-01T00:00:00", False, 7],
    ],
}


def case(
    steps: list[dict[str, Any]],
    columns: list[str],
    rows: list[list[object]],
    table: dict[str, Any] = GIFTS,
    *,
    ordered: bool = False,
    types: dict[str, str] | None = None,
) -> dict[str, Any]:
    return {
        "tables": {"gifts": table},
        "recipe": {"steps": [{"type": "source", "table": "gifts"}, *steps]},
        "expect": {"columns": columns, "rows": rows, "ordered": ordered, "types": types or {}},
    }


def refused(
    step: dict[str, Any], code: str, table: dict[str, Any] = GIFTS, at: int = 1
) -> dict[str, Any]:
    return {
        "tables": {"gifts": table},
        "recipe": {"steps": [{"type": "source", "table": "gifts"}, step]},
        "expect": {"error": {"step": at, "code": code}},
    }


def table(rows: list[list[object]], **columns: str) -> dict[str, Any]:
    return {"columns": columns, "rows": rows}


def group(*aggregates: dict[str, Any], by: list[Any] | None = None, **rest: Any) -> dict[str, Any]:
    listed = [{"alias": f"a{index}", **each} for index, each in enumerate(aggregates)]
    return {"type": "group", "by": by or [], "aggregates": listed, **rest}


def of(function: str, column: str | None = None, **rest: Any) -> dict[str, Any]:
    return {"function": function, **({"column": column} if column else {}), **rest}


def window(function: str, column: str | None = None, **rest: Any) -> dict[str, Any]:
    given = {"name": "w", "function": function, **rest}
    return {"type": "window", **given, **({"column": column} if column else {})}


def pivot(names_from: str, function: str = "count", **rest: Any) -> dict[str, Any]:
    given = {"index": [], "values_from": "id"} | rest
    return {"type": "pivot", "names_from": names_from, "function": function, **given}


def unpivot(*columns: str, ids: tuple[str, ...] = ("id",)) -> dict[str, Any]:
    return {
        "type": "unpivot",
        "id_columns": list(ids),
        "value_columns": list(columns),
        "name_to": "k",
        "value_to": "v",
    }


def keep(*columns: str) -> dict[str, Any]:
    return {"type": "select", "columns": list(columns)}


DESC_PAID = {"column": "paid", "descending": True}
MANY = table([[n, f"v{n}"] for n in range(200)], id="integer", name="text")
TOO_MANY = table([[n, f"v{n}"] for n in range(201)], id="integer", name="text")
WIDE = table([[1, *range(150)]], id="integer", **{f"q{n}": "integer" for n in range(150)})
TIES = table(
    [[1, 1, "x", None], [1, 1, "y", 5], [1, None, "z", 9], [1, 0, "w", 1]],
    g="integer",
    o="integer",
    t="text",
    v="integer",
)

GROUPS = {
    "trap: Ibis refuses to group by nothing, a recipe gives one row": case(
        [group(of("count_rows"), of("sum", "amount"))], ["a0", "a1"], [[5, 10]]
    ),
    "one row of nothing can still be taken out by having": case(
        [group(of("count_rows"), having={"column": "a0", "operator": "less_than", "value": 5})],
        ["a0"],
        [],
    ),
    "any, all, spread and joined texts of nothing are null, counts are 0": case(
        [
            {"type": "filter", "column": "id", "operator": "greater_than", "value": 9},
            group(
                *(of(f, "ok") for f in ("any", "all", "percent_true", "mode", "count_blank")),
                *(of(f, "amount") for f in ("stddev", "variance", "median", "count_distinct")),
                of("concat", "donor"),
                of("first", "extra"),
            ),
        ],
        [f"a{n}" for n in range(11)],
        [[None, None, None, None, 0, None, None, None, 0, None, None]],
    ),
    "the spread of one value is null": case(
        [
            group(of("stddev", "amount"), of("variance", "amount"), by=["id"]),
            {"type": "filter", "column": "id", "operator": "equals", "value": 1},
        ],
        ["id", "a0", "a1"],
        [[1, None, None]],
    ),
    "any and all leave nulls out": case(
        [group(of("any", "ok"), of("all", "ok"), of("percent_true", "ok"))],
        ["a0", "a1", "a2"],
        [[True, False, 100 / 3]],
    ),
    "texts are compared ignoring case, then by code point": case(
        [group(of("min", "donor"), of("max", "donor"), of("mode", "donor"))],
        ["a0", "a1", "a2"],
        [[" ", "bo", " "]],
    ),
    "joined values skip blanks, write numbers plainly and stand in their own order": case(
        [
            group(
                of("concat", "donor"),
                of("concat", "amount", separator="|"),
                of("concat_distinct", "amount", separator="|"),
                of("concat", "paid", where={"column": "ok", "operator": "is_false"}),
            )
        ],
        ["a0", "a1", "a2", "a3"],
        [["asha, Bo, bo", "-5|2.5|2.5|10", "-5|2.5|10", "2024-01-31, 2024-02-01"]],
    ),
    "joined values follow order_by, different ones their first place in it": case(
        [
            group(
                of("concat", "whole", order_by=[{"column": "id", "descending": True}]),
                of("concat_distinct", "whole", order_by=[{"column": "id", "descending": True}]),
                of(
                    "concat_distinct",
                    "whole",
                    order_by=["id"],
                    where={"column": "id", "operator": "greater_than", "value": 1},
                ),
            )
        ],
        ["a0", "a1", "a2"],
        [["2, 10, 3, 3", "2, 10, 3", "3, 10, 2"]],
    ),
    "different joined values follow order_by within each group": case(
        [
            group(
                of("concat_distinct", "whole", order_by=["amount"]),
                by=[{"column": "paid", "part": "year"}],
            )
        ],
        ["paid_year", "a0"],
        [[2024, "2, 3"], [2023, "10"], [None, "3"]],
    ),
    "a null in the order of first and last never wins, in either direction": case(
        [
            group(
                of("first", "id", order_by=["paid"]),
                of("last", "id", order_by=["paid"]),
                of("first", "id", order_by=[DESC_PAID | {"nulls": "first"}]),
                of("last", "id", order_by=[DESC_PAID]),
            )
        ],
        ["a0", "a1", "a2", "a3"],
        [[4, 5, 5, 4]],
    ),
    "where the order ties, all first cells are of one row": case(
        [
            group(
                *(of("first", c, order_by=["o"]) for c in ("t", "v")),
                *(of("last", c, order_by=["o"]) for c in ("t", "v")),
                *(of("first", c, order_by=[{"column": "o", "descending": True}]) for c in "tv"),
                by=["g"],
            )
        ],
        ["g", *(f"a{n}" for n in range(6))],
        [[1, "w", 1, "y", 5, "x", None]],
        TIES,
    ),
    "first and last follow the sort before when no order is named": case(
        [
            {"type": "sort", "columns": [{"column": "amount", "descending": True}]},
            group(of("first", "id"), of("last", "id")),
        ],
        ["a0", "a1"],
        [[1, 5]],
    ),
    "groups by parts of a date": case(
        [
            group(
                of("count_rows"),
                by=[{"column": "paid", "part": "weekday"}, {"column": "seen", "part": "hour"}],
            )
        ],
        ["paid_weekday", "seen_hour", "a0"],
        [[3, 10, 1], [3, 23, 1], [None, None, 1], [7, 0, 1], [4, 0, 1]],
    ),
    "a percentile of integers is a decimal": case(
        [group(of("percentile", "whole", p=0.9), of("median", "whole"))],
        ["a0", "a1"],
        [[7.9, 3]],
        types={"a0": "decimal", "a1": "decimal"},
    ),
    "a date alone has no hours": refused(
        group(of("count"), by=[{"column": "paid", "part": "hour"}]), "wrong_type"
    ),
    "a sum of text is refused": refused(group(of("sum", "donor")), "wrong_type"),
    "a percentile without p is refused": refused(group(of("percentile", "id")), "missing_field"),
    "a percentile beyond 1 is refused": refused(group(of("percentile", "id", p=90)), "bad_value"),
    "a function that does not exist is refused": refused(
        group(of("total", "id")), "unknown_function"
    ),
    "two results of one name are refused": refused(
        group(of("count", alias="n"), of("sum", "id", alias="n")), "duplicate_column"
    ),
    "having sees the groups only": refused(
        group(of("count"), having={"column": "donor", "operator": "is_null"}), "unknown_column"
    ),
}

WINDOWS = {
    "ranks follow the order, ties included, nulls last": case(
        [
            window("rank", order_by=["amount"]),
            window("dense_rank", order_by=["amount"], name="d"),
            window("row_number", order_by=["amount"], name="n"),
            keep("id", "w", "d", "n"),
        ],
        ["id", "w", "d", "n"],
        [[5, 1, 1, 1], [2, 2, 2, 2], [4, 2, 2, 3], [1, 4, 3, 4], [3, 5, 4, 5]],
    ),
    "without an order rows are numbered as the sort before left them": case(
        [
            {"type": "sort", "columns": [{"column": "id", "descending": True}]},
            window("row_number"),
            keep("id", "w"),
        ],
        ["id", "w"],
        [[5, 1], [4, 2], [3, 3], [2, 4], [1, 5]],
        ordered=True,
    ),
    "a sum with an order takes the rows that tie along, a running sum goes row by row": case(
        [
            window("sum", "whole", order_by=["amount"]),
            window("running_sum", "whole", order_by=["amount"], name="r"),
            window("running_avg", "whole", order_by=["amount"], name="a"),
            keep("id", "w", "r", "a"),
        ],
        ["id", "w", "r", "a"],
        [[5, 2, 2, 2], [2, 12, 2, 2], [4, 12, 12, 6], [1, 15, 15, 5], [3, 18, 18, 4.5]],
    ),
    "counts without a column count rows": case(
        [
            window("count"),
            window("running_count", order_by=["id"], name="r"),
            window("running_count", "amount", order_by=["id"], name="c"),
            keep("id", "w", "r", "c"),
        ],
        ["id", "w", "r", "c"],
        [[1, 5, 1, 1], [2, 5, 2, 2], [3, 5, 3, 2], [4, 5, 4, 3], [5, 5, 5, 4]],
    ),
    "trap: last with its nulls; a null cell counts, a null in the order does not win": case(
        [window("last", "v", order_by=["o"]), window("first", "t", order_by=["o"], name="f")],
        ["g", "o", "t", "v", "w", "f"],
        [
            [1, 1, "x", None, 5, "w"],
            [1, 1, "y", 5, 5, "w"],
            [1, None, "z", 9, 5, "w"],
            [1, 0, "w", 1, 5, "w"],
        ],
        TIES,
    ),
    "trap: the last cell is null where the last row's cell is": case(
        [window("last", "v", order_by=["o"]), keep("w")],
        ["w"],
        [[None], [None]],
        table([[1, 5], [2, None]], o="integer", v="integer"),
    ),
    "the smallest text of a group ignores case": case(
        [
            window("min", "donor", by=["paid"]),
            window("max", "donor", order_by=["id"], name="m"),
            keep("id", "w", "m"),
        ],
        ["id", "w", "m"],
        [[1, "asha", "asha"], [2, "asha", "Bo"], [3, "bo", "bo"], [4, " ", "bo"], [5, None, "bo"]],
    ),
    "cells of every type can be moved": case(
        [
            window("lag", "extra", order_by=["id"]),
            window("lead", "ok", order_by=["id"], offset=3, name="l"),
            keep("id", "w", "l"),
        ],
        ["id", "w", "l"],
        [
            [1, None, None],
            [2, [1], False],
            [3, None, None],
            [4, {"a": 1}, None],
            [5, "x", None],
        ],
        types={"w": "json", "l": "boolean"},
    ),
    "a share of nothing is null, never an error": case(
        [window("percent_of_total", "v"), keep("w")],
        ["w"],
        [[None], [None]],
        table([[1], [-1]], v="integer"),
    ),
    "a column can be replaced in its place": case(
        [window("row_number", name="o", order_by=["v"], replace=True)],
        ["g", "o", "t", "v"],
        [[1, 4, "x", None], [1, 2, "y", 5], [1, 3, "z", 9], [1, 1, "w", 1]],
        TIES,
    ),
    "sums of large integers are not wrapped": case(
        [window("running_sum", "v", order_by=["v"]), keep("w")],
        ["w"],
        [[9223372036854775807], [18446744073709551614]],
        table([[9223372036854775807], [9223372036854775807]], v="integer"),
        types={"w": "integer"},
    ),
    "an existing name is refused": refused(window("row_number", name="id"), "duplicate_column"),
    "a rank needs what it ranks by": refused(window("rank"), "missing_field"),
    "a moving average needs its rows": refused(window("moving_avg", "id"), "missing_field"),
    "buckets are needed": refused(window("ntile"), "missing_field"),
    "no rows to look back over are refused": refused(
        window("moving_avg", "id", rows=0), "bad_value"
    ),
    "a sum of a date is refused": refused(window("running_sum", "paid"), "wrong_type"),
    "an unknown group is refused": refused(window("row_number", by=["x"]), "unknown_column"),
    "an unknown window function is refused": refused(window("nth", "id"), "unknown_function"),
}

PIVOTS = {
    "numbers name columns in their own order": case(
        [pivot("whole")], ["2", "3", "10", "(blank)"], [[1, 2, 1, 1]]
    ),
    "decimals name columns plainly": case(
        [pivot("amount", "sum")], ["-5", "2.5", "10", "(blank)"], [[5, 6, 1, 3]]
    ),
    "days and truths name columns": case(
        [pivot("paid", index=["ok"]), {"type": "rename", "columns": {"2024-01-31": "last day"}}],
        ["ok", "2023-12-31", "last day", "2024-02-01", "(blank)"],
        [[True, 0, 1, 0, 0], [False, 0, 1, 1, 0], [None, 1, 0, 0, 1]],
    ),
    "moments name columns": case(
        [pivot("seen"), keep("2024-01-31 23:59:00", "(blank)")],
        ["2024-01-31 23:59:00", "(blank)"],
        [[1, 1]],
    ),
    "texts in ascending order ignoring case, every blank one under (blank)": case(
        [pivot("donor", "count_rows")], ["asha", "Bo", "bo", "(blank)"], [[1, 1, 1, 2]]
    ),
    "a cell that says (blank) shares the column of the blank ones": case(
        [pivot("t", values_from="v", function="sum")],
        ["a", "(blank)"],
        [[1, 14]],
        table([["a", 1], ["(blank)", 2], [None, 4], ["", 8]], t="text", v="integer"),
    ),
    "names can be written as numbers, and null for the blank ones": case(
        [pivot("whole", names=[10, "3", None, 4])], ["10", "3", "(blank)", "4"], [[1, 2, 1, 0]]
    ),
    "a day among explicit names means the whole day": case(
        [pivot("seen", names=["2024-01-31"])], ["2024-01-31"], [[2]]
    ),
    "the last cell of each value follows the sort before": case(
        [
            {"type": "sort", "columns": ["id"]},
            pivot("ok", "last", values_from="donor"),
        ],
        ["false", "true", "(blank)"],
        [[None, "asha", " "]],
    ),
    "a later pivot takes its names from an earlier one's columns": case(
        [
            pivot("ok", index=["whole"]),
            pivot("false", index=["true"], values_from="whole"),
        ],
        ["true", "0", "1"],
        [[1, 1, 0], [0, 1, 1]],
    ),
    "names are read after the steps before": case(
        [
            {"type": "filter", "column": "id", "operator": "less_than", "value": 3},
            pivot("donor"),
        ],
        ["asha", "Bo"],
        [[1, 1]],
    ),
    "two hundred names are not too many": case(
        [pivot("name"), keep("v0", "v99", "v199")], ["v0", "v99", "v199"], [[1, 1, 1]], MANY
    ),
    "an index without any value has no further columns": case(
        [pivot("t", index=["v"])], ["v"], [], table([], t="text", v="integer", id="integer")
    ),
    "two hundred and one are": refused(pivot("name"), "too_many_values", TOO_MANY),
    "a value of a page cannot name a column": refused(
        pivot("t", values_from="t"), "bad_value", table([["x" * 201]], t="text")
    ),
    "nothing at all is no table": refused(
        pivot("t", values_from="t"), "bad_value", table([], t="text")
    ),
    "a value named as the index is refused": refused(
        pivot("t", index=["k"]),
        "duplicate_column",
        table([["k", 1, 1]], t="text", k="integer", id="integer"),
    ),
    "a name that the column cannot hold is refused": refused(
        pivot("whole", names=["three"]), "bad_value"
    ),
    "a name that is no single value is refused": refused(
        pivot("donor", names=[["a"]]), "bad_value"
    ),
    "json names no columns": refused(pivot("extra"), "wrong_type"),
    "what a function does not take is refused": refused(
        pivot("donor", "sum", values_from="ok"), "wrong_type"
    ),
    "a sum needs what it sums": refused(pivot("donor", "sum", values_from=None), "missing_field"),
    "a percentile is no function of a pivot": refused(
        pivot("donor", "percentile"), "unknown_function"
    ),
}

UNPIVOTS = {
    "trap: pivot_longer fails on nulls, here they are rows like any other": case(
        [unpivot("a", "b")],
        ["id", "k", "v"],
        [[1, "a", None], [1, "b", None]],
        table([[1, None, None]], id="integer", a="text", b="text"),
    ),
    "whole numbers beside decimals become decimals": case(
        [unpivot("whole", "amount"), {"type": "limit", "count": 2}],
        ["id", "k", "v"],
        [[1, "amount", 10], [1, "whole", 3]],
        types={"v": "decimal"},
    ),
    "dates beside times become times": case(
        [unpivot("paid", "seen"), {"type": "limit", "count": 2}],
        ["id", "k", "v"],
        [[1, "paid", "2024-01-31T00:00:00"], [1, "seen", "2024-01-31T10:00:00"]],
        types={"v": "timestamp"},
    ),
    "other types become text": case(
        [unpivot("paid", "ok", "extra"), {"type": "limit", "count": 6}],
        ["id", "k", "v"],
        [
            [1, "extra", "[1]"],
            [1, "ok", "true"],
            [1, "paid", "2024-01-31"],
            [2, "extra", None],
            [2, "ok", "false"],
            [2, "paid", "2024-01-31"],
        ],
        types={"v": "text"},
    ),
    "cells of json stay json": case(
        [
            unpivot("extra"),
            {"type": "filter", "column": "id", "operator": "equals", "value": 3},
        ],
        ["id", "k", "v"],
        [[3, "extra", {"a": 1}]],
        types={"v": "json"},
    ),
    "the sort before stays": case(
        [
            {"type": "sort", "columns": [{"column": "id", "descending": True}]},
            unpivot("donor", ids=()),
        ],
        ["k", "v"],
        [["donor", value] for value in (None, " ", "bo", "Bo", "asha")],
        ordered=True,
    ),
    "many columns are one query": case(
        [unpivot(*(f"q{n}" for n in range(150))), group(of("sum", "v"), of("count_rows"))],
        ["a0", "a1"],
        [[150 * 149 // 2, 150]],
        WIDE,
    ),
    "a name that an id column has is refused": refused(
        unpivot("amount") | {"name_to": "id"}, "duplicate_column"
    ),
    "one name for both is refused": refused(
        unpivot("amount") | {"name_to": "v"}, "duplicate_column"
    ),
    "nothing to turn is refused": refused(unpivot(), "bad_value"),
}

CASES = GROUPS | WINDOWS | PIVOTS | UNPIVOTS


@pytest_asyncio.fixture
async def connection(postgres_url: str) -> AsyncIterator[asyncpg.Connection]:
    opened = await asyncpg.connect(postgres_url)
    yield opened
    await opened.close()


@pytest.mark.parametrize("name", CASES)
async def test_the_shape_is_as_people_expect(name: str, connection: asyncpg.Connection) -> None:
    assert mismatch(CASES[name], await run(CASES[name], connection)) == ""
