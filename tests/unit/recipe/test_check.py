"""Checking recipes against columns, before any data is read."""

from datetime import UTC, datetime

import pytest
import sqlglot

from recipe import Column, Context, RecipeProblems, Table, check, compile_recipe, parse
from recipe.statement import readable_sql

PEOPLE = Table(
    table_id="t1",
    display_name="People",
    physical_name="source_1",
    schema_name="org",
    relation="v_1",
    columns=(
        Column(name="id", physical="id", type="integer"),
        Column(name="Full name", physical="full_name", type="text"),
        Column(name="seen", physical="seen", type="timestamp"),
        Column(name="data", physical="data", type="json"),
    ),
)
CONTEXT = Context(as_of=datetime(2026, 3, 18, tzinfo=UTC), timezone="Asia/Kolkata")
SOURCE = {"type": "source", "table": "people"}


def found(*steps: dict[str, object]) -> list[tuple[int, str | None, str]]:
    errors = check({"steps": [SOURCE, *steps]}, {"p": PEOPLE}).errors
    return [(error.step, error.field, error.code) for error in errors]


@pytest.mark.parametrize("name", ["People", "\uff50eople", "PEOPLE", "source_1", "p"])
def test_a_table_is_found_by_its_names(name: str) -> None:
    checked = check({"steps": [{"type": "source", "table": name}]}, {"p": PEOPLE})
    assert checked.errors == []
    assert checked.steps == [PEOPLE.columns]


def test_a_table_that_nothing_filled_yet_is_an_error_where_it_is_read() -> None:
    empty = PEOPLE.model_copy(update={"display_name": "Answers", "table_id": "t2", "columns": ()})
    tables = {"p": PEOPLE, "a": empty}
    (error,) = check({"steps": [{"type": "source", "table": "answers"}]}, tables).errors
    assert (error.step, error.field, error.code) == (0, "table", "unknown_table")
    assert "'Answers' has no columns yet" in error.message
    join = {"type": "join", "with": "a", "join_type": "cross"}
    (error,) = check({"steps": [SOURCE, join]}, tables).errors
    assert (error.step, error.code) == (1, "unknown_table")


def test_columns_are_found_by_physical_name_too() -> None:
    assert found({"type": "select", "columns": ["full_name"]}) == []


def test_a_step_that_keeps_columns_does_not_hide_what_comes_after_it() -> None:
    bad_filter = {"type": "filter", "column": "x", "operator": "equals", "value": 1}
    assert found(bad_filter, {"type": "sort", "columns": ["y", "id", "z"]}) == [
        (1, "column", "unknown_column"),
        (2, "columns.0", "unknown_column"),
        (2, "columns.2", "unknown_column"),
    ]


def test_form_and_columns_are_reported_together_and_good_steps_have_columns() -> None:
    steps = [
        SOURCE,
        {"type": "drop", "columns": ["data"]},
        {"type": "rename", "columns": {"a": "b"}},
    ]
    checked = check({"steps": [*steps, {"type": "nope"}]}, {"p": PEOPLE})
    assert [(e.step, e.code) for e in checked.errors] == [
        (2, "unknown_column"),
        (3, "unknown_step"),
    ]
    assert [len(columns) for columns in checked.steps] == [4, 3]


@pytest.mark.parametrize(
    ("operator", "column", "value", "code"),
    [
        ("greater_than", "Full name", "a", "wrong_type"),
        ("contains", "id", "1", "wrong_type"),
        ("equals", "data", "1", "wrong_type"),
        ("equals", "id", "1.5", "bad_value"),
        ("equals", "id", True, "bad_value"),
        ("between", "id", [2, 1], "bad_value"),
        ("between", "id", [1], "bad_value"),
        ("in", "id", 3, "bad_value"),
        ("equals", "seen", "2023-02-29", "bad_value"),
        ("equals", "seen", "20240229", "bad_value"),
        ("in_last", "seen", {"count": 0, "unit": "day"}, "bad_value"),
        ("in_last", "seen", {"count": 99_999, "unit": "year"}, "bad_value"),
        ("matches", "Full name", "((", "bad_value"),
        ("greater_than", "id", None, "bad_value"),
    ],
)
def test_a_comparison_that_cannot_be_made_is_refused(
    operator: str, column: str, value: object, code: str
) -> None:
    step = {"type": "filter", "column": column, "operator": operator, "value": value}
    assert [error[2] for error in found(step)] == [code]


