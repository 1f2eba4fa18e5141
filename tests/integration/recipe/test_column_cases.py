"""Steps that change and make columns: our own cases, on a real PostgreSQL."""

import hashlib
import hmac
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from recipe import check, compile_recipe, parse
from recipe.mask_key import SETTING, setting_value

from .cases import CONTEXT, MASK_KEY, filled, mismatch, run, tables_of


def case(
    columns: dict[str, str],
    rows: Sequence[Sequence[object]],
    steps: Sequence[dict[str, Any]],
    names: Sequence[str],
    expected: Sequence[Sequence[object]],
    **types: str,
) -> dict[str, Any]:
    """Rows carry a number that keeps them in their order and is dropped at the end."""
    return {
        "tables": {
            "t": {
                "columns": {"#": "integer", **columns},
                "rows": [[number, *row] for number, row in enumerate(rows)],
            }
        },
        "recipe": {
            "steps": [
                {"type": "source", "table": "t"},
                {"type": "sort", "columns": ["#"]},
                *steps,
                {"type": "drop", "columns": ["#"]},
            ]
        },
        "expect": {"columns": list(names), "rows": expected, "ordered": True, "types": types},
    }


def one(
    kind: str,
    cells: Sequence[object],
    step: dict[str, Any],
    expected: Sequence[object],
    **rest: str,
) -> dict[str, Any]:
    """A column `v` that one step changes in its place."""
    rows = [[cell] for cell in cells]
    return case(
        {"v": kind}, rows, [{"columns": ["v"], **step}], ["v"], [[c] for c in expected], **rest
    )


def made(
    kind: str,
    cells: Sequence[object],
    step: dict[str, Any],
    expected: Sequence[object],
    **rest: str,
) -> dict[str, Any]:
    """A column `w` that one step makes from `v`."""
    rows, both = [[cell] for cell in cells], zip(cells, expected, strict=True)
    return case({"v": kind}, rows, [step], ["v", "w"], [list(pair) for pair in both], **rest)


def clean(*operations: str) -> dict[str, Any]:
    return {"type": "clean", "operations": list(operations)}


def extract(**rest: object) -> dict[str, Any]:
    return {"type": "extract_text", "column": "v", "name": "w", **rest}


def bins(**rest: object) -> dict[str, Any]:
    return {"type": "bin", "column": "v", "name": "w", **rest}


def mask(method: str) -> dict[str, Any]:
    return {"type": "mask", "method": method}


def add(name: str, kind: str, **rest: object) -> dict[str, Any]:
    return {"type": "add_column", "name": name, "expression_type": kind, **rest}


PLACES = {"a": "text", "v": "text", "z": "text"}

