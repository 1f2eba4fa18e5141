"""Choices that nobody listed: read from the answers, as saving a recipe reads them."""

import pytest

from .cases import mismatch, run
from .test_cases import connection

__all__ = ["connection"]

ANSWERS = {
    "columns": {"id": "integer", "water": "text"},
    "rows": [
        [1, "well tap"],
        [2, None],
        [3, ""],
        [4, "river"],
        [5, "tap tap"],
    ],
}


def case(steps: list[dict[str, object]], expect: dict[str, object]) -> dict[str, object]:
    source = {"type": "source", "table": "answers"}
    return {
        "name": "",
        "tables": {"answers": ANSWERS},
        "recipe": {"steps": [source, *steps]},
        "expect": expect,
    }


@pytest.mark.parametrize(
    ("steps", "columns", "rows"),
    [
        (
            [{"type": "split_select_multiple", "column": "water"}],
            ["id", "water", "water_river", "water_tap", "water_well"],
            [
                [1, "well tap", 0, 1, 1],
                [2, None, None, None, None],
                [3, "", None, None, None],
                [4, "river", 1, 0, 0],
                [5, "tap tap", 0, 1, 0],
            ],
        ),
        (
            [
                {"type": "filter", "column": "id", "operator": "greater_than", "value": 3},
                {"type": "split_select_multiple", "column": "water", "prefix": ""},
                {"type": "select", "columns": ["tap"]},
            ],
            ["tap"],
            [[0], [1]],
        ),
    ],
)
async def test_without_choices_those_of_the_data_become_columns(connection, steps, columns, rows):
    wanted = case(steps, {"columns": columns, "rows": rows, "ordered": False})
    assert mismatch(wanted, await run(wanted, connection)) == ""
