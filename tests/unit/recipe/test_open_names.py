"""Pivots whose names are in the data: what can be said before they are read, and after."""

from datetime import UTC, datetime

import pytest

from recipe import (
    Column,
    Context,
    RecipeProblems,
    Table,
    check,
    compile_recipe,
    open_names,
    parse,
    with_names,
    without_names,
)
from recipe.guard import guard

SURVEY = Table(
    table_id="t1",
    display_name="survey",
    physical_name="source_1",
    schema_name="org",
    relation="v_1",
    columns=(
        Column(name="place", physical="place", type="text"),
        Column(name="Question", physical="question", type="text"),
        Column(name="score", physical="score", type="integer"),
    ),
)
TABLES = {"survey": SURVEY}
CONTEXT = Context(as_of=datetime(2026, 3, 18, tzinfo=UTC))
SOURCE = {"type": "source", "table": "survey"}
PIVOT: dict[str, object] = {
    "type": "pivot",
    "index": ["place"],
    "names_from": "Question",
    "values_from": "score",
    "function": "sum",
}


def recipe(*steps: dict[str, object]) -> dict[str, object]:
    return {"steps": [SOURCE, *steps]}


def test_before_the_names_are_read_only_the_index_is_certain_and_later_columns_are_not_checked() -> (
    None
):
    checked = check(recipe(PIVOT, {"type": "select", "columns": ["clean water"]}), TABLES)
    assert (checked.errors, checked.open) == ([], 1)
    assert [[column.name for column in step] for step in checked.steps] == [
        ["place", "Question", "score"],
        ["place"],
    ]


def test_what_is_wrong_with_the_form_of_later_steps_is_told_all_the_same() -> None:
    checked = check(recipe(PIVOT, {"type": "limit", "count": -1}), TABLES)
    assert [(error.step, error.code) for error in checked.errors] == [(2, "bad_value")]


def test_names_that_were_read_are_columns_like_any_other() -> None:
    named = with_names(parse(recipe(PIVOT)), 1, ["water", "x", None])
    checked = check(named, TABLES)
    assert [column.name for column in checked.steps[1]] == ["place", "water", "x", "(blank)"]
    assert open_names(named, TABLES, CONTEXT) is None


def test_the_statement_that_reads_names_is_one_select_over_the_steps_before() -> None:
    filled: dict[str, object] = {"type": "filter", "column": "place", "operator": "is_not_blank"}
    found = open_names(parse(recipe(filled, PIVOT)), TABLES, CONTEXT)
    assert found is not None
    assert (found.index, found.reads) == (2, ("t1",))
    assert "LIMIT 201" in found.sql
    guard(found.sql, {"org"})


def test_pivots_are_opened_one_after_the_other() -> None:
    second = PIVOT | {"index": [], "names_from": "place", "values_from": "a"}
    one = open_names(parse(recipe(PIVOT, second)), TABLES, CONTEXT)
    assert one is not None
    named = with_names(parse(recipe(PIVOT, second)), one.index, ["a"])
    two = open_names(named, TABLES, CONTEXT)
    assert two is not None
    assert two.index == 2
    assert open_names(named, TABLES, CONTEXT, until_step=1) is None


@pytest.mark.parametrize("change", [{"enabled": False}, {"names": ["a"]}])
def test_a_pivot_that_is_disabled_or_names_its_values_is_not_open(
    change: dict[str, object],
) -> None:
    assert open_names(parse(recipe(PIVOT | change)), TABLES, CONTEXT) is None


def test_a_recipe_that_does_not_fit_is_not_read_for() -> None:
    wrong = recipe({"type": "sort", "columns": ["x"]}, PIVOT)
    assert open_names(parse(wrong), TABLES, CONTEXT) is None
    assert [error.step for error in check(wrong, TABLES).errors] == [1]


def test_a_recipe_is_not_compiled_while_names_are_to_be_read() -> None:
    with pytest.raises(RecipeProblems, match="named in the data"):
        compile_recipe(parse(recipe(PIVOT)), TABLES, CONTEXT)
    assert compile_recipe(parse(recipe(PIVOT)), TABLES, CONTEXT, until_step=0)


def test_names_are_kept_beside_what_the_author_wrote_and_can_be_taken_off() -> None:
    named = with_names(parse(recipe(PIVOT)), 1, ["b", None, "b"])
    kept = named.model_dump(mode="json")
    assert kept["steps"][1] == PIVOT | {
        "read_names": {"column": "Question", "names": ["b", "(blank)"]}
    }
    assert parse(kept) == named
    assert without_names(named).model_dump(mode="json")["steps"] == [SOURCE, PIVOT]


def test_names_that_were_read_from_another_column_say_nothing() -> None:
    named = with_names(parse(recipe(PIVOT)), 1, ["b"]).model_dump(mode="json")
    named["steps"][1]["names_from"] = "place"
    assert check(named, TABLES).open == 1


@pytest.mark.parametrize(
    ("values", "code", "said"),
    [
        ([str(n) for n in range(201)], "too_many_values", "more than 200 different values"),
        (["a" * 201], "bad_value", "too long"),
        ([f"{n:03}" + "न" * 190 for n in range(199)], "bad_value", "65536 bytes"),
    ],
)
def test_values_that_make_no_columns_are_refused(values: list[str], code: str, said: str) -> None:
    with pytest.raises(RecipeProblems, match=said) as raised:
        with_names(parse(recipe(PIVOT)), 1, values)
    assert [error.code for error in raised.value.errors] == [code]