def test_compiling_what_does_not_fit_raises_its_problems() -> None:
    recipe = parse({"steps": [SOURCE, {"type": "select", "columns": ["x"]}]})
    with pytest.raises(RecipeProblems, match="no column 'x'"):
        compile_recipe(recipe, {"p": PEOPLE}, CONTEXT)
    assert compile_recipe(recipe, {"p": PEOPLE}, CONTEXT, until_step=0).reads == ("t1",)


def test_results_carry_physical_names_and_never_the_loaders_columns() -> None:
    steps = [SOURCE, {"type": "rename", "columns": {"id": "Full name", "Full name": "id"}}]
    compiled = compile_recipe(parse({"steps": steps}), {"p": PEOPLE}, CONTEXT)
    assert [(c.name, c.physical) for c in compiled.columns][:2] == [
        ("Full name", "full_name"),
        ("id", "id"),
    ]
    assert '"org"."v_1"' in compiled.sql
    assert '*\n  FROM "org"' not in compiled.sql


def test_an_expression_that_doubles_with_every_step_is_computed_in_between() -> None:
    double = {"type": "add_column", "name": "id", "expression_type": "math", "left": "id"}
    steps = [SOURCE, *[double | {"operator": "+", "right": "id", "replace": True}] * 40]
    compiled = compile_recipe(parse({"steps": steps}), {"p": PEOPLE}, CONTEXT)
    assert compiled.sql.count("AS MATERIALIZED") >= 3


def test_two_hundred_steps_are_no_deeper_than_two() -> None:
    keep = {"type": "filter", "column": "id", "operator": "greater_than", "value": 1}
    compiled = compile_recipe(parse({"steps": [SOURCE, *[keep] * 199]}), {"p": PEOPLE}, CONTEXT)
    assert len(compiled.fragments) == 200


def test_nothing_a_user_writes_gets_into_sql_as_text() -> None:
    name = 'x"; DROP TABLE a; --'
    steps = [
        SOURCE,
        {"type": "add_column", "name": name, "expression_type": "constant", "value": "'; DROP --"},
        {"type": "filter", "column": name, "operator": "matches", "value": "'|DROP"},
    ]
    sql = compile_recipe(parse({"steps": steps}), {"p": PEOPLE}, CONTEXT).sql
    assert "'''; DROP --'" in sql
    assert "'''|DROP'" in sql
    assert '"x_drop_table_a"' in sql


def test_the_readable_statement_names_each_step_with_its_note_in_one_line() -> None:
    note = "of age */ DROP TABLE x; /*\n-- and more"
    adults = {"type": "filter", "column": "id", "operator": "equals", "value": 1, "note": note}
    compiled = compile_recipe(parse({"steps": [SOURCE, adults]}), {"p": PEOPLE}, CONTEXT)
    sql = readable_sql(compiled)
    assert "/* 0. Start from */" in sql
    assert "/* 1. Filter rows: of age * / DROP TABLE x; / * -- and more */" in sql
    assert len(sqlglot.parse(sql, dialect="postgres")) == 1


def test_a_table_has_no_more_columns_than_postgresql_can_hold() -> None:
    columns = tuple(Column(name=f"c{n}", physical=f"c{n}", type="integer") for n in range(1600))
    wide = Table(
        table_id="t9",
        display_name="wide",
        physical_name="source_9",
        schema_name="org",
        relation="v_9",
        columns=columns,
    )
    one_more = {
        "type": "add_column",
        "name": "one more",
        "expression_type": "constant",
        "value": 1,
    }
    steps = [{"type": "source", "table": "wide"}, one_more]
    assert not check({"steps": steps[:1]}, {"wide": wide}).errors
    (error,) = check({"steps": steps}, {"wide": wide}).errors
    assert (error.step, error.code) == (1, "bad_value")
    assert "1601" in error.message
