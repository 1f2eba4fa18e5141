"""What compiles with Ibis 12 but lies on PostgreSQL, each by its name: the language does not fall in.

Those about rows stand in test_row_traps.py, `try_cast` in test_cast_cases.py.
"""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from recipe import check

from .cases import CONTEXT, mismatch, run, tables_of
from .test_cases import connection

__all__ = ["connection"]

ROOT = Path(__file__).parents[3]


def case(cells: list[Any], kind: str, step: dict[str, Any], expect: dict[str, Any]) -> Any:
    table = {"columns": {"it": kind}, "rows": [[cell] for cell in cells]}
    steps = [{"type": "source", "table": "t"}, step]
    return {"name": "", "tables": {"t": table}, "recipe": {"steps": steps}, "expect": expect}


async def test_pivot_longer_fails_on_nulls(connection):
    step = {
        "type": "unpivot",
        "id_columns": [],
        "value_columns": ["it"],
        "name_to": "name",
        "value_to": "value",
    }
    rows = [["it", 1], ["it", None]]
    expect = {"columns": ["name", "value"], "rows": rows, "ordered": False}
    wanted = case([1, None], "integer", step, expect)
    assert mismatch(wanted, await run(wanted, connection)) == ""


@pytest.mark.parametrize(
    ("operation", "before", "after"),
    [
        # `.capitalize()` would give "O'brien and women's group".
        ("title", "o'brien and WOMEN'S group", "O'Brien And Women's Group"),
        # `.strip()` leaves spaces that do not break, and those of no width.
        ("trim", "\u00a0 \u200b text\u200b\u00a0\t", "text"),
    ],
    ids=["capitalize is no title case", "strip leaves spaces of other kinds"],
)
async def test_a_method_of_text_does_less_than_it_says(connection, operation, before, after):
    step = {"type": "clean", "columns": ["it"], "operations": [operation]}
    expect = {"columns": ["it"], "rows": [[after]], "ordered": True}
    wanted = case([before], "text", step, expect)
    assert mismatch(wanted, await run(wanted, connection)) == ""


def test_a_plus_one_on_text_concatenates():
    step = {
        "type": "add_column",
        "name": "more",
        "expression_type": "math",
        "left": "it",
        "operator": "+",
        "right": 1,
    }
    refused = case(["5"], "text", step, {})
    (error,) = check(refused["recipe"], tables_of(refused), CONTEXT).errors
    assert (error.step, error.code) == (1, "wrong_type")


async def test_execute_turns_null_integers_into_nan(connection):
    step = {"type": "limit", "count": 5}
    expect = {
        "columns": ["it"],
        "rows": [[9007199254740993], [None]],
        "ordered": False,
        "types": {"it": "integer"},
    }
    wanted = case([9007199254740993, None], "integer", step, expect)
    assert mismatch(wanted, await run(wanted, connection)) == ""
    # Ibis compiles and nothing else: whatever runs is run by the services.
    sources = (ROOT / "libs" / "recipe" / "src").rglob("*.py")
    assert not [path for path in sources if re.search(r"\.(execute|to_pandas)\(", path.read_text())]


def test_later_versions_of_sqlglot_break_ibis():
    content = tomllib.loads((ROOT / "libs" / "recipe" / "pyproject.toml").read_text())
    (pin,) = [each for each in content["project"]["dependencies"] if each.startswith("sqlglot")]
    assert pin.endswith("<30.18")
