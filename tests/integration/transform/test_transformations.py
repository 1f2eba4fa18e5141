"""Transformations: saved, shown back, changed, chained, and deleted when nobody minds."""

import pytest

from contracts.envelope import new_id
from contracts.orchestrator import CreatePipeline
from contracts.problem import ProblemError
from contracts.transform import (
    CreateTransformation,
    DeleteTransformation,
    GetTable,
    GetTransformation,
    ListTransformations,
    PreviewRecipe,
    ShowSql,
    UpdateTransformation,
    ValidateRecipe,
)

SOURCE = {"type": "source", "table": "people"}
ADULTS = {"type": "filter", "column": "Age", "operator": "greater_than", "value": 17}


async def refused(waiting):
    with pytest.raises(ProblemError) as raised:
        await waiting
    return raised.value.problem


@pytest.fixture
def held(column_factory):
    return column_factory(name="text", age="integer")


@pytest.fixture
async def people(stand, held):
    """A source's table that holds nothing yet."""
    return await stand.declare("people", held)


def create(**changes):
    values = {
        "transformation_id": new_id(),
        "name": "Adults",
        "recipe": {"steps": [SOURCE, ADULTS]},
    }
    return CreateTransformation.model_validate(values | changes)


async def test_a_saved_recipe_says_what_it_gives_before_it_ever_ran(stand, people):
    saved = await stand.ask(create())
    assert (saved.version, saved.output_table_name) == (1, "Adults")
    assert [column.name for column in saved.columns] == ["Name", "Age"]
    table = await stand.ask(GetTable(name="Adults"))
    assert (table.table_id, table.kind) == (saved.output_table_id, "transform")
    assert table.columns == saved.columns
    chained = await stand.transformation("Chained", {"type": "source", "table": "adults"})
    assert chained.columns == saved.columns


async def test_people_see_display_names_and_a_rename_breaks_nothing(stand, people, held):
    saved = await stand.ask(create(output_table_name="Grown-ups"))
    await stand.declare("Humans", held, people)
    shown = await stand.ask(GetTransformation(transformation_id=saved.id))
    assert shown.recipe["steps"][0]["table"] == "Humans"
    again = UpdateTransformation(transformation_id=saved.id, recipe=shown.recipe)
    assert (await stand.ask(again)).version == saved.version, "saving what was shown is no change"


async def test_saving_again_with_the_same_id_is_saving_once(stand, people):
    request = create()
    assert await stand.ask(request) == await stand.ask(request)
    other = request.model_copy(update={"description": "another"})
    assert (await refused(stand.ask(other))).code == "idempotency_mismatch"


async def test_every_error_of_a_recipe_is_told_at_its_step(stand, people):
    steps = [
        SOURCE,
        ADULTS | {"column": "Agee"},
        ADULTS | {"operator": "greater", "id": "third"},
    ]
    problem = await refused(stand.ask(create(recipe={"steps": steps})))
    assert (problem.status, problem.code) == (422, "invalid_recipe")
    found = [(error.step, error.step_id, error.code) for error in problem.errors]
    assert found == [(1, None, "unknown_column"), (2, "third", "unknown_operator")]
    assert problem.errors[0].alternatives[0] == "Age"


async def test_a_table_of_another_organisation_is_an_unknown_table(stand, other, people):
    problem = await refused(other.ask(create()))
    assert [error.code for error in problem.errors] == ["unknown_table"]


async def test_another_organisations_transformation_does_not_exist(stand, other, people):
    saved = await stand.ask(create())
    for request in (
        GetTransformation(transformation_id=saved.id),
        UpdateTransformation(transformation_id=saved.id, name="Mine"),
        ShowSql(transformation_id=saved.id),
        PreviewRecipe(transformation_id=saved.id),
    ):
        assert (await refused(other.ask(request))).status == 404
    assert (await other.ask(ListTransformations())).transformations == ()
    await other.declare("people", saved.columns)
    taken = create(transformation_id=saved.id, name="Mine")
    assert (await refused(other.ask(taken))).status == 404


async def test_an_output_name_that_is_taken_is_refused_with_a_free_one(stand, people):
    problem = await refused(stand.ask(create(name="People")))
    assert (problem.status, problem.code) == (409, "name_taken")
    assert problem.errors[0].field == "name"
    problem = await refused(stand.ask(create(output_table_name="people")))
    assert problem.errors[0].field == "output_table_name"


async def test_a_new_recipe_is_a_new_version_with_new_expected_columns(stand, people):
    saved = await stand.ask(create())
    chained = await stand.transformation("Chained", {"type": "source", "table": "Adults"})
    steps = [SOURCE, ADULTS, {"type": "select", "columns": ["Name"]}]
    changed = await stand.ask(
        UpdateTransformation(transformation_id=saved.id, if_version=1, recipe={"steps": steps})
    )
    assert changed.version == 2
    assert [column.name for column in changed.columns] == ["Name"]
    reader = await stand.ask(GetTransformation(transformation_id=chained.id))
    assert reader.columns == changed.columns, "who reads the table expects them too"


async def test_a_lost_update_is_refused(stand, people):
    saved = await stand.ask(create())
    await stand.ask(UpdateTransformation(transformation_id=saved.id, if_version=1, name="Older"))
    stale = UpdateTransformation(transformation_id=saved.id, if_version=1, name="Other")
    problem = await refused(stand.ask(stale))
    assert (problem.status, problem.code) == (412, "changed_meanwhile")


