"""From a loaded source to what readers see: build, publish, preview."""

import asyncpg

from contracts.transform import (
    GetTable,
    GetTransformation,
    PreviewRecipe,
    PreviewTable,
    PublishFailed,
    RunPublished,
    ShowSql,
    SortItem,
    TransformationBuilt,
    TransformationFailed,
)
from warehouse import names

PEOPLE = "SELECT * FROM (VALUES ('Ada', 36), ('Ben', 17), (NULL, 50)) people (name, age)"


async def adults(stand, people):
    """A recipe over the table `people`."""
    return await stand.transformation(
        "Adults",
        {"type": "source", "table": "people"},
        {"type": "filter", "column": "Age", "operator": "greater_or_equal", "value": 18},
    )


def held(column_factory):
    return column_factory(name="text", age="integer")


async def test_a_source_is_built_on_published_and_read(stand, column_factory):
    await stand.source("people", PEOPLE, held(column_factory))
    saved = await adults(stand, "people")
    built = await stand.build(saved.id)
    assert isinstance(built, TransformationBuilt)
    assert (built.unchanged, built.lease) == (False, 1)
    (version,) = built.tables
    assert (version.table_id, version.rows) == (saved.output_table_id, 2)
    assert version.bytes > 0
    assert [column.name for column in version.columns] == ["Name", "Age"]

    published = await stand.publish(version)
    assert isinstance(published, RunPublished)
    page = await stand.ask(PreviewTable(name="Adults", sort=(SortItem(column="Age"),)))
    assert page.rows == ({"Name": "Ada", "Age": 36}, {"Name": None, "Age": 50})
    assert page.total_count == 2
    assert page.types == {"Name": "text", "Age": "integer"}
    table = await stand.ask(GetTable(name="adults"))
    assert (table.row_count, table.version) == (2, version.version_id)
    saved = await stand.ask(GetTransformation(transformation_id=saved.id))
    assert saved.last_run_at is not None


async def test_readers_find_the_table_under_its_live_name(stand, ground, column_factory):
    version = await stand.source("people", PEOPLE, held(column_factory))
    live = names.qualified(
        names.live_schema(stand.org_id), names.live_name("source", version.table_id)
    )
    reader = await asyncpg.connect(ground.superuser_url)
    try:
        await reader.execute(f"SET ROLE {names.quoted(names.reader_role(stand.org_id))}")
        rows = await reader.fetch(f"SELECT name, age FROM {live} ORDER BY age")
    finally:
        await reader.close()
    assert [tuple(row) for row in rows] == [("Ben", 17), ("Ada", 36), (None, 50)]


async def test_a_build_over_the_same_inputs_is_unchanged_unless_forced(stand, column_factory):
    await stand.source("people", PEOPLE, held(column_factory))
    saved = await adults(stand, "people")
    (version,) = (await stand.build(saved.id)).tables
    await stand.publish(version)
    again = await stand.build(saved.id)
    assert again.unchanged
    assert again.tables == (version,)
    forced = await stand.build(saved.id, force=True)
    assert not forced.unchanged
    assert forced.tables[0].version_id != version.version_id
    assert forced.tables[0].fingerprint == version.fingerprint


async def test_a_later_day_changes_nothing_in_a_recipe_without_today(stand, column_factory):
    await stand.source("people", PEOPLE, held(column_factory))
    saved = await adults(stand, "people")
    (version,) = (await stand.build(saved.id)).tables
    await stand.publish(version)
    command = await stand.command(saved.id)
    later = await stand.build(saved.id, as_of=command.as_of.replace(year=2030))
    assert later.unchanged


async def test_a_recipe_that_misfits_its_real_inputs_fails_at_its_step(stand, column_factory):
    table_id = await stand.declare("people", held(column_factory))
    saved = await adults(stand, "people")
    version = await stand.load(table_id, "SELECT 'Ada' AS name", column_factory(name="text"))
    await stand.publish(version)
    failed = await stand.build(saved.id)
    assert isinstance(failed, TransformationFailed)
    assert failed.problem.code == "invalid_recipe"
    assert [(error.step, error.field) for error in failed.problem.errors] == [(1, "column")]
    assert "Age" in failed.problem.detail


async def test_data_that_breaks_the_statement_fails_in_words(stand, column_factory):
    """The loader said integer and wrote text: no recipe can foresee that."""
    await stand.source(
        "people", "SELECT 'Ada' AS name, 'x' AS age", column_factory(name="text", age="decimal")
    )
    saved = await stand.transformation(
        "Doubled",
        {"type": "source", "table": "people"},
        {
            "type": "add_column",
            "name": "twice",
            "expression_type": "math",
            "left": "Age",
            "operator": "*",
            "right": "2",
        },
    )
    failed = await stand.build(saved.id)
    assert isinstance(failed, TransformationFailed)
    assert failed.problem.code == "data_does_not_fit"
    assert "SELECT" not in failed.problem.detail


async def test_chained_recipes_build_from_what_the_run_made(stand, column_factory):
    await stand.source("people", PEOPLE, held(column_factory))
    first = await adults(stand, "people")
    second = await stand.transformation(
        "How many",
        {"type": "source", "table": "Adults"},
        {"type": "group", "by": [], "aggregates": [{"function": "count_rows", "alias": "n"}]},
    )
    (made,) = (await stand.build(first.id)).tables
    built = await stand.build(second.id, inputs=(made,))
    await stand.publish(made, *built.tables)
    page = await stand.ask(PreviewTable(name="How many"))
    assert page.rows == ({"n": 2},)


async def test_a_preview_of_a_recipe_pages_without_overlap(stand, column_factory):
    await stand.source(
        "numbers",
        "SELECT n, n % 3 AS rest FROM generate_series(1, 50) n",
        column_factory(n="integer", rest="integer"),
    )
    recipe: dict[str, object] = {"steps": [{"type": "source", "table": "numbers"}]}
    seen = []
    for offset in range(0, 50, 20):
        page = await stand.ask(
            PreviewRecipe(recipe=recipe, limit=20, offset=offset, sort=(SortItem(column="Rest"),))
        )
        assert page.total_count == 50
        seen += [row["N"] for row in page.rows]
    assert sorted(seen) == list(range(1, 51))


async def test_a_preview_stops_at_the_step_that_was_asked_for(stand, column_factory):
    await stand.source("people", PEOPLE, held(column_factory))
    recipe: dict[str, object] = {
        "steps": [
            {"type": "source", "table": "people"},
            {"type": "select", "columns": ["Name"]},
        ]
    }
    page = await stand.ask(PreviewRecipe(recipe=recipe, until_step=0, count="none"))
    assert page.columns == ("Name", "Age")
    assert page.total_count is None


async def test_the_sql_that_people_see_reads_live_names(stand, column_factory):
    version = await stand.source("people", PEOPLE, held(column_factory))
    saved = await adults(stand, "people")
    sql = (await stand.ask(ShowSql(transformation_id=saved.id))).sql
    assert names.live_name("source", version.table_id) in sql
    assert version.relation not in sql


async def test_a_version_that_is_gone_fails_the_publish_and_changes_nothing(stand, column_factory):
    version = await stand.source("people", PEOPLE, held(column_factory))
    gone = version.model_copy(update={"version_id": stand.org_id, "relation": "v_gone"})
    failed = await stand.publish(gone)
    assert isinstance(failed, PublishFailed)
    assert failed.problem.code == "version_gone"
    assert (await stand.ask(GetTable(name="people"))).version == version.version_id
