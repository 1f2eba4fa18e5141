"""Every save is a version: listed, compared, brought back, and no rename changes what one means."""

import asyncio

import pytest

from contracts.problem import ProblemError
from contracts.transform import (
    CompareRecipeVersions,
    DeleteTransformation,
    DropTable,
    GetRecipeVersion,
    GetTable,
    GetTransformation,
    ListRecipeVersions,
    PlanTransformations,
    RestoreRecipeVersion,
    UpdateTransformation,
)
from transform.store import Store

SOURCE = {"type": "source", "table": "people"}
ADULTS = {"type": "filter", "column": "Age", "operator": "greater_than", "value": 17}
NAMES = {"type": "select", "columns": ["Name"]}
OLDEST = {"type": "sort", "columns": [{"column": "Age", "descending": True}]}


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


@pytest.fixture
def save(stand):
    """Saves a recipe as the next version."""

    async def update(saved, *steps, **changes):
        recipe: dict[str, object] = {"steps": list(steps)}
        return await stand.ask(
            UpdateTransformation(transformation_id=saved.id, recipe=recipe, **changes)
        )

    return update


@pytest.fixture
async def saved(stand, people, save):
    """A transformation in its third version."""
    first = await stand.transformation("Adults", SOURCE, ADULTS)
    await save(first, SOURCE, ADULTS | {"value": 20}, OLDEST)
    return await save(first, SOURCE, NAMES)


async def test_every_save_is_a_version_with_its_time_and_author(stand, saved):
    found = (await stand.ask(ListRecipeVersions(transformation_id=saved.id))).versions
    assert [(one.version, one.step_count, one.is_current) for one in found] == [
        (3, 2, True),
        (2, 3, False),
        (1, 2, False),
    ]
    assert {one.saved_by for one in found} == {"tester"}
    assert found[0].saved_at > found[1].saved_at > found[2].saved_at


async def test_versions_come_in_pages(stand, saved):
    first = await stand.ask(ListRecipeVersions(transformation_id=saved.id, limit=2))
    rest = ListRecipeVersions(transformation_id=saved.id, limit=2, cursor=first.next_cursor)
    second = await stand.ask(rest)
    assert [one.version for one in (*first.versions, *second.versions)] == [3, 2, 1]
    assert second.next_cursor is None


async def test_an_old_version_is_shown_with_its_recipe(stand, saved):
    version = await stand.ask(GetRecipeVersion(transformation_id=saved.id, version=1))
    assert version.recipe["steps"] == [SOURCE, ADULTS]
    assert not version.is_current


async def test_a_version_that_never_was_is_not_found(stand, saved):
    problem = await refused(stand.ask(GetRecipeVersion(transformation_id=saved.id, version=9)))
    assert problem.status == 404
    assert "no version 9; its newest is 3" in problem.detail


async def test_versions_of_another_organisation_do_not_exist(other, saved):
    for request in (
        ListRecipeVersions(transformation_id=saved.id),
        GetRecipeVersion(transformation_id=saved.id, version=1),
        CompareRecipeVersions(transformation_id=saved.id, version=2),
        RestoreRecipeVersion(transformation_id=saved.id, version=1),
    ):
        assert (await refused(other.ask(request))).status == 404


async def test_a_version_is_compared_with_the_one_before_it(stand, saved):
    diff = await stand.ask(CompareRecipeVersions(transformation_id=saved.id, version=2))
    assert (diff.version, diff.with_version) == (2, 1)
    changed, added = diff.steps
    assert (changed.kind, changed.type, changed.new_step) == ("changed", "filter", 1)
    assert [(field.field, field.old, field.new) for field in changed.fields] == [("value", 17, 20)]
    assert (added.kind, added.new) == ("added", OLDEST)


async def test_any_two_versions_are_compared_by_what_tables_are_called_now(
    stand, saved, people, held, save
):
    await stand.declare("humans", held, people)
    await save(saved, SOURCE | {"table": "humans"}, ADULTS)
    same = CompareRecipeVersions(transformation_id=saved.id, version=4, with_version=1)
    assert (await stand.ask(same)).steps == ()
    back = CompareRecipeVersions(transformation_id=saved.id, version=1, with_version=3)
    assert [step.kind for step in (await stand.ask(back)).steps] == ["added", "removed"]


async def test_an_old_version_is_brought_back_as_a_new_one(stand, saved):
    reader = await stand.transformation("Reader", {"type": "source", "table": "Adults"})
    assert [column.name for column in reader.columns] == ["Name"]
    restored = await stand.ask(RestoreRecipeVersion(transformation_id=saved.id, version=1))
    assert restored.version == 4
    assert restored.recipe["steps"] == [SOURCE, ADULTS]
    assert [column.name for column in restored.columns] == ["Name", "Age"]
    newest = (await stand.ask(ListRecipeVersions(transformation_id=saved.id, limit=1))).versions
    assert [(one.version, one.restored_from, one.is_current) for one in newest] == [(4, 1, True)]
    reader = await stand.ask(GetTransformation(transformation_id=reader.id))
    assert [column.name for column in reader.columns] == ["Name", "Age"]


async def test_bringing_back_what_stands_is_no_new_version(stand, saved):
    restored = await stand.ask(RestoreRecipeVersion(transformation_id=saved.id, version=3))
    assert restored.version == 3


async def test_a_lost_update_is_refused_when_bringing_back_too(stand, saved):
    stale = RestoreRecipeVersion(transformation_id=saved.id, version=1, if_version=2)
    assert (await refused(stand.ask(stale))).status == 412


