"""Casts: what fits and what does not, on a real PostgreSQL; nothing aborts."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from recipe import check, compile_recipe, parse

from .cases import CONTEXT, filled, mismatch, refused, run, tables_of

NASTY = [
    *("", " ", "\u200b", "NaN", "Infinity", "-inf", "1e999", "1e9999", "1e-999", "1_000", "0x1F"),
    *("12.", ".5", ".", "-", "+", "--1", "1-", "1 2", "१२", "9" * 40, "0" * 300, "1,234", "1.2.3"),
    *("today", "now", "epoch", "infinity", "allballs", "20240229", "2024-W09-4", "0000-01-01"),
    *("9999-12-31", "10000-01-01", "2024-02-30", "2024-13-01", "2024-02-29 24:00", "24:00"),
    *("2024-02-29T23:59:60", "2024-02-29T10:00:00+25:00", "9999-12-31T23:00:00-15:00"),
    *("0001-01-01T00:00:00+15:00", "2024-02-29 10:00 Europe/Paris", "J2451187", "tomorrow"),
    *("[" * 9000, '{"a":' * 6000, '"\\u0000"', '"\\ud800"', "{'a': 1}", "{", "null", "true", "on"),
    *("\\", "'", "t", "yes ", "YES", "é", "$1", "%s", "--", "/* */", "31/04/2024", "29/02/23"),
]


def casting(
    kind: str, cells: list[object], target: str, expected: list[object], **rest: object
) -> dict[str, Any]:
    """One column cast, its rows in their order."""
    return {
        "tables": {
            "t": {
                "columns": {"n": "integer", "v": kind},
                "rows": [[number, cell] for number, cell in enumerate(cells)],
            }
        },
        "recipe": {
            "steps": [
                {"type": "source", "table": "t"},
                {"type": "sort", "columns": ["n"]},
                {"type": "cast", "columns": {"v": target}, **rest},
                {"type": "select", "columns": ["v"]},
            ]
        },
        "expect": {
            "columns": ["v"],
            "rows": [[cell] for cell in expected],
            "ordered": True,
            "types": {"v": target},
        },
    }


CASES = {
    "signs, leading zeros and zeros behind the point make an integer": casting(
        "text",
        ["+5", "007", "-12.00", "3.", "12.50", "\u00a012\u200b"],
        "integer",
        [5, 7, -12, 3, None, 12],
    ),
    "an integer may have more digits than a machine's": casting(
        "text",
        ["98765432109876543210", "-98765432109876543210.0"],
        "integer",
        [98765432109876543210, -98765432109876543210],
    ),
    "a decimal may have an exponent": casting(
        "text",
        ["1e3", "2.5E-2", ".5", "5.", "1e", "e5", "1e1000"],
        "decimal",
        [1000, 0.025, 0.5, 5, None, None, None],
    ),
    "groups of digits are as in Europe and as in India, or there are none": casting(
        "text",
        ["1,234,567.5", "12,34,567", "1234", "1,23", "12,3456", ",123", "1,234,"],
        "decimal",
        [1234567.5, 1234567, 1234, None, None, None, None],
        thousands_separator=",",
    ),
    "a space between groups may be one that does not break": casting(
        "text",
        ["1 234,5", "1\u00a0234", "1\u202f234 567"],
        "decimal",
        [1234.5, 1234, 1234567],
        thousands_separator=" ",
        decimal_separator=",",
    ),
    "an integer with groups": casting(
        "text",
        ["1.234", "1.234,0", "1.234,5"],
        "integer",
        [1234, 1234, None],
        thousands_separator=".",
        decimal_separator=",",
    ),
    "a decimal is an integer only if it is whole": casting(
        "decimal", [2.0, 2.5, -3, None], "integer", [2, None, -3, None]
    ),
    "numbers are true and false as 1 and 0 only": casting(
        "integer", [1, 0, 2, None], "boolean", [True, False, None, None]
    ),
    "true and false are 1 and 0 as numbers": casting(
        "boolean", [True, False, None], "integer", [1, 0, None]
    ),
    "words for true and false in any case and with spaces around": casting(
        "text",
        [" Yes", "N", "TRUE", "0", "t", "oui"],
        "boolean",
        [True, False, True, False, None, None],
    ),
    "a date with a time of midnight is a date, another time is none": casting(
        "text",
        ["2024-02-29 00:00:00", "2024-02-29T00:00", "2024-02-29 10:00"],
        "date",
        ["2024-02-29", "2024-02-29", None],
    ),
    "moments with and without a zone, a date alone is midnight": casting(
        "text",
        [
            "2024-02-29",
            "2024-02-29T23:59",
            "2024-02-29 10:00:00.5",
            "2024-02-29T23:30:00-02:00",
            "2024-02-29T10:00:00Z",
            "2024-02-29T24:00:00",
            "2024-02-29T10:00:60",
            "10:00",
        ],
        "timestamp",
        [
            "2024-02-29T00:00:00",
            "2024-02-29T23:59:00",
            "2024-02-29T10:00:00.500000",
            "2024-03-01T01:30:00",
            "2024-02-29T10:00:00",
            None,
            None,
            None,
        ],
    ),
    "a day and a month may have one digit, and names are read in any case": casting(
        "text",
        ["5/1/2024", "05/01/2024", "5/JAN/2024", "31/4/2024", "5-1-2024", "2024-01-05"],
        "date",
        ["2024-01-05", "2024-01-05", None, None, None, None],
        format="dd/mm/yyyy",
    ),
    "months by name, days of the week are not looked at": casting(
        "text",
        ["Thu, 29 February 2024", "mon, 1 march 2024", "Thu, 29 Feb 2024"],
        "date",
        ["2024-02-29", "2024-03-01", None],
        format="DY, DD MONTH YYYY",
    ),
    "two digits of a year are near today, as in spreadsheets": casting(
        "text",
        ["01.02.29", "01.02.30", "01.02.99"],
        "date",
        ["2029-02-01", "1930-02-01", "1999-02-01"],
        format="DD.MM.YY",
    ),
    "digits without signs between them": casting(
        "text",
        ["20240229", "2024229", "20230229"],
        "date",
        ["2024-02-29", None, None],
        format="YYYYMMDD",
    ),
    "digits without signs between them, with letters that mean nothing": casting(
        "text",
        ["20240229T090500", "20240229t235959Z", "20240229T240000"],
        "timestamp",
        ["2024-02-29T09:05:00", None, None],
        format="YYYYMMDDTHH24MISS",
    ),
    "a day beside the name of a month": casting(
        "text",
        ["9Feb24", "29FEB24", "30feb24", "9-Feb24"],
        "date",
        ["2024-02-09", "2024-02-29", None, None],
        format="DDMONYY",
    ),
    "the same sign may stand twice, and more than one sign together": casting(
        "text",
        ["(29).02. 2024", "(29).02.2024"],
        "date",
        ["2024-02-29", None],
        format="(DD).MM. YYYY",
    ),
    "a month alone is its first day": casting(
        "text", ["Feb-2024"], "date", ["2024-02-01"], format="MON-YYYY"
    ),
    "a format with a time": casting(
        "text",
        ["2/29/2024 9:05", "2/29/2024 25:00"],
        "timestamp",
        ["2024-02-29T09:05:00", None],
        format="MM/DD/YYYY HH24:MI",
    ),
    "a scalar of JSON is read as its text, the rest is no number": casting(
        "json",
        [1, "2", "x", [3], {"a": 4}, None, True],
        "integer",
        [1, 2, None, None, None, None, None],
    ),
    "a scalar of JSON becomes its text": casting(
        "json", ["a", 1.5, True, None, [1]], "text", ["a", "1.5", "true", None, "[1]"]
    ),
    "text becomes JSON where it is JSON": casting(
        "text",
        ['{"a": [1]}', "[1,", "abc", '"x"', " "],
        "json",
        [{"a": [1]}, None, None, "x", None],
    ),
    "text stays as it is as text": casting("text", [" a ", ""], "text", [" a ", ""]),
    "a blank cell never fails": casting(
        "text", ["1", None, " ", "\u00a0"], "integer", [1, None, None, None], on_error="fail"
    ),
}


@pytest_asyncio.fixture
async def connection(postgres_url: str) -> AsyncIterator[asyncpg.Connection]:
    opened = await asyncpg.connect(postgres_url)
    yield opened
    await opened.close()


@pytest.mark.parametrize("name", CASES)
async def test_the_cast_holds(name: str, connection: asyncpg.Connection) -> None:
    assert mismatch(CASES[name], await run(CASES[name], connection)) == ""


def readable(cell: str, target: str) -> bool:
    """Whether the test can read the result: Python's JSON knows no number of 10,000 digits."""
    return target != "json" or cell != "1e9999"


