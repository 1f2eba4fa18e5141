"""Cases of our own for filters and joins: operators on every kind of cell, keys of every kind."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from recipe import check
from recipe.predicate import ALONE, TAKES, Operator

from .cases import CONTEXT, mismatch, run, tables_of

PEOPLE = {
    "columns": {
        "id": "integer",
        "name": "text",
        "other": "text",
        "age": "integer",
        "born": "date",
        "seen": "timestamp",
        "member": "boolean",
        "picks": "text",
        "codes": "json",
    },
    "rows": [
        [
            1,
            "Asha",
            "asha",
            30,
            "2024-02-29",
            "2024-02-29T23:59:59",
            True,
            "tap well",
            ["1", "tap"],
        ],
        [2, "bo (2)", "BO", 5, "2024-03-01", "2024-03-01T00:00:00", False, "taps", [1, 2]],
        [3, "\u200b ", "x", 0, "2023-12-31", "2023-12-31T12:00:00", None, " ", []],
        [4, None, None, None, None, None, None, None, None],
        [5, "", "", -1, "2026-03-18", "2026-03-18T12:00:00", False, "well\ttap", {"1": "tap"}],
        [6, "ASHA", None, 2**62, "2026-03-16", "2026-03-15T23:59:59", True, "01", ["01"]],
    ],
}

KEYS = {
    "columns": {
        "id": "integer",
        "code": "text",
        "share": "decimal",
        "day": "date",
        "key": "integer",
    },
    "rows": [
        [1, "1", 1, "2024-02-29", 10],
        [2, " ", 2.5, None, 20],
        [None, None, None, None, 30],
        [7, "x7", 7, "2024-01-31", 40],
    ],
}

TABLES = {"people": PEOPLE, "Keys": KEYS}

Steps = list[dict[str, Any]]


def case(steps: Steps, columns: list[str], rows: list[list[Any]], **types: str) -> dict[str, Any]:
    return {
        "tables": TABLES,
        "recipe": {"steps": [{"type": "source", "table": "people"}, *steps]},
        "expect": {"columns": columns, "rows": rows, "ordered": True, "types": types},
    }


def rows_of(number: str) -> list[list[int]]:
    return [[int(digit)] for digit in number]


def kept(*conditions: dict[str, Any], ids: str) -> dict[str, Any]:
    """Rows by their ids, written one after the other."""
    filters: Steps = [{"type": "filter", **condition} for condition in conditions]
    steps = [*filters, {"type": "sort", "columns": ["id"]}, {"type": "select", "columns": ["id"]}]
    return case(steps, ["id"], rows_of(ids))


def compare(column: str, operator: str, value: object = None, **rest: object) -> dict[str, Any]:
    given = {} if value is None else {"value": value}
    return {"column": column, "operator": operator, **given, **rest}


def joined(steps: Steps, columns: list[str], rows: list[list[Any]], **types: str) -> dict[str, Any]:
    """The other way about: from the keys to the people."""
    made = case(steps, columns, rows, **types)
    made["recipe"]["steps"][0] = {"type": "source", "table": "Keys"}
    return made


def join(left: object, right: object, kind: str = "left", **rest: object) -> dict[str, Any]:
    keys = {} if left is None else {"left_on": left, "right_on": right}
    return {"type": "join", "with": "people", "join_type": kind, "prefix": "", **keys, **rest}


def select(*columns: str) -> dict[str, Any]:
    return {"type": "select", "columns": list(columns)}


BY_KEY: dict[str, Any] = {"type": "sort", "columns": ["key", "id"]}

CASES = {
    # text
    "equals minds case unless told otherwise": kept(compare("name", "equals", "Asha"), ids="1"),
    "equals ignores case when told to": kept(
        compare("name", "equals", "ASHa", case_sensitive=False), ids="16"
    ),
    "in ignores case when told to, a blank in it is any blank": kept(
        compare("name", "in", ["asha", ""], case_sensitive=False), ids="13456"
    ),
    "contains takes its text literally and ignores case": kept(
        compare("name", "contains", "O (2"), ids="2"
    ),
    "starts_with minds case when told to": kept(
        compare("name", "starts_with", "as", case_sensitive=False),
        compare("name", "ends_with", "HA", case_sensitive=True),
        ids="6",
    ),
    "a pattern is searched for, and minds case": kept(compare("name", "matches", "^[a-z]"), ids="2"),
    "a pattern with options of its own can ignore case too": kept(
        compare("name", "matches", r"(?x) ^ a s ", case_sensitive=False), ids="16"
    ),
    "a pattern of PostgreSQL's own kind is one": kept(
        compare("name", "matches", r"\m[[:alpha:]]{2}\M"), ids="2"
    ),
    "compared with a column, equals is null-safe and ignores case when told to": kept(
        compare("name", "equals", other_column="other", case_sensitive=False), ids="145"
    ),
    "compared with a column, contains finds its text": kept(
        compare("name", "contains", other_column="other"), ids="125"
    ),
    # numbers, booleans
    "a number is read from text, however large": kept(
        compare("age", "equals", str(2**62)), ids="6"
    ),
    "an empty list of values has none": kept(compare("age", "in", []), ids=""),
    "nothing in an empty list is everything": kept(compare("age", "not_in", []), ids="123456"),
    "a boolean is read from words": kept(compare("member", "not_equals", "yes"), ids="2345"),
    "is_false is not the same as not true": kept(compare("member", "is_false"), ids="25"),
    # time
    "between two days takes all of the last": kept(
        compare("seen", "between", ["2024-02-29", "2024-02-29"]), ids="1"
    ),
    "not between two days keeps what has no day": kept(
        compare("seen", "not_between", ["2024-01-01", "2024-03-01"]), ids="3456"
    ),
    "a day and a moment can bound a span": kept(
        compare("seen", "between", ["2024-02-29", "2024-03-01T00:00:00"]), ids="12"
    ),
    "after a day is from the next one on": kept(
        compare("seen", "greater_than", "2024-02-29"), compare("seen", "less_than", "2026-03-15"), ids="2"
    ),
    "this week began on Monday": kept(
        compare("born", "in_last", {"count": 1, "unit": "week"}), ids="56"
    ),
    "the last two weeks are this one and the one before": kept(
        compare("seen", "in_last", {"count": 2, "unit": "week"}), ids="56"
    ),
    "the next day is today, to its end": kept(
        compare("seen", "in_next", {"count": 1, "unit": "day"}), ids="5"
    ),
    "a day beside a moment is the whole day": kept(
        compare("born", "equals", other_column="seen"), ids="12345"
    ),
    # choices
    "a choice is a whole word between any white space": kept(compare("picks", "has", "tap"), ids="15"),
    "any of the choices": kept(compare("picks", "has_any", ["taps", "01"]), ids="26"),
    "all of the choices": kept(compare("picks", "has_all", ["tap", "well"]), ids="15"),
    "no choice is had by nobody": kept(compare("picks", "has_all", []), ids=""),
    "a code is found as text and as a number": kept(compare("codes", "has", 1), ids="12"),
    "a code with a zero before it is no number": kept(compare("codes", "has", "01"), ids="6"),
    # together
    "nothing is denied by removing what cannot be said": kept(
        {"where": {"not": compare("age", "greater_than", 1)}, "mode": "remove"}, ids="126"
    ),
    "all of nothing holds, any of nothing does not": kept(
        {"where": {"any": [{"all": []}, {"any": []}]}}, ids="123456"
    ),
    # joins
    "keys of other types meet as text, and an outer join keeps both sides' keys": joined(
        [join("code", "id", "outer", columns=["name"]), BY_KEY, select("key", "code", "name")],
        ["key", "code", "name"],
        [
            [10, "1", "Asha"],
            [20, " ", None],
            [30, None, None],
            [40, "x7", None],
            [None, "2", "bo (2)"],
            [None, "3", "\u200b "],
            [None, "4", None],
            [None, "5", ""],
            [None, "6", "ASHA"],
        ],
    ),
    "a number that is filled from a text key becomes text": case(
        [
            {"type": "join", "with": "keys", "left_on": "id", "right_on": "code",
             "join_type": "right", "columns": ["key"]},
            {"type": "sort", "columns": ["Keys_key"]},
            select("id", "Keys_key"),
        ],
        ["id", "Keys_key"],
        [["1", 10], [" ", 20], [None, 30], ["x7", 40]],
        id="text",
    ),
    "a whole number that is filled from a decimal becomes one": case(
        [
            {"type": "join", "with": "keys", "left_on": "id", "right_on": "share",
             "join_type": "right", "columns": ["key"]},
            {"type": "sort", "columns": ["Keys_key"]},
            select("id"),
        ],
        ["id"],
        [[1], [2.5], [None], [7]],
        id="decimal",
    ),
    "several keys must all be equal": joined(
        [join(["id", "day"], ["id", "born"], "inner", columns=["name"]), select("id", "name")],
        ["id", "name"],
        [[1, "Asha"]],
    ),
    "a row with a partner is kept once, and only its own columns": joined(
        [join("id", "id", "semi"), BY_KEY, select("key")], ["key"], [[10], [20]]
    ),
    "a row whose key is blank has no partner": joined(
        [join("id", "id", "anti"), BY_KEY, select("key")], ["key"], [[30], [40]]
    ),
    "cross pairs every row with every one": joined(
        [
            join(None, None, "cross", columns=["age"]),
            {"type": "group", "by": [], "aggregates": [{"function": "count", "alias": "n"}]},
        ],
        ["n"],
        [[24]],
    ),
    "no column need be brought": joined(
        [join("id", "id", columns=[]), BY_KEY, select("key")], ["key"], [[10], [20], [30], [40]]
    ),
    "rows stay sorted by a column that a join fills": joined(
        [
            {"type": "sort", "columns": [{"column": "id", "descending": True}]},
            join("id", "id", "outer", columns=["born"]),
            {"type": "filter", "column": "key", "operator": "is_not_null"},
            select("key"),
        ],
        ["key"],
        [[40], [20], [10], [30]],
    ),
}  # fmt: skip

VALUES: dict[str, object] = {
    "text": "a",
    "integer": 1,
    "decimal": 1,
    "date": "2024-02-29",
    "timestamp": "2024-02-29",
    "boolean": True,
    "json": "tap",
}

OPPOSITES: list[tuple[Operator, Operator]] = [
    ("equals", "not_equals"),
    ("in", "not_in"),
    ("between", "not_between"),
    ("contains", "not_contains"),
    ("matches", "not_matches"),
    ("is_null", "is_not_null"),
    ("is_blank", "is_not_blank"),
]


def given(operator: Operator, type: str) -> dict[str, Any]:
    if operator in ALONE:
        return {}
    value = VALUES[type]
    if operator in {"in", "not_in", "has_any", "has_all"}:
        return {"value": [value]}
    if operator in {"between", "not_between"}:
        return {"value": [value, value]}
    if operator in {"in_last", "in_next"}:
        return {"value": {"count": 3, "unit": "quarter"}}
    return {"value": value}


@pytest_asyncio.fixture
async def connection(postgres_url: str) -> AsyncIterator[asyncpg.Connection]:
    opened = await asyncpg.connect(postgres_url)
    yield opened
    await opened.close()


@pytest.mark.parametrize("name", CASES)
async def test_our_case_holds(name: str, connection: asyncpg.Connection) -> None:
    assert mismatch(CASES[name], await run(CASES[name], connection)) == ""


async def held_by(
    conditions: list[dict[str, Any]], connection: asyncpg.Connection
) -> list[set[object]]:
    """The ids of the rows for which each of the conditions holds, read together."""
    names = [f"c{number}" for number in range(len(conditions))]
    steps: Steps = [
        {
            "type": "categorize",
            "new_column": name,
            "source_column": "id",
            "rules": [{"where": condition, "category": "holds"}],
        }
        for name, condition in zip(names, conditions, strict=True)
    ]
    outcome = await run(case([*steps, select("id", *names)], [], []), connection)
    assert outcome.problem is None, outcome.message
    return [
        {row[0] for row in outcome.rows if row[place] == "holds"}
        for place in range(1, len(names) + 1)
    ]


def on_each_column(operator: Operator, also: Operator | None = None) -> list[dict[str, Any]]:
    """The operator on every column that it takes; with `also`, each followed by the other one."""
    return [
        {"column": column, "operator": each, **given(operator, kind)}
        for column, kind in PEOPLE["columns"].items()
        if kind in TAKES[operator]
        for each in (operator, *([] if also is None else [also]))
    ]


@pytest.mark.parametrize("operator", TAKES)
async def test_an_operator_and_its_denial_share_the_rows_out(
    operator: Operator, connection: asyncpg.Connection
) -> None:
    comparisons = on_each_column(operator)
    held = await held_by(comparisons, connection)
    denied = await held_by([{"not": comparison} for comparison in comparisons], connection)
    for those, others in zip(held, denied, strict=True):
        assert those | others == {1, 2, 3, 4, 5, 6}
        assert those & others == set()


@pytest.mark.parametrize(("operator", "opposite"), OPPOSITES)
async def test_the_opposite_of_an_operator_keeps_blank_rows(
    operator: Operator, opposite: Operator, connection: asyncpg.Connection
) -> None:
    held = await held_by(on_each_column(operator, opposite), connection)
    for those, others in zip(held[::2], held[1::2], strict=True):
        assert those | others == {1, 2, 3, 4, 5, 6}
        assert those & others == set()


@pytest.mark.parametrize(
    ("step", "field", "code"),
    [
        ({"type": "filter", "where": compare("age", "is_null"), "value": 1}, "where", "bad_value"),
        ({"type": "filter", **compare("name", "matches", "a++")}, "value", "bad_value"),
        ({"type": "filter", **compare("name", "matches", "(?P<x>a)")}, "value", "bad_value"),
        ({"type": "filter", **compare("name", "matches", "a{300}")}, "value", "bad_value"),
        ({"type": "filter", **compare("name", "matches", "[[:letter:]]")}, "value", "bad_value"),
        ({"type": "filter", **compare("picks", "has", True)}, "value", "bad_value"),
        ({"type": "filter", **compare("picks", "has_any", "tap")}, "value", "bad_value"),
        ({"type": "filter", **compare("age", "has", "1")}, "column", "wrong_type"),
        ({"type": "filter", **compare("age", "between", other_column="id")}, "other_column", "bad_value"),
        ({"type": "filter", **compare("age", "equals", other_column="name")}, "other_column", "wrong_type"),
        (join("id", "id", columns=["age", "nme"]), "columns.1", "unknown_column"),
        (join(["id", "nme"], ["id", "nme"]), "left_on.1", "unknown_column"),
        (join("id", "id", columns=["name"]), "prefix", "duplicate_column"),
        (join("id", []), "right_on", "bad_value"),
    ],
)  # fmt: skip
def test_it_is_refused_at_its_field(step: dict[str, Any], field: str, code: str) -> None:
    recipe = {"steps": [{"type": "source", "table": "people"}, step]}
    errors = check(recipe, tables_of({"tables": TABLES}), CONTEXT).errors
    assert (errors[0].step, errors[0].field, errors[0].code) == (1, field, code)
