"""Pivots without names: read when a recipe is saved or previewed, else when it is built."""

import pytest

from contracts.problem import ProblemError
from contracts.transform import (
    GetTransformation,
    PreviewRecipe,
    PreviewTable,
    ShowSql,
    TransformationBuilt,
    UpdateTransformation,
    ValidateRecipe,
)

ANSWERS = """SELECT * FROM (VALUES ('Pune', 'tap', 1), ('Pune', 'well', 2), ('Gaya', 'tap', 3))
answers (place, water, people)"""
MORE = f"{ANSWERS} UNION ALL SELECT 'Gaya', 'river', 4"

SOURCE = {"type": "source", "table": "answers"}
PIVOT = {
    "type": "pivot",
    "index": ["Place"],
    "names_from": "Water",
    "values_from": "People",
    "function": "sum",
}
KEPT = {"type": "select", "columns": ["Place", "tap"]}


@pytest.fixture
def held(column_factory):
    return column_factory(place="text", water="text", people="integer")


@pytest.fixture
async def answers(stand, held):
    return await stand.source("answers", ANSWERS, held)


def names(saved):
    return [column.name for column in saved.columns]


async def refused(waiting):
    with pytest.raises(ProblemError) as raised:
        await waiting
    return raised.value.problem


async def test_saving_reads_the_names_and_keeps_them(stand, answers, held):
    saved = await stand.transformation("Wide", SOURCE, PIVOT)
    assert names(saved) == ["Place", "tap", "well"]
    shown = saved.recipe["steps"][1]
    assert "names" not in shown
    assert shown["read_names"]["names"] == ["tap", "well"]
    await stand.publish(await stand.load(answers.table_id, MORE, held, "g"))
    built = await stand.build(saved.id)
    assert isinstance(built, TransformationBuilt)
    assert names(built.tables[0]) == ["Place", "tap", "well"], "names stay until it is saved again"
    assert (await stand.ask(ShowSql(transformation_id=saved.id))).sql


async def test_saving_what_was_shown_reads_the_names_anew(stand, answers, held):
    saved = await stand.transformation("Wide", SOURCE, PIVOT)
    await stand.publish(await stand.load(answers.table_id, MORE, held, "g"))
    recipe = saved.recipe
    again = await stand.ask(UpdateTransformation(transformation_id=saved.id, recipe=recipe))
    assert (again.version, names(again)) == (2, ["Place", "river", "tap", "well"])
    same = await stand.ask(UpdateTransformation(transformation_id=saved.id, recipe=recipe))
    assert same.version == 2, "the same names again are no new version"


async def test_steps_after_a_pivot_are_checked_with_its_names(stand, answers):
    saved = await stand.transformation("Taps", SOURCE, PIVOT, KEPT)
    assert names(saved) == ["Place", "tap"]
    wrong = KEPT | {"columns": ["Place", "pump"]}
    problem = await refused(stand.transformation("Pumps", SOURCE, PIVOT, wrong))
    assert [(error.step, error.code) for error in problem.errors] == [(2, "unknown_column")]


async def test_a_preview_reads_names_that_are_not_known(stand, answers):
    page = await stand.ask(PreviewRecipe(recipe={"steps": [SOURCE, PIVOT, KEPT]}))
    assert sorted(row["tap"] for row in page.rows) == [1, 3]
    page = await stand.ask(PreviewRecipe(recipe={"steps": [SOURCE, PIVOT]}, until_step=0))
    assert page.columns == ("Place", "Water", "People")


async def test_without_data_the_recipe_is_saved_and_every_build_reads_the_names(stand, held):
    table_id = await stand.declare("answers", held)
    saved = await stand.transformation("Taps", SOURCE, PIVOT, KEPT)
    assert names(saved) == ["Place"]
    problem = await refused(stand.ask(PreviewRecipe(transformation_id=saved.id)))
    assert (problem.status, problem.code) == (409, "not_synced")
    first = await stand.load(table_id, ANSWERS, held)
    built = await stand.build(saved.id, inputs=(first,))
    assert names(built.tables[0]) == ["Place", "tap"]
    await stand.publish(first, *built.tables)
    page = await stand.ask(PreviewTable(name="Taps"))
    assert sorted(row["tap"] for row in page.rows) == [1, 3]
    kept = await stand.ask(GetTransformation(transformation_id=saved.id))
    assert "read_names" not in kept.recipe["steps"][1]


async def test_without_data_a_wrong_later_step_fails_the_build_at_its_step(stand, held):
    table_id = await stand.declare("answers", held)
    wrong = KEPT | {"columns": ["Place", "pump"]}
    saved = await stand.transformation("Pumps", SOURCE, PIVOT, wrong)
    failed = await stand.build(saved.id, inputs=(await stand.load(table_id, ANSWERS, held),))
    assert failed.problem.code == "invalid_recipe"
    assert [error.step for error in failed.problem.errors] == [2]


async def test_too_many_values_are_refused_when_saving(stand, column_factory):
    await stand.source(
        "answers",
        "SELECT n::text AS place, n::text AS water, n AS people FROM generate_series(1, 201) n",
        column_factory(place="text", water="text", people="integer"),
    )
    problem = await refused(stand.transformation("Wide", SOURCE, PIVOT))
    assert [(error.step, error.code) for error in problem.errors] == [(1, "too_many_values")]


async def test_a_check_says_what_is_certain_where_there_is_no_data_yet(stand, held):
    await stand.declare("answers", held)
    checked = await stand.ask(ValidateRecipe(recipe={"steps": [SOURCE, PIVOT, KEPT]}))
    assert checked.valid
    assert [[column.name for column in step.columns] for step in checked.steps] == [
        ["Place", "Water", "People"],
        ["Place"],
    ]


@pytest.mark.parametrize("preview_timeout", ["2"], indirect=True)
async def test_names_that_take_too_long_to_read_say_what_to_do(stand, column_factory):
    await stand.source(
        "numbers", "SELECT generate_series(1, 3000) AS n", column_factory(n="integer")
    )
    cross = {"type": "join", "with": "numbers", "join_type": "cross"}
    steps = [
        {"type": "source", "table": "numbers"},
        *(cross | {"prefix": prefix} for prefix in "abc"),
        PIVOT | {"index": [], "names_from": "cN", "values_from": "N"},
    ]
    problem = await refused(stand.ask(PreviewRecipe(recipe={"steps": steps})))
    assert (problem.status, problem.code) == (504, "names_timed_out")


async def test_checking_reads_the_names_where_there_is_data(stand, answers):
    checked = await stand.ask(ValidateRecipe(recipe={"steps": [SOURCE, PIVOT, KEPT]}))
    assert checked.valid
    assert [[column.name for column in step.columns] for step in checked.steps[1:]] == [
        ["Place", "tap", "well"],
        ["Place", "tap"],
    ]
    wrong = {"type": "drop", "columns": ["river"]}
    checked = await stand.ask(ValidateRecipe(recipe={"steps": [SOURCE, PIVOT, wrong]}))
    assert [(error.step, error.code) for error in checked.errors] == [(2, "unknown_column")]