async def test_an_output_can_be_renamed(stand, people):
    saved = await stand.ask(create())
    changed = await stand.ask(
        UpdateTransformation(transformation_id=saved.id, output_table_name="Grown-ups")
    )
    assert (changed.name, changed.output_table_name) == ("Adults", "Grown-ups")
    assert (await stand.ask(GetTable(name="grown-ups"))).table_id == saved.output_table_id


async def test_a_cycle_is_refused_with_the_way_spelled_out(stand, people):
    first = await stand.ask(create(name="First", recipe={"steps": [SOURCE]}))
    await stand.transformation("Second", {"type": "source", "table": "First"})
    await stand.transformation("Third", {"type": "source", "table": "Second"})
    join = {"type": "join", "with": "Third", "left_on": "Name", "right_on": "Name"}
    recipe: dict[str, object] = {"steps": [SOURCE, join]}
    problem = await refused(
        stand.ask(UpdateTransformation(transformation_id=first.id, recipe=recipe))
    )
    (error,) = problem.errors
    assert (error.step, error.field, error.code) == (1, "with", "cycle")
    assert "'First' → 'Second' → 'Third' → 'First'" in error.message
    checked = await stand.ask(ValidateRecipe(recipe=recipe, transformation_id=first.id))
    assert not checked.valid
    assert [error.code for error in checked.errors] == ["cycle"]
    kept = await stand.ask(GetTransformation(transformation_id=first.id))
    assert kept.version == 1


async def test_a_recipe_may_not_read_its_own_table(stand, people):
    saved = await stand.ask(create())
    own = UpdateTransformation(
        transformation_id=saved.id, recipe={"steps": [{"type": "source", "table": "Adults"}]}
    )
    problem = await refused(stand.ask(own))
    assert [error.code for error in problem.errors] == ["cycle"]
    assert "'Adults' → 'Adults'" in problem.detail


async def test_a_check_tells_the_columns_after_each_step(stand, people):
    steps = [SOURCE, {"type": "select", "columns": ["Age"]}, ADULTS | {"column": "Name"}]
    checked = await stand.ask(ValidateRecipe(recipe={"steps": steps}))
    assert not checked.valid
    assert [[column.name for column in step.columns] for step in checked.steps] == [
        ["Name", "Age"],
        ["Age"],
    ]
    assert [error.step for error in checked.errors] == [2]


async def test_a_preview_of_what_was_never_synced_names_the_table(stand, people):
    problem = await refused(stand.ask(PreviewRecipe(recipe={"steps": [SOURCE]})))
    assert (problem.status, problem.code) == (409, "not_synced")
    assert "'people'" in problem.detail


async def test_a_preview_needs_a_recipe_or_a_transformation(stand):
    assert (await refused(stand.ask(PreviewRecipe()))).code == "no_recipe"


async def test_a_saved_recipe_can_be_previewed(stand, held):
    await stand.source("people", "SELECT 'Ada' AS name, 36 AS age", held)
    saved = await stand.ask(create())
    page = await stand.ask(PreviewRecipe(transformation_id=saved.id))
    assert page.rows == ({"Name": "Ada", "Age": 36},)


async def test_transformations_come_in_pages_by_name(stand, people):
    for name in ("b", "C", "a"):
        await stand.transformation(name, SOURCE)
    first = await stand.ask(ListTransformations(limit=2))
    second = await stand.ask(ListTransformations(limit=2, cursor=first.next_cursor))
    found = [one.name for page in (first, second) for one in page.transformations]
    assert found == ["a", "b", "C"]
    assert second.next_cursor is None


async def test_a_transformation_that_others_read_or_run_is_not_deleted(stand, people, orchestrator):
    saved = await stand.ask(create())
    reader = await stand.transformation("Reader", {"type": "source", "table": "Adults"})
    delete = DeleteTransformation(transformation_id=saved.id)
    problem = await refused(stand.ask(delete))
    assert (problem.status, problem.code) == (409, "in_use")
    assert "the transformation 'Reader'" in problem.detail
    await stand.ask(
        CreatePipeline(
            pipeline_id=new_id(),
            name="Monthly",
            source_ids=(),
            transformation_ids=(saved.id, reader.id),
        )
    )
    problem = await refused(stand.ask(DeleteTransformation(transformation_id=reader.id)))
    assert "the pipeline 'Monthly'" in problem.detail


async def test_a_deleted_transformation_takes_its_table_along(stand, people, orchestrator):
    saved = await stand.ask(create())
    stale = DeleteTransformation(transformation_id=saved.id, if_version=7)
    assert (await refused(stand.ask(stale))).status == 412
    await stand.ask(DeleteTransformation(transformation_id=saved.id))
    assert (await refused(stand.ask(GetTable(name="Adults")))).status == 404
    assert (await refused(stand.ask(GetTransformation(transformation_id=saved.id)))).status == 404
    assert (await stand.ask(create())).name == "Adults"


async def test_deleting_asks_the_orchestrator_and_waits_for_its_word(stand, people):
    saved = await stand.ask(create())
    problem = await refused(stand.ask(DeleteTransformation(transformation_id=saved.id)))
    assert problem.status == 503
    assert "orchestrator" in problem.detail
    await stand.ask(GetTransformation(transformation_id=saved.id))
