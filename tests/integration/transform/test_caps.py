"""How much an organisation may have in transform: past a cap the answer names it and the way out."""

import pytest

from contracts.envelope import new_id
from contracts.problem import ProblemError
from contracts.shares import RECIPE_VERSIONS, TABLES, TRANSFORMATIONS
from contracts.transform import (
    CreateTransformation,
    GetTransformation,
    ListRecipeVersions,
    UpdateTransformation,
    ValidateRecipe,
)
from transform.catalogue import Catalogue

SOURCE = {"type": "source", "table": "people"}
_TABLES = (
    "INSERT INTO warehouse_tables (table_id, org_id, kind, display_name, display_key, expected)"
    " SELECT gen_random_uuid(), $1, $3, n, n, '[]'"
    " FROM generate_series(1, $2) AS number, LATERAL (SELECT number::text) AS named (n)"
)


@pytest.fixture
async def people(stand, column_factory):
    return await stand.declare("people", column_factory(name="text", age="integer"))


def create(name: str) -> CreateTransformation:
    return CreateTransformation(transformation_id=new_id(), name=name, recipe={"steps": [SOURCE]})


async def refused(waiting):
    with pytest.raises(ProblemError) as raised:
        await waiting
    return raised.value.problem


async def test_an_organisation_has_so_many_tables_and_no_more(stand, people, transform):
    async with transform.database.organization(stand.org_id) as connection:
        await connection.execute(_TABLES, stand.org_id, TABLES.each - 2, "source")
    last = await stand.declare("last", ())
    problem = await refused(stand.declare("one more", ()))
    assert (problem.status, problem.code) == (409, "too_many_tables")
    assert f"{TABLES.each:,}" in problem.detail
    assert "Delete sources" in problem.detail
    assert (await refused(stand.ask(create("Adults")))).code == "too_many_tables"
    # One that is there may be declared again, with other columns and another name.
    await stand.declare("renamed", (), table_id=last)


async def test_an_organisation_has_so_many_transformations(stand, people, transform):
    async with transform.database.organization(stand.org_id) as connection:
        await connection.execute(_TABLES, stand.org_id, TRANSFORMATIONS.each, "transform")
        await connection.execute(
            "INSERT INTO transformations"
            " (transformation_id, org_id, name, name_key, version, digest)"
            " SELECT table_id, org_id, display_name, display_key, 1, '' FROM warehouse_tables"
            " WHERE kind = 'transform'"
        )
    problem = await refused(stand.ask(create("Adults")))
    assert (problem.status, problem.code) == (409, "too_many_transformations")
    assert "Delete one" in problem.detail


async def test_the_oldest_versions_of_a_recipe_go(stand, people, transform):
    made = await stand.ask(create("Adults"))
    own = made.id
    async with transform.database.organization(stand.org_id) as connection:
        await connection.execute(
            "INSERT INTO transformation_versions"
            " (transformation_id, version, org_id, recipe, saved_by)"
            " SELECT $1, number, $2, (SELECT recipe FROM transformation_versions"
            "   WHERE transformation_id = $1 AND version = 1), 'tester'"
            " FROM generate_series(2, $3) AS number",
            own,
            stand.org_id,
            RECIPE_VERSIONS.each,
        )
        await connection.execute(
            "UPDATE transformations SET version = $2 WHERE transformation_id = $1",
            own,
            RECIPE_VERSIONS.each,
        )
    await stand.ask(UpdateTransformation(transformation_id=own, description="Of age"))
    assert (await stand.ask(GetTransformation(transformation_id=own))).version == 501
    found, cursor = [], None
    while True:
        page = await stand.ask(ListRecipeVersions(transformation_id=own, limit=100, cursor=cursor))
        found += [version.version for version in page.versions]
        if (cursor := page.next_cursor) is None:
            break
    assert found == list(range(501, 1, -1))


async def test_of_tables_that_a_recipe_does_not_mention_only_the_names_are_read(
    stand, people, transform, column_factory
):
    wide = await stand.declare("Wide", column_factory(**{f"c{n}": "text" for n in range(100)}))
    found = await Catalogue(transform.database).around(stand.org_id, [{"steps": [SOURCE]}])
    assert {table.table_id: len(table.columns) for table in found} == {people: 2, wide: 0}
    for name in ("WIDE", f"source_{wide.hex}"):
        recipe: dict[str, object] = {"steps": [{"type": "source", "table": name}]}
        found = await Catalogue(transform.database).around(stand.org_id, [recipe])
        assert {table.table_id: len(table.columns) for table in found} == {people: 0, wide: 100}
        checked = await stand.ask(ValidateRecipe(recipe=recipe))
        assert len(checked.steps[0].columns) == 100
    unknown = await stand.ask(
        ValidateRecipe(recipe={"steps": [{"type": "source", "table": "peple"}]})
    )
    assert set(unknown.errors[0].alternatives) == {"people", "Wide"}
