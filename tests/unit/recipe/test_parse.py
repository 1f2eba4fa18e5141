"""Reading recipes: what is wrong is said at its step and field, with what would be right."""

import subprocess
import sys
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter

from recipe import Recipe, RecipeProblems, parse, references, resolve
from recipe.recipe import STEPS_BY_TYPE

SOURCE = {"type": "source", "table": "people"}


def problems(*steps: object) -> list[tuple[int, str | None, str]]:
    with pytest.raises(RecipeProblems) as caught:
        parse({"steps": [SOURCE, *steps]})
    return [(error.step, error.field, error.code) for error in caught.value.errors]


@pytest.mark.parametrize(
    ("step", "field", "code"),
    [
        ({"type": "fliter"}, "type", "unknown_step"),
        ({"note": "x"}, "type", "missing_field"),
        ("filter", None, "bad_value"),
        ({"type": "filter", "operator": "equals", "value": 1}, "column", "missing_field"),
        ({"type": "filter", "column": "a", "value": 1}, "operator", "missing_field"),
        ({"type": "filter", "column": "a", "operator": "equals"}, "value", "missing_field"),
        ({"type": "filter", "column": "a", "operator": "is", "value": 1}, "operator", "unknown_operator"),
        ({"type": "sort", "columns": [{"column": "a", "desc": True}]}, "columns.0.desc", "unknown_field"),
        ({"type": "sort", "columns": [3]}, "columns.0", "bad_value"),
        ({"type": "sort", "columns": []}, "columns", "bad_value"),
        ({"type": "limit", "count": -1}, "count", "bad_value"),
        ({"type": "join", "with": "b", "left_on": "x"}, "right_on", "missing_field"),
        ({"type": "join", "with": "b", "left_on": ["x"], "right_on": ["a", "b"]}, "right_on", "bad_value"),
        ({"type": "join", "with": "b", "left_on": "x", "right_on": "x", "join_type": "full"}, "join_type", "bad_value"),
        ({"type": "group", "by": [], "aggregates": [{"function": "total", "column": "a"}]}, "aggregates.0.function", "unknown_function"),
        ({"type": "group", "by": [], "aggregates": [{"function": "sum"}]}, "aggregates.0.column", "missing_field"),
        ({"type": "group", "by": [], "aggregates": [{"function": "percentile", "column": "a"}]}, "aggregates.0.p", "missing_field"),
        ({"type": "filter", "where": {"not": {"any": [{"column": "a", "operator": "="}]}}}, "where.not.any.0.operator", "unknown_operator"),
        ({"type": "categorize", "new_column": "x", "source_column": "y", "rules": [{"category": "a"}]}, "rules.0.operator", "missing_field"),
        ({"type": "add_column", "name": "x", "expression_type": "math", "left": 1, "operator": "**", "right": 2}, "operator", "unknown_operator"),
        ({"type": "add_column", "name": "x", "expression_type": "math", "left": 1, "operator": "+"}, "right", "missing_field"),
    ],
)  # fmt: skip
def test_a_problem_is_told_at_its_field(step: object, field: str | None, code: str) -> None:
    assert problems(step) == [(1, field, code)]


def test_all_problems_of_a_recipe_are_told_together_in_order() -> None:
    assert problems({"type": "select"}, {"type": "drop", "colums": ["a"]}, SOURCE) == [
        (1, "columns", "missing_field"),
        (2, "columns", "missing_field"),
        (2, "colums", "unknown_field"),
        (3, "type", "not_source_first"),
    ]


def test_an_unknown_word_comes_with_the_known_ones_and_a_guess() -> None:
    with pytest.raises(RecipeProblems) as caught:
        parse({"steps": [SOURCE, {"type": "sotr", "id": "s1"}]})
    (error,) = caught.value.errors
    assert error.step_id == "s1"
    assert "Did you mean 'sort'?" in error.message
    assert set(error.alternatives) == set(STEPS_BY_TYPE)