TARGETS = ["integer", "decimal", "boolean", "date", "timestamp", "json"]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("format", [None, "DD/MM/YYYY", "YYMMDD"])
async def test_try_cast_aborts_so_ours_does_not(
    target: str, format: str | None, connection: asyncpg.Connection
) -> None:
    rest = {"thousands_separator": ","} if format is None else {"format": format}
    cells: list[object] = [cell for cell in NASTY if readable(cell, target)]
    outcome = await run(casting("text", cells, target, [], **rest), connection)
    assert outcome.problem is None, outcome.message
    assert len(outcome.rows) == len(cells)


@pytest.mark.parametrize("target", TARGETS)
async def test_a_constant_is_not_converted_while_the_plan_is_made(
    target: str, connection: asyncpg.Connection
) -> None:
    names = [f"c{number}" for number in range(len(NASTY))]
    short = [text for text in NASTY if len(text) < 1000 and readable(text, target)]
    steps = [
        {"type": "source", "table": "t"},
        *(
            {"type": "add_column", "name": name, "expression_type": "constant", "value": value}
            for name, value in zip(names, short, strict=False)
        ),
        {"type": "cast", "columns": dict.fromkeys(names[: len(short)], target)},
    ]
    case = {
        "tables": {"t": {"columns": {"id": "integer"}, "rows": [[1]]}},
        "recipe": {"steps": steps},
    }
    outcome = await run(case, connection)
    assert (outcome.problem, len(outcome.rows)) == (None, 1), outcome.message