async def test_a_version_that_fits_no_more_is_refused_at_its_step(
    stand, saved, people, column_factory
):
    await stand.declare("people", column_factory(name="text"), people)
    problem = await refused(stand.ask(RestoreRecipeVersion(transformation_id=saved.id, version=2)))
    assert (problem.status, problem.code) == (422, "invalid_recipe")
    assert [(error.step, error.code) for error in problem.errors] == [
        (1, "unknown_column"),
        (2, "unknown_column"),
    ]
    kept = await stand.ask(GetTransformation(transformation_id=saved.id))
    assert kept.version == 3


async def test_a_table_that_is_gone_is_named_as_it_was_and_found_again_by_that(
    stand, saved, people, held, save
):
    await stand.declare("other", held)
    await save(saved, SOURCE | {"table": "other"})
    await stand.ask(DropTable(table_id=people))
    old = await stand.ask(GetRecipeVersion(transformation_id=saved.id, version=1))
    assert old.recipe["steps"][0] == SOURCE
    restore = RestoreRecipeVersion(transformation_id=saved.id, version=1)
    problem = await refused(stand.ask(restore))
    assert [(error.step, error.code) for error in problem.errors] == [(0, "unknown_table")]
    assert "'people'" in problem.detail
    again = await stand.declare("people", held)
    restored = await stand.ask(restore)
    assert restored.version == 5
    table = await stand.ask(GetTable(name=str(again)))
    assert table.used_by == ("Adults",)


async def test_a_version_that_would_close_a_cycle_is_not_brought_back(stand, saved, save):
    await stand.transformation("Reader", {"type": "source", "table": "Adults"})
    second = await stand.transformation("Second", {"type": "source", "table": "Reader"})
    await save(second, SOURCE)
    await save(saved, {"type": "source", "table": "Second"})
    problem = await refused(stand.ask(RestoreRecipeVersion(transformation_id=second.id, version=1)))
    assert [error.code for error in problem.errors] == ["cycle"]
    assert "'Second' → 'Adults' → 'Reader' → 'Second'" in problem.detail


async def test_renaming_an_output_breaks_no_reader(stand, saved, save):
    reader = await stand.transformation("Reader", {"type": "source", "table": "adults"})
    renamed = UpdateTransformation(transformation_id=saved.id, output_table_name="Grown-ups")
    await stand.ask(renamed)
    shown = await stand.ask(GetTransformation(transformation_id=reader.id))
    assert shown.recipe["steps"][0]["table"] == "Grown-ups"
    assert shown.version == 1
    problem = await refused(stand.transformation("New", {"type": "source", "table": "Adults"}))
    assert [error.code for error in problem.errors] == ["unknown_table"]


async def test_renaming_a_joined_table_changes_no_column(stand, people, column_factory):
    places = await stand.declare("places", column_factory(name="text", region="text"))
    join = {"type": "join", "with": "PLACES", "left_on": "Name", "right_on": "Name"}
    keep = {"type": "select", "columns": ["Name", "places_Region"]}
    saved = await stand.transformation("Joined", SOURCE, join, keep)
    shown = saved.recipe["steps"]
    assert shown[1] == join | {"with": "places"}, "what nobody wrote is not shown"
    await stand.declare("areas", column_factory(name="text", region="text"), places)
    shown = await stand.ask(GetTransformation(transformation_id=saved.id))
    recipe = shown.recipe
    assert recipe["steps"][1] == join | {"with": "areas", "prefix": "places_"}
    assert [column.name for column in shown.columns] == ["Name", "places_Region"]
    again = await stand.ask(UpdateTransformation(transformation_id=saved.id, recipe=recipe))
    assert again.version == saved.version, "saving what was shown is no change"


async def test_a_save_and_a_delete_at_once_never_leave_a_reader_without_its_table(
    stand, people, orchestrator
):
    for turn in range(8):
        saved = await stand.transformation(f"Base {turn}", SOURCE)
        source = {"type": "source", "table": f"Base {turn}"}
        results = await asyncio.gather(
            stand.ask(DeleteTransformation(transformation_id=saved.id)),
            stand.transformation(f"Reader {turn}", source),
            stand.transformation(f"Other {turn}", source),
            return_exceptions=True,
        )
        deleted, *readers = [not isinstance(result, ProblemError) for result in results]
        assert deleted != any(readers), results
        problems = [result.problem for result in results if isinstance(result, ProblemError)]
        assert {problem.status for problem in problems} <= {409, 422}
        for reader in results[1:]:
            if not isinstance(reader, BaseException):
                table = await stand.ask(GetTable(name=f"Base {turn}"))
                assert reader.name in table.used_by


async def test_nothing_begins_with_a_recipe_that_is_being_deleted(
    stand, transform, people, orchestrator
):
    saved = await stand.transformation("Base", SOURCE)
    plan = PlanTransformations(transformation_ids=(saved.id,), source_table_ids=(people,))
    async with Store(transform.database).deleting(stand.org_id, saved.id):
        problem = await refused(stand.ask(plan))
        assert (problem.status, problem.code) == (503, "being_deleted")
    assert await stand.ask(plan), "what was not deleted in the end can be run again"
    await stand.transformation("Reader", {"type": "source", "table": "Base"})
    assert (
        await refused(stand.ask(DeleteTransformation(transformation_id=saved.id)))
    ).status == 409
    assert await stand.ask(plan)


async def test_a_source_and_a_save_at_once_never_leave_a_reader_without_its_table(stand, held):
    for turn in range(8):
        table_id = await stand.declare(f"base {turn}", held)
        results = await asyncio.gather(
            stand.ask(DropTable(table_id=table_id)),
            stand.transformation(f"Reader {turn}", {"type": "source", "table": f"base {turn}"}),
            return_exceptions=True,
        )
        dropped, read = [not isinstance(result, ProblemError) for result in results]
        assert dropped != read, results