@pytest.mark.parametrize(
    "data", [None, [], "x", {}, {"steps": 3}, {"steps": []}, {"version": 2, "steps": [SOURCE]}]
)
def test_what_is_no_recipe_is_refused(data: object) -> None:
    with pytest.raises(RecipeProblems):
        parse(data)


def test_limits_of_size_depth_and_length_are_kept() -> None:
    deep: dict[str, Any] = {"column": "a", "operator": "is_null"}
    for _ in range(40):
        deep = {"not": deep}
    long = {"type": "filter", "column": "a", "operator": "equals", "value": "x" * 70_000}
    unstorable = {"type": "filter", "column": "a", "operator": "equals", "value": "a\0b"}
    assert problems({"type": "filter", "where": deep})[0][2] == "bad_value"
    assert problems(long)[0][2] == "bad_value"
    assert problems(unstorable)[0][2] == "bad_value"
    assert problems(*[{"type": "limit", "count": 1}] * 200)[0] == (0, "steps", "bad_value")


def test_a_recipe_is_written_back_as_it_was_read() -> None:
    data = {
        "version": 1,
        "steps": [
            SOURCE,
            {"type": "join", "with": "towns", "left_on": "a", "right_on": ["b"]},
            {
                "type": "filter",
                "where": {"not": {"column": "a", "operator": "equals", "value": None}},
            },
            {"type": "sort", "columns": ["a", {"column": "b", "descending": True}]},
            {"type": "filter", "column": "a", "operator": "is_null", "enabled": False},
        ],
    }

    class Message(BaseModel):
        recipe: Recipe

    recipe = parse(data)
    assert recipe.model_dump(mode="json") == data
    assert Message.model_validate_json(Message(recipe=recipe).model_dump_json()).recipe == recipe


def test_a_stored_recipe_must_begin_with_a_source_too() -> None:
    with pytest.raises(ValueError, match="begins with a source"):
        Recipe.model_validate({"steps": [{"type": "limit", "count": 1}]})


def test_tables_are_listed_and_renamed() -> None:
    steps = [SOURCE, {"type": "join", "with": "Towns", "left_on": "a", "right_on": "b"}]
    recipe = parse({"steps": steps})
    assert references(recipe) == ["people", "Towns"]
    assert references(resolve(recipe, {"towns": "source_2"})) == ["people", "source_2"]


def test_every_table_of_a_union_is_listed_and_renamed() -> None:
    recipe = parse(
        {"steps": [SOURCE, {"type": "union", "tables": ["Towns", "people", "villages"]}]}
    )
    assert references(recipe) == ["people", "Towns", "villages"]
    resolved = resolve(recipe, {"towns": "source_2", "people": "source_1"})
    assert resolved.model_dump(mode="json")["steps"][1] == {
        "type": "union",
        "tables": ["source_2", "source_1", "villages"],
    }
    assert [field for field, _ in recipe.steps[1].tables()] == ["tables.0", "tables.1", "tables.2"]


def test_reading_recipes_does_not_load_ibis() -> None:
    code = (
        "import sys, recipe; recipe.parse({'steps': [{'type': 'source', 'table': 'a'}]});"
        "sys.exit('ibis' in sys.modules or 'sqlglot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_schema_tells_steps_apart_and_how_to_draw_them() -> None:
    schema = TypeAdapter(Recipe).json_schema()
    items = schema["properties"]["steps"]["items"]
    assert set(items["discriminator"]["mapping"]) == set(STEPS_BY_TYPE)
    for step in STEPS_BY_TYPE.values():
        described = schema["$defs"][step.__name__]
        assert "type" in described["required"]
        assert described["description"]
        assert step.label
        for name, field in step.model_fields.items():
            extra = described["properties"][field.alias or name]
            assert name == "type" or extra.keys() & {"hidden", "control"}, (step, name)