async def test_a_failing_cast_names_the_values_that_do_not_fit(
    connection: asyncpg.Connection,
) -> None:
    cells: list[object] = ["1", "x", "2.5", "x", None, *(f"y{number}" for number in range(12))]
    case = casting("text", cells, "integer", [], on_error="fail")
    case["recipe"]["steps"][2]["id"] = "ages"
    transaction = connection.transaction()
    await transaction.start()
    await filled(case, connection)
    found = await refused(
        compile_recipe(parse(case["recipe"]), tables_of(case), CONTEXT), connection
    )
    await transaction.rollback()
    assert found is not None
    assert (found.step, found.step_id, found.type) == (2, "ages", "cast")
    assert (found.field, found.code) == ("columns.v", "cast_failed")
    assert found.message.startswith(
        "'v' holds 14 different values that are no whole number: 'x' (2 rows), '2.5' (1 row), 'y0'"
    )
    assert "'y5' (1 row), …" in found.message


@pytest.mark.parametrize(
    ("columns", "rest", "code", "field"),
    [
        ({"n": "date"}, {}, "wrong_type", "columns.n"),
        ({"b": "timestamp", "d": "integer"}, {}, "wrong_type", "columns.b"),
        ({"x": "date"}, {}, "unknown_column", "columns.x"),
        ({"n": "number"}, {}, "bad_value", "columns.n"),
        ({"v": "date"}, {"format": "DD/MM"}, "bad_value", "format"),
        ({"v": "date"}, {"format": "YYYY-MM-MON"}, "bad_value", "format"),
        ({"v": "date"}, {"format": "%d/%m/%Y"}, "bad_value", "format"),
        ({"v": "integer"}, {"thousands_separator": "."}, "bad_value", "thousands_separator"),
        ({"v": "integer"}, {"decimal_separator": "5"}, "bad_value", "decimal_separator"),
        ({"v": "integer"}, {"on_error": "ignore"}, "bad_value", "on_error"),
    ],
)
def test_what_cannot_be_cast_is_told_before_data_is_read(
    columns: dict[str, str], rest: dict[str, object], code: str, field: str
) -> None:
    kinds = {"n": "integer", "b": "boolean", "d": "date", "v": "text"}
    tables = tables_of({"tables": {"t": {"columns": kinds, "rows": []}}})
    steps = [{"type": "source", "table": "t"}, {"type": "cast", "columns": columns, **rest}]
    errors = check({"steps": steps}, tables).errors
    assert (errors[0].step, errors[0].code, errors[0].field) == (1, code, field)
