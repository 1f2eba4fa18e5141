"""What a recipe requires of its data: a failed check publishes nothing, a warning goes along."""

from contracts.transform import TransformationBuilt, TransformationFailed, UpdateTransformation
from warehouse import names

PEOPLE = "SELECT * FROM (VALUES ('Ada', 36), ('Ben', 17), (NULL, 50)) people (name, age)"
SOURCE = {"type": "source", "table": "people"}
UNIQUE = {"type": "assert", "check": "unique", "columns": ["Name"]}
NAMED = {"type": "assert", "check": "not_blank", "columns": ["Name"], "id": "named"}
ADULT = {"type": "assert", "check": "between", "columns": ["Age"], "min": 18, "max": 120}


async def people(stand, column_factory):
    return await stand.source("people", PEOPLE, column_factory(name="text", age="integer"))


async def relations(stand) -> set[str]:
    connection = await stand.connection("transform")
    try:
        rows = await connection.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = $1",
            names.data_schema(stand.org_id),
        )
    finally:
        await connection.close()
    return {row["tablename"] for row in rows}


async def test_checks_that_hold_change_nothing(stand, column_factory):
    await people(stand, column_factory)
    saved = await stand.transformation("Checked", SOURCE, UNIQUE)
    built = await stand.build(saved.id)
    assert isinstance(built, TransformationBuilt)
    assert (built.tables[0].rows, built.warnings) == (3, ())


async def test_a_failed_check_fails_the_step_and_leaves_nothing(stand, column_factory):
    version = await people(stand, column_factory)
    saved = await stand.transformation("Checked", SOURCE, UNIQUE, NAMED, ADULT)
    failed = await stand.build(saved.id)
    assert isinstance(failed, TransformationFailed)
    assert (failed.problem.status, failed.problem.code) == (422, "assert_failed")
    assert failed.problem.detail == (
        "Step 2: 1 row has a blank in 'Name'. "
        "Step 3: 1 row has a value in 'Age' that is not between 18 and 120: 17."
    )
    found = [(error.step, error.step_id, error.field) for error in failed.problem.errors]
    assert found == [(2, "named", "columns.0"), (3, None, "columns.0")]
    assert await relations(stand) == {version.relation}


async def test_a_warning_goes_with_the_result_and_with_every_later_one(stand, column_factory):
    await people(stand, column_factory)
    saved = await stand.transformation("Checked", SOURCE, NAMED | {"severity": "warn"})
    built = await stand.build(saved.id)
    assert isinstance(built, TransformationBuilt)
    assert [(notice.code, notice.message) for notice in built.warnings] == [
        ("assert_failed", "Step 1: 1 row has a blank in 'Name'.")
    ]
    await stand.publish(*built.tables)
    again = await stand.build(saved.id)
    assert again.unchanged
    assert again.warnings == built.warnings


async def test_a_check_that_is_new_runs_although_the_rows_are_the_same(stand, column_factory):
    await people(stand, column_factory)
    loose = await stand.transformation("Checked", SOURCE)
    built = await stand.build(loose.id)
    await stand.publish(*built.tables)
    await stand.ask(
        UpdateTransformation(transformation_id=loose.id, recipe={"steps": [SOURCE, NAMED]})
    )
    failed = await stand.build(loose.id)
    assert isinstance(failed, TransformationFailed)
    assert failed.problem.code == "assert_failed"


async def test_another_table_is_looked_into_at_the_version_of_the_run(stand, column_factory):
    await people(stand, column_factory)
    known = await stand.source("known", "SELECT 'Ada' AS name", column_factory(name="text"))
    references = {
        "type": "assert",
        "check": "references",
        "columns": ["Name"],
        "table": "known",
        "table_columns": ["Name"],
    }
    saved = await stand.transformation("Checked", SOURCE, references)
    failed = await stand.build(saved.id)
    assert failed.problem.detail == (
        "Step 1: 1 row has a value in 'Name' that is not in 'known': 'Ben'."
    )
    both = "SELECT * FROM (VALUES ('Ada'), ('Ben')) known (name)"
    newer = await stand.load(known.table_id, both, known.columns, "g")
    assert isinstance(await stand.build(saved.id, inputs=(newer,)), TransformationBuilt)