CASES = {
    "capitalize is not title case": one(
        "text",
        [
            "asha DEVI",
            "mary o'brien",
            "WOMEN'S",
            "d\u2019souza",
            "anne-marie",
            "st. john",
            "पुणे city",
            "3rd",
        ],
        clean("title"),
        [
            "Asha Devi",
            "Mary O'Brien",
            "Women's",
            "D\u2019Souza",
            "Anne-Marie",
            "St. John",
            "पुणे City",
            "3rd",
        ],
    ),
    "strip leaves NBSP and zero-width, trim does not": one(
        "text",
        ["\u00a0a\u200b", "\ufeff\u2060 b\u202f", "\u200c\u200d", "a\u00a0b"],
        clean("trim"),
        ["a", "b", "", "a\u00a0b"],
    ),
    "a + 1 on text concatenates, so text takes no part in arithmetic": {
        "tables": {"t": {"columns": {"v": "text"}, "rows": [["1"]]}},
        "recipe": {
            "steps": [
                {"type": "source", "table": "t"},
                add("w", "math", left="v", operator="+", right=1),
            ]
        },
        "expect": {"error": {"step": 1, "code": "wrong_type"}},
    },
    "every operation of clean on one cell": one(
        "text",
        ["\u00a0É\u0301cole\n n° ४२!  (A) "],
        clean("trim", "remove_line_breaks", "collapse_spaces", "ascii_digits", "remove_accents"),
        ["Ecole n° 42! (A)"],
    ),
    "punctuation of other scripts goes too, letters and signs on them stay": one(
        "text", ["अ। क़, «x»؟ (हिन्दी)"], clean("remove_punctuation"), ["अ क़ x हिन्दी"]
    ),
    "a sentence begins with a capital after what is white": one(
        "text",
        ["  hELLO World. again", "", None],
        clean("sentence"),
        ["  Hello world. again", "", None],
    ),
    "digits of every script are digits": one(
        "text", ["a٣b३c7", "none"], clean("remove_digits"), ["abc", "none"]
    ),
    "a part is replaced literally in any case": one(
        "text",
        ["a.B+c a.b+C", "aXb", None],
        {"type": "replace", "find": "A.b+C", "replace": "\\1&", "case_sensitive": False},
        ["\\1& \\1&", "aXb", None],
    ),
    "a group of a regular expression stands in its replacement": one(
        "text",
        ["2024-02 2023-01"],
        {"type": "replace", "find": "([0-9]+)-([0-9]+)", "replace": "\\2/\\1", "match": "regex"},
        ["02/2024 01/2023"],
    ),
    "a regular expression may ignore case": one(
        "text",
        ["AbaB"],
        {"type": "replace", "find": "ab", "replace": "", "match": "regex", "case_sensitive": False},
        [""],
    ),
    "a mapping swaps values and empties cells": one(
        "text",
        ["a", "b", "x", "A", None, ""],
        {"type": "replace", "mapping": {"a": "b", "b": "a", "x": None, "": "blank"}},
        ["b", "a", None, "A", None, "blank"],
    ),
    "a mapping may ignore case": one(
        "text",
        ["PUNE", "pune ", "Été"],
        {"type": "replace", "mapping": {"Pune": "PN", "éTÉ": "summer"}, "case_sensitive": False},
        ["PN", "pune ", "summer"],
    ),
    "an empty part is null wherever it stands": case(
        {"v": "text"},
        [["/b/"], ["a//c"], ["//"], [""], ["a/b/c/d"], [None]],
        [{"type": "split", "column": "v", "separator": "/", "into": ["x", "y", "z"]}],
        ["x", "y", "z"],
        [
            [None, "b", None],
            ["a", None, "c"],
            [None, None, None],
            [None, None, None],
            ["a", "b", "c/d"],
            [None, None, None],
        ],
    ),
    "a separator of several signs is no regular expression": case(
        {"v": "text"},
        [["a.*b.*c"], ["a..b"]],
        [{"type": "split", "column": "v", "separator": ".*", "into": ["x", "y"]}],
        ["x", "y"],
        [["a", "b.*c"], ["a..b", None]],
    ),
    "a regular expression splits at each match and leaves the surplus as it was": case(
        {"v": "text"},
        [["a, b;c ; d"], ["a"], [",b"], [None]],
        [{"type": "split", "column": "v", "regex": " *[,;] *", "into": ["x", "y", "z"]}],
        ["x", "y", "z"],
        [["a", "b", "c ; d"], ["a", None, None], [None, "b", None], [None, None, None]],
    ),
    "fixed lengths leave the surplus in the last part": case(
        {"v": "text"},
        [["पुणे12"], ["2"], ["270030129"]],
        [{"type": "split", "column": "v", "lengths": [2, 2], "into": ["x", "y"]}],
        ["x", "y"],
        [["पु", "णे12"], ["2", None], ["27", "0030129"]],
    ),
    "a part may take the name of the column that goes, or the place of another": case(
        PLACES,
        [["1", "p/q", "2"]],
        [
            {
                "type": "split",
                "column": "v",
                "separator": "/",
                "into": ["v", "a"],
                "replace": True,
            }
        ],
        ["a", "v", "z"],
        [["q", "p", "2"]],
    ),
    "a sort by a column lives on when the column is split": case(
        {"v": "text"},
        [["b/1"], ["a/2"]],
        [
            {"type": "sort", "columns": ["v"]},
            {"type": "split", "column": "v", "separator": "/", "into": ["x", "y"]},
        ],
        ["x", "y"],
        [["a", "2"], ["b", "1"]],
    ),
    "an expression without a group gives its match, group 0 always does": case(
        {"v": "text"},
        [["HH-12"], ["none"], [None]],
        [extract(regex="[0-9]+"), extract(regex="([A-Z]+)-", group=0, name="u")],
        ["v", "u", "w"],
        [["HH-12", "HH-", "12"], ["none", None, None], [None, None, None]],
    ),
    "a group that took no part is null": made(
        "text", ["ab", "b"], extract(regex="(a)?b"), ["a", None]
    ),
    "what is not there has no before and no after": made(
        "text",
        ["Pune (MH)", "Pune", "(MH)", None],
        extract(part="before", delimiter=" ("),
        ["Pune", None, None, None],
    ),
    "after is after the first": made(
        "text", ["a-b-c", "a-", "a"], extract(part="after", delimiter="-"), ["b-c", None, None]
    ),
    "between is up to the first end after the first start": made(
        "text",
        ["a) (b) (c)", "(b", "b)", "()"],
        extract(part="between", start="(", end=")"),
        ["b", None, None, None],
    ),
    "first and last take what there is": made(
        "text", ["पुणे", "a", ""], extract(part="last", count=2), ["णे", "a", None]
    ),
    "edges may be decimals, and the labels are written plainly": made(
        "decimal",
        [0, 0.1, 0.25, 1, 1.0001, None],
        bins(edges=[0, 0.25, 1.0]),
        ["0 to 0.25", "0 to 0.25", "0.25 to 1", "0.25 to 1", None, None],
        w="text",
    ),
    "bins of one width begin at its multiples, below zero too": made(
        "decimal",
        [0, Decimal("9.99999999999999999999999"), 10, -0.5, -10, None],
        bins(width=10),
        ["0 to 10", "0 to 10", "10 to 20", "-10 to 0", "-10 to 0", None],
    ),
    "a width may be a fraction": made(
        "decimal", [0.3, 0.29], bins(width=0.1), ["0.3 to 0.4", "0.2 to 0.3"]
    ),
    "quantiles leave nulls out and keep equal numbers together": made(
        "integer",
        [10, 20, 30, 40, None, 20],
        bins(quantiles=2),
        ["Q1", "Q2", "Q2", "Q2", None, "Q2"],
    ),
    "quartiles of eight are pairs": made(
        "integer",
        [8, 1, 7, 2, 6, 3, 5, 4],
        bins(quantiles=4, labels=["d", "c", "b", "a"]),
        ["a", "d", "a", "d", "b", "c", "b", "c"],
    ),
    "a path is one key before its dots count, null is absent, an item has a number": case(
        {"d": "json"},
        [
            [{"hh/size": 4, "a.b": None, "a": {"b": 1}, "l": [{"k": "x"}]}],
            [{"a": {"b": {"c": 1.5}}, "l": []}],
            [None],
            [["a.b"]],
        ],
        [
            {
                "type": "flatten_json",
                "column": "d",
                "fields": ["hh/size", {"path": "a.b", "type": "json"}, "l.0.k"],
            },
            {"type": "drop", "columns": ["d"]},
        ],
        ["size", "b", "k"],
        [["4", None, "x"], [None, {"c": 1.5}, None], [None, None, None], [None, None, None]],
        size="text",
        b="json",
    ),
    "fields are read as their types or left empty": case(
        {"d": "json"},
        [
            [{"n": "12", "on": "2024-02-29", "ok": True, "w": 2.5, "at": "2024-02-29T10:00:00Z"}],
            [{"n": 2.5, "on": "29/02/2024", "ok": "maybe", "w": "x", "at": 5}],
        ],
        [
            {
                "type": "flatten_json",
                "column": "d",
                "fields": [
                    {"path": "n", "type": "integer"},
                    {"path": "on", "type": "date"},
                    {"path": "ok", "type": "boolean"},
                    {"path": "w", "type": "decimal"},
                    {"path": "at", "type": "timestamp"},
                ],
            },
            {"type": "drop", "columns": ["d"]},
        ],
        ["n", "on", "ok", "w", "at"],
        [[12, "2024-02-29", True, 2.5, "2024-02-29T10:00:00"], [None] * 5],
        n="integer",
        on="date",
        ok="boolean",
        w="decimal",
        at="timestamp",
    ),
    "text keeps its words, objects and lists become JSON": case(
        {"d": "json"},
        [[{"a": " x ", "o": {"k": 1}, "l": [1, "b"]}]],
        [
            {"type": "flatten_json", "column": "d", "fields": ["a", "o", "l"]},
            {"type": "drop", "columns": ["d"]},
        ],
        ["a", "o", "l"],
        [[" x ", '{"k": 1}', '[1, "b"]']],
    ),
    "choices are whole words, also in JSON and as numbers": case(
        {"v": "text", "j": "json"},
        [["1 99", ["tap", 2]], ["199", []], [" ", None], [None, "tap"], ["99\u00a01", [99]]],
        [
            {"type": "split_select_multiple", "column": "v", "values": [1, 99], "prefix": "c"},
            {"type": "split_select_multiple", "column": "j", "values": ["tap"]},
            {"type": "drop", "columns": ["v", "j"]},
        ],
        ["c1", "c99", "j_tap"],
        [[1, 1, 1], [0, 0, 0], [None, None, None], [None, None, 0], [1, 1, 0]],
    ),
    "a partial mask shows four characters of five, none of four": one(
        "text",
        ["12345", "1234", "", None, "अआइईउऊ"],
        mask("partial"),
        ["*2345", "****", "", None, "**इईउऊ"],
    ),
    "numbers are masked as they are written": one(
        "decimal", [98.50, 1234567], mask("partial"), ["****", "***4567"], v="text"
    ),
    "redacted cells are all alike, empty ones stay empty": one(
        "json", [{"a": 1}, None], mask("redact"), ["***", None], v="text"
    ),
    "a year is read from dates that are text, and nothing else is left": one(
        "text",
        ["1990-06-15", "1990-06-15T10:00:00", "June 1990", None],
        mask("year_only"),
        [1990, 1990, None, None],
        v="integer",
    ),
    "a coordinate is rounded to one decimal, also as text": one(
        "text",
        [" 18.5204", "-73.85", "somewhere"],
        mask("round_location"),
        [18.5, -73.9, None],
        v="decimal",
    ),
    "days, weeks, months, quarters and years are whole in both directions": case(
        {"s": "date", "e": "date"},
        [
            ["2024-01-31", "2024-02-29"],
            ["2024-02-29", "2024-01-31"],
            ["2023-01-15", "2024-07-15"],
            ["2024-07-15", "2023-01-15"],
            ["2024-01-01", "2024-01-01"],
            ["2024-03-31", "2023-03-30"],
        ],
        [
            *(
                add(unit, "date_diff", start="s", end="e", unit=unit)
                for unit in ("day", "week", "month", "quarter", "year")
            ),
            {"type": "drop", "columns": ["s", "e"]},
        ],
        ["day", "week", "month", "quarter", "year"],
        [
            [29, 4, 0, 0, 0],
            [-29, -4, 0, 0, 0],
            [547, 78, 18, 6, 1],
            [-547, -78, -18, -6, -1],
            [0, 0, 0, 0, 0],
            [-367, -52, -12, -4, -1],
        ],
        month="integer",
    ),
    "times of day do not count, and a date may be written": case(
        {"s": "timestamp"},
        [["2024-02-28T23:59:00"], [None]],
        [
            add("n", "date_diff", start="s", end="2024-02-29", unit="day"),
            {"type": "drop", "columns": ["s"]},
        ],
        ["n"],
        [[1], [None]],
    ),
    "a moment some units later keeps its time, and the end of the calendar is null": case(
        {"s": "timestamp", "d": "date"},
        [["2024-01-31T10:30:00", "2024-02-29"], ["9999-12-31T00:00:00", "0001-01-31"]],
        [
            add("m", "date_add", column="s", count=1, unit="month"),
            add("y", "date_add", column="d", count=-1, unit="year"),
            add("w", "date_add", column="d", count=10_000_000, unit="week"),
            {"type": "drop", "columns": ["s", "d"]},
        ],
        ["m", "y", "w"],
        [["2024-02-29T10:30:00", "2023-02-28", None], [None, None, None]],
        m="timestamp",
        y="date",
    ),
    "an age is today's unless a day or a column says otherwise": case(
        {"b": "date", "seen": "timestamp"},
        [["2000-03-18", "2018-03-17T23:59:59"], ["2000-03-19", None]],
        [
            add("now", "age", column="b"),
            add("then", "age", column="b", on="seen"),
            {"type": "drop", "columns": ["b", "seen"]},
        ],
        ["now", "then"],
        [[26, 17], [25, None]],
        now="integer",
    ),
    "rules that all say where need no column": case(
        {"v": "integer"},
        [[1], [None]],
        [
            {
                "type": "categorize",
                "new_column": "w",
                "rules": [
                    {
                        "where": {"column": "v", "operator": "is_null"},
                        "category": "unknown",
                    }
                ],
                "default": None,
            }
        ],
        ["v", "w"],
        [[1, None], [None, "unknown"]],
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


CELLS = ["98", "अ", "", " 98", "x" * 500]


async def test_a_hash_is_the_first_half_of_hmac_sha_256(connection: asyncpg.Connection) -> None:
    digests = [hmac.digest(MASK_KEY, cell.encode(), hashlib.sha256).hex()[:32] for cell in CELLS]
    hashed = one("text", [*CELLS, None], mask("hash"), [*digests, None], v="text")
    assert mismatch(hashed, await run(hashed, connection)) == ""
    assert hmac.digest(MASK_KEY, b"98", hashlib.sha256).hex() not in str(hashed["recipe"])


async def test_a_number_hashes_as_its_text_does(connection: asyncpg.Connection) -> None:
    digest = hmac.digest(MASK_KEY, b"2.5", hashlib.sha256).hex()[:32]
    hashed = one("decimal", [2.50], mask("hash"), [digest])
    assert mismatch(hashed, await run(hashed, connection)) == ""


@pytest.mark.parametrize("length", [1, 64, 65, 200])
def test_a_key_of_any_length_is_padded_as_hmac_pads_it(length: int) -> None:
    key = bytes(range(256))[:length]
    padded = bytes.fromhex(setting_value(key))
    inner = hashlib.sha256(padded[:64] + b"x").digest()
    assert hashlib.sha256(padded[64:] + inner).digest() == hmac.digest(key, b"x", hashlib.sha256)


@pytest.mark.parametrize("value", ["", "no hexadecimal digits"])
async def test_without_a_key_nothing_is_hashed(value: str, connection: asyncpg.Connection) -> None:
    hashed = one("text", ["98"], mask("hash"), [])
    compiled = compile_recipe(parse(hashed["recipe"]), tables_of(hashed), CONTEXT)
    transaction = connection.transaction()
    await transaction.start()
    await filled(hashed, connection)
    await connection.execute("select set_config($1, $2, true)", SETTING, value)
    with pytest.raises(asyncpg.DataError):
        await connection.fetch(compiled.sql)
    await transaction.rollback()


def test_no_key_is_no_key() -> None:
    with pytest.raises(ValueError, match="needs a key"):
        setting_value(b"")


KINDS = {"v": "text", "n": "integer", "d": "date", "j": "json", "b": "boolean"}


@pytest.mark.parametrize(
    ("step", "code", "field"),
    [
        (
            {"type": "replace", "columns": ["n"], "find": "1", "replace": ""},
            "wrong_type",
            "columns.0",
        ),
        ({"type": "replace", "columns": ["v"], "find": "a"}, "missing_field", "replace"),
        ({"type": "replace", "columns": ["v"], "find": "", "replace": "x"}, "bad_value", "find"),
        (
            {"type": "replace", "columns": ["v"], "find": "a", "mapping": {"a": "b"}},
            "bad_value",
            "mapping",
        ),
        (
            {"type": "replace", "columns": ["v"], "find": "(", "replace": "", "match": "regex"},
            "bad_value",
            "find",
        ),
        (
            {
                "type": "replace",
                "columns": ["v"],
                "mapping": {"a": "1", "A": "2"},
                "case_sensitive": False,
            },
            "bad_value",
            "mapping",
        ),
        ({"type": "split", "column": "v", "into": ["x"]}, "missing_field", "separator"),
        (
            {"type": "split", "column": "v", "into": ["x"], "separator": "/", "regex": "/"},
            "bad_value",
            "regex",
        ),
        (
            {"type": "split", "column": "v", "into": ["x"], "lengths": [1, 2]},
            "bad_value",
            "lengths",
        ),
        (
            {"type": "split", "column": "v", "into": ["n", "x"], "separator": "/"},
            "duplicate_column",
            "into.0",
        ),
        (
            {"type": "split", "column": "v", "into": ["x", "x"], "separator": "/"},
            "duplicate_column",
            "into.1",
        ),
        (
            {"type": "split", "column": "v", "into": ["v"], "separator": "/", "keep": True},
            "duplicate_column",
            "into.0",
        ),
        ({"type": "split", "column": "n", "into": ["x"], "separator": "/"}, "wrong_type", "column"),
        (extract(), "missing_field", "part"),
        (extract(part="between", start="("), "missing_field", "end"),
        (extract(part="first", count=0), "bad_value", "count"),
        (extract(part="middle"), "bad_value", "part"),
        (extract(regex="[[:alpha:](](\\()", group=2), "bad_value", "group"),
        (extract(regex="a", part="first", count=1), "bad_value", "regex"),
        (extract(regex="a", name="n"), "duplicate_column", "name"),
        (bins(edges=[0, 1]), "wrong_type", "column"),
        (bins(column="n"), "missing_field", "edges"),
        (bins(column="n", edges=[0, 0]), "bad_value", "edges"),
        (bins(column="n", edges=[1]), "bad_value", "edges"),
        (bins(column="n", width=0), "bad_value", "width"),
        (bins(column="n", width=5, quantiles=4), "bad_value", "quantiles"),
        (bins(column="n", width=5, labels=["a"]), "bad_value", "labels"),
        (bins(column="n", edges=[0, 1, 2], labels=["a"]), "bad_value", "labels"),
        (bins(column="n", quantiles=2, name="v"), "duplicate_column", "name"),
        ({"type": "flatten_json", "column": "v", "fields": ["a"]}, "wrong_type", "column"),
        (
            {"type": "flatten_json", "column": "j", "fields": ["n"]},
            "duplicate_column",
            "fields.0",
        ),
        (
            {"type": "flatten_json", "column": "j", "fields": [{"path": "x", "typ": "text"}]},
            "unknown_field",
            "fields.0.typ",
        ),
        (
            {"type": "split_select_multiple", "column": "v", "values": ["a b"]},
            "bad_value",
            "values.0",
        ),
        (
            {"type": "split_select_multiple", "column": "n", "values": ["a"]},
            "wrong_type",
            "column",
        ),
        ({"type": "mask", "columns": ["j"], "method": "hash"}, "wrong_type", "columns.0"),
        ({"type": "mask", "columns": ["n"], "method": "year_only"}, "wrong_type", "columns.0"),
        ({"type": "mask", "columns": ["n"], "method": "encrypt"}, "bad_value", "method"),
        (add("w", "date_diff", start="d", end="d"), "missing_field", "unit"),
        (add("w", "date_diff", start="d", end="x", unit="day"), "unknown_column", "end"),
        (add("w", "date_diff", start="v", end="d", unit="day"), "wrong_type", "start"),
        (add("w", "date_add", column="d", count=1, unit="hour"), "bad_value", "unit"),
        (add("w", "date_add", column="d", count=10**9, unit="day"), "bad_value", "count"),
        (add("w", "age", column="n"), "wrong_type", "column"),
        (add("w", "age", column="d", on="2023-02-29"), "unknown_column", "on"),
        (
            {
                "type": "categorize",
                "new_column": "w",
                "rules": [{"operator": "is_null", "category": "a"}],
            },
            "missing_field",
            "source_column",
        ),
    ],
)
def test_what_does_not_fit_is_told_at_its_field(
    step: dict[str, Any], code: str, field: str
) -> None:
    tables = tables_of({"tables": {"t": {"columns": KINDS, "rows": []}}})
    errors = check({"steps": [{"type": "source", "table": "t"}, step]}, tables).errors
    assert [(error.step, error.code, error.field) for error in errors] == [(1, code, field)]
