"""What formulas mean, cell by cell, on PostgreSQL."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from recipe import compile_recipe, parse
from recipe.guard import guard
from recipe.statement import readable_sql

from .cases import CONTEXT, SCHEMA, mismatch, run, tables_of

ROWS: dict[str, Any] = {
    "columns": {
        "id": "integer",
        "t": "text",
        "n": "integer",
        "x": "decimal",
        "d": "date",
        "s": "timestamp",
        "b": "boolean",
        "j": "json",
    },
    "rows": [
        [1, "Asha O'Neil", 7, 2.5, "2024-02-29", "2024-02-29T23:30:00", True, {"a": 1}],
        [2, " b-c--d ", -7, -0.5, "2023-12-31", "2024-01-01T00:00:00", False, None],
        [3, None, None, None, None, None, None, None],
    ],
}

Cells = Sequence[object]

LOGIC: dict[str, Mapping[str, Cells]] = {
    "a condition that cannot be told is not true": {
        '=IF([n] > 0, "yes", "no")': ["yes", "no", "no"],
        "=[n] > 0": [True, False, None],
        "=NOT([n] > 0)": [False, True, None],
        "=AND([n] > 0, FALSE)": [False, False, False],
        "=OR([n] > 0, TRUE)": [True, True, True],
    },
    "without a last value the result is empty": {
        "=IF([b], [n])": [7, None, None],
        '=IFS([n] > 0, "up", [n] < 0, "down")': ["up", "down", None],
        "=SWITCH([n], 7, [x])": [2.5, None, None],
    },
    "an empty text is an empty cell of any type": {
        '=IF([b], [d], "")': ["2024-02-29", None, None],
        '=[n] = ""': [False, False, True],
        '="" = [d]': [False, False, True],
        '=[t] <> ""': [True, True, False],
        '=SWITCH([n], "", 0, 7, 1, 2)': [1, 2, 0],
        '=[j] = ""': [False, True, True],
    },
    "equality is never empty, whatever is compared": {
        "=[n] = [x]": [False, False, True],
        "=[b] = NOT([b])": [False, False, True],
        "=([n] = 7) = [b]": [True, True, False],
        '=([t] = "x") = AND(TRUE, [b])': [False, True, False],
        '=[t] = "asha o\'neil"': [False, False, False],
    },
    "a date beside a timestamp means its whole day": {
        "=[d] = [s]": [True, False, True],
        "=[s] > [d]": [False, True, None],
        '=[s] <= "2024-02-29"': [True, True, None],
        '=[d] <> "2024-02-29"': [False, True, True],
        "=MAX([d], [s])": ["2024-02-29T23:30:00", "2024-01-01T00:00:00", None],
        "=IF([b], [d], [s])": ["2024-02-29T00:00:00", "2024-01-01T00:00:00", None],
    },
    "what is blank is passed over": {
        "=COALESCE(TRIM([t]), TEXT([n]))": ["Asha O'Neil", "b-c--d", None],
        '=COALESCE("  ", [n] & "")': ["7", "-7", None],
        "=COALESCE([n], [x], 0)": [7, -7, 0],
        '=ISBLANK(IF([b], [t], " "))': [False, True, True],
        "=MIN([n], [x])": [2.5, -7, None],
    },
}

NUMBERS: dict[str, Mapping[str, Cells]] = {
    "nothing overflows and no digit is lost": {
        "=2147483647 + 1": [2147483648] * 3,
        "=9223372036854775807 * 9223372036854775807": [85070591730234615847396907784232501249] * 3,
        "=1234567890123456789012345678901234567890 + 1": [1234567890123456789012345678901234567891]
        * 3,
        "=LEN([t]) * 2147483647": [23622320117, 17179869176, None],
        "=10 ^ 999 / 10 ^ 999": [1] * 3,
        "=10 ^ 1001": [None] * 3,
    },
    "what has no result is empty, between constants too": {
        "=1 / 0": [None] * 3,
        "=[n] / ([n] - 7)": [None, 0.5, None],
        "=IF([n] > 0, LOG(-1), SQRT(-1))": [None] * 3,
        "=LOG([n], 1)": [None] * 3,
        "=LOG(8, 2)": [3] * 3,
        "=EXP(100000)": [None] * 3,
        "=(-8) ^ 0.5": [None] * 3,
        "=0 ^ -1": [None] * 3,
        "=5 % 0": [None] * 3,
        "=MOD([x], [n] - 7)": [None, -0.5, None],
    },
    "signs bind as in Excel": {
        "=-[n] ^ 2": [49, 49, None],
        "=2 ^ 3 ^ 2": [64] * 3,
        "=1 - 2 - 3": [-4] * 3,
        "=[x] - ([x] - 1)": [1, 1, None],
        "=8 / (4 / 2)": [4] * 3,
        "=([d] - [d] + 3) * 2": [6, 6, None],
        "=2 * ([d] - DATE(2024, 1, 1))": [118, -2, None],
        "=-([d] - DATE(2024, 1, 1))": [-59, 1, None],
        '=1 & 2 = 12 & ""': [True] * 3,
    },
    "rounding goes half away from zero, to multiples too": {
        "=ROUND([x])": [3, -1, None],
        "=ROUND(1234.5, -2)": [1200] * 3,
        "=ROUND(2.345, [n] - 5)": [2.35, 0, None],
        "=CEILING([n], 5)": [10, -5, None],
        "=FLOOR([n], 5)": [5, -10, None],
        "=CEILING(0.9, 0.3)": [0.9] * 3,
        "=FLOOR([n], 0)": [None] * 3,
    },
}

TEXT: dict[str, Mapping[str, Cells]] = {
    "counts beyond the text take what there is": {
        "=LEFT([t])": ["A", " ", None],
        "=LEFT([t], [n])": ["Asha O'", "", None],
        "=RIGHT([t], 99999999999)": ["Asha O'Neil", " b-c--d ", None],
        "=MID([t], [n], 2)": ["'N", " b", None],
        "=MID([t], 2, 5000000000 * 2)": ["sha O'Neil", "b-c--d ", None],
        "=LEFT([t], 2.9)": ["As", " b", None],
    },
    "parts count from 1": {
        '=SPLITPART(TRIM([t]), "-", 2)': [None, "c", None],
        '=SPLITPART(TRIM([t]), "-", 3)': [None, "", None],
        '=SPLITPART(TRIM([t]), "-", 5)': [None, None, None],
        '=SPLITPART("a b", " ", 0)': [None] * 3,
        '=SPLITPART("7x8", "x", LEN(TEXT([n])))': ["7", "8", None],
        '=FIND("-", [t])': [None, 3, None],
        '=FIND("-", [t], 4)': [None, 5, None],
        '=FIND("", "ab")': [1] * 3,
    },
    "what an empty cell holds, begins or ends with is false": {
        '=CONTAINS([t], "ASHA")': [True, False, False],
        '=STARTSWITH([t], "asha")': [True, False, False],
        '=ENDSWITH([t], "NEIL")': [True, False, False],
        "=CONTAINS([t], LEFT([t], 2))": [True, True, False],
    },
    "text is changed as cells are cleaned": {
        "=PROPER([t])": ["Asha O'Neil", " B-C--D ", None],
        '=TRIM(" a \u00a0 b\u200b")': ["a b"] * 3,
        '=SUBSTITUTE([t], "", "x")': ["Asha O'Neil", " b-c--d ", None],
        '=REGEXREPLACE([t], "(\\w)-+", "<\\1>")': ["Asha O'Neil", " <b><c>d ", None],
        '=REGEXEXTRACT([t], "[b-d]-")': [None, "b-", None],
        '=REGEXEXTRACT([t], "(x)?b")': [None, None, None],
        '=PAD([t], 3, "0")': ["Asha O'Neil", " b-c--d ", None],
        '=PAD("7", 6, "ab", "right")': ["7ababa"] * 3,
        '=PAD("7", 4, "")': ["7"] * 3,
        '="\\ %_$1{x}"': ["\\ %_$1{x}"] * 3,
    },
    "values of all types join to text": {
        '=[n] & "|" & [x] & "|" & [d] & "|" & [b]': [
            "7|2.5|2024-02-29|true",
            "-7|-0.5|2023-12-31|false",
            "|||",
        ],
        "=CONCAT([s])": ["2024-02-29 23:30:00", "2024-01-01 00:00:00", ""],
        "=1.50 & [j]": ['1.5{"a": 1}', "1.5", "1.5"],
        "=TEXT([n] / 2)": ["3.5", "-3.5", None],
    },
    "text that looks like a number or a date is one": {
        '=VALUE(" -1.5e2 ")': [-150] * 3,
        '=VALUE("1_000")': [None] * 3,
        '=VALUE("0x1F")': [None] * 3,
        '=VALUE("NaN")': [None] * 3,
        '=VALUE("1e99999")': [None] * 3,
        "=VALUE(TEXT([x]))": [2.5, -0.5, None],
        '=DATEVALUE(" 2024-02-29 ")': ["2024-02-29"] * 3,
        '=DATEVALUE("2023-02-29")': [None] * 3,
        '=DATEVALUE("20240229")': [None] * 3,
        '=DATEVALUE("today")': [None] * 3,
        "=DATEVALUE(TEXT([d]))": ["2024-02-29", "2023-12-31", None],
    },
}

DATES: dict[str, Mapping[str, Cells]] = {
    "a date that does not exist is empty": {
        "=DATE(2024, 13, 1)": [None] * 3,
        "=DATE(2023, 2, 29)": [None] * 3,
        "=DATE(1900, 2, 29)": [None] * 3,
        "=DATE(2000, 2, 29)": ["2000-02-29"] * 3,
        "=DATE(0, 1, 1)": [None] * 3,
        "=DATE(2024, 99999999999, 1)": [None] * 3,
        "=DATE(2024, [n], 31)": ["2024-07-31", None, None],
        "=DATE(2024, [n] - 1, 99999999999 + [n])": [None] * 3,
    },
    "days, months and years are added, and what lies beyond the calendar is empty": {
        "=[d] + 1": ["2024-03-01", "2024-01-01", None],
        "=[d] + [n] + 1": ["2024-03-08", "2023-12-25", None],
        "=[d] - 1.9": ["2024-02-28", "2023-12-30", None],
        "=[s] + 1": ["2024-03-01T23:30:00", "2024-01-02T00:00:00", None],
        "=[s] - [n]": ["2024-02-22T23:30:00", "2024-01-08T00:00:00", None],
        '=DATEADD([d], 1, "year")': ["2025-02-28", "2024-12-31", None],
        '=DATEADD([d], -1, "Quarter")': ["2023-11-29", "2023-09-30", None],
        '=DATEADD([s], [n], "month")': ["2024-09-29T23:30:00", "2023-06-01T00:00:00", None],
        "=[d] + 99999999999": [None] * 3,
        '=DATEADD([d], 99999999999, "year")': [None] * 3,
        '=DATEADD([s], 99999999999 + [n], "day")': [None] * 3,
        "=EOMONTH(DATE(5874897, 12, 31), 1)": [None] * 3,
        '=FORMATDATE(DATE(5874897, 12, 31), "YYYY")': [None] * 3,
        "=YEAR(DATE(5874897, 12, 31) - 1)": [5874897] * 3,
    },
    "whole units, negative when the end is earlier": {
        '=DATEDIF([d], DATE(2024, 3, 28), "month")': [0, 2, None],
        '=DATEDIF(DATE(2024, 3, 28), [d], "month")': [0, -2, None],
        '=DATEDIF(DATE(2020, 2, 29), [d], "year")': [4, 3, None],
        '=DATEDIF([d], [s], "day")': [0, 1, None],
        '=DATEDIF([s], [d], "day")': [0, -1, None],
        '=DATEDIF([s], [s] + 7, "week")': [1, 1, None],
        '=DATEDIF([s], DATE(2024, 3, 29), "month")': [0, 2, None],
        '=DATEDIF(DATE(2024, 1, 1), [d], "quarter")': [0, 0, None],
        "=AGE(DATE(2000, 3, 18))": [26] * 3,
        "=AGE(DATE(2000, 3, 19))": [25] * 3,
        "=AGE([d], DATE(2020, 1, 1))": [-4, -3, None],
    },
    "now is the run's moment": {
        "=TODAY()": ["2026-03-18"] * 3,
        "=NOW()": ["2026-03-18T12:00:00"] * 3,
        "=TODAY() - [d]": [748, 808, None],
    },
    "parts and names of dates": {
        "=YEAR([s]) * 100 + WEEKNUM([s])": [202409, 202401, None],
        "=QUARTER([d]) & WEEKDAY([d])": ["14", "47", ""],
        "=EOMONTH([s], -1)": ["2024-01-31", "2023-12-31", None],
        '=FORMATDATE([d], "DAY DD MONTH YY (DY, MON)")': [
            "Thursday 29 February 24 (Thu, Feb)",
            "Sunday 31 December 23 (Sun, Dec)",
            None,
        ],
        '=FORMATDATE([s], "HH24:MI ""on"" \\MM TH")': [
            '23:30 "on" \\02 TH',
            '00:00 "on" \\01 TH',
            None,
        ],
    },
}

CASES = LOGIC | NUMBERS | TEXT | DATES


def case(formulas: Mapping[str, Cells]) -> dict[str, Any]:
    names = [f"f{number}" for number in range(len(formulas))]
    steps = [
        {"type": "add_column", "name": name, "expression_type": "formula", "formula": formula}
        for name, formula in zip(names, formulas, strict=True)
    ]
    return {
        "tables": {"p": ROWS},
        "recipe": {
            "steps": [
                {"type": "source", "table": "p"},
                {"type": "sort", "columns": ["id"]},
                *steps,
                {"type": "select", "columns": names},
            ]
        },
        "expect": {
            "columns": names,
            "rows": [list(row) for row in zip(*formulas.values(), strict=True)],
            "ordered": True,
        },
    }


@pytest_asyncio.fixture
async def connection(postgres_url: str) -> AsyncIterator[asyncpg.Connection]:
    opened = await asyncpg.connect(postgres_url)
    yield opened
    await opened.close()


@pytest.mark.parametrize("name", CASES)
async def test_the_formulas_hold(name: str, connection: asyncpg.Connection) -> None:
    asked = case(CASES[name])
    assert mismatch(asked, await run(asked, connection)) == ""
    compiled = compile_recipe(parse(asked["recipe"]), tables_of(asked), CONTEXT)
    guard(compiled.sql, {SCHEMA})
    guard(readable_sql(compiled), {SCHEMA})


def deep(outer: str, inner: str, times: int) -> str:
    for _ in range(times):
        inner = outer.replace("#", inner)
    return inner


LARGE = {
    "a run of four hundred": ("[x]" + " + [n]" * 400, [2802.5, -2800.5, None]),
    "a product of a hundred and fifty": ("1" + " * [b1]" * 150, [1, 1, None]),
    "a join of four hundred": ('""' + " & [n]" * 400, ["7" * 400, "-7" * 400, ""]),
    "thirty powers": (deep("(#) ^ 1", "[n]", 30), [7, -7, None]),
    "thirty remainders": (deep("(#) % 5", "[n]", 30), [2, 3, None]),
    "thirty decisions": (deep("IF(# > 0, 1, -1)", "[n]", 15), [1, -1, -1]),
    "thirty dates": (deep("(#) + 1.5", "[s]", 30), None),
    "text that doubles thirty times": (deep('SUBSTITUTE(#, "b", "bb")', "[t]", 31), None),
}


@pytest.mark.parametrize("name", LARGE)
async def test_large_formulas_compile_pass_the_guard_and_run(
    name: str, connection: asyncpg.Connection
) -> None:
    formula, cells = LARGE[name]
    asked = case({formula.replace("[b1]", 'IF([n] <> "", 1)'): cells or [None] * 3})
    outcome = await run(asked, connection)
    assert outcome.problem is None, outcome.message
    if cells is not None:
        assert mismatch(asked, outcome) == ""
    compiled = compile_recipe(parse(asked["recipe"]), tables_of(asked), CONTEXT)
    guard(compiled.sql, {SCHEMA})
    guard(readable_sql(compiled), {SCHEMA})


async def test_a_formula_replaces_the_column_it_reads(connection: asyncpg.Connection) -> None:
    steps = [
        {
            "type": "add_column",
            "name": "n",
            "expression_type": "formula",
            "formula": "=MOD([n], 4) ^ [n]",
            "replace": True,
        },
        {"type": "select", "columns": ["id", "n"]},
    ]
    asked: dict[str, Any] = {
        "tables": {"p": ROWS},
        "recipe": {"steps": [{"type": "source", "table": "p"}, *steps]},
        "expect": {
            "columns": ["id", "n"],
            "rows": [[1, 3**7], [2, 1], [3, None]],
            "ordered": False,
            "types": {"n": "decimal"},
        },
    }
    assert mismatch(asked, await run(asked, connection)) == ""
