"""The catalogue: display names, expected columns, who uses what, and one organisation each."""

import pytest

from contracts.envelope import new_id
from contracts.problem import ProblemError
from contracts.transform import (
    DeclareTable,
    DropTable,
    GetTable,
    ListTables,
    PlanTransformations,
    PreviewTable,
    ProfileTable,
    SortItem,
)
from warehouse import names
from warehouse.access import as_org

ONE = "SELECT 1 AS a, 'x'::text AS b"


@pytest.fixture
def held(column_factory):
    return column_factory(a="integer", b="text")


async def refused(waiting):
    with pytest.raises(ProblemError) as raised:
        await waiting
    return raised.value.problem


async def test_a_declared_table_has_its_expected_columns(stand, held):
    table_id = await stand.declare("Beneficiaries", held)
    table = await stand.ask(GetTable(name=str(table_id)))
    assert table.columns == held
    assert (table.row_count, table.version, table.updated_at) == (None, None, None)
    assert table.physical_name == names.live_name("source", table_id)


@pytest.mark.parametrize("name", ["Beneficiaries", "beneficiaries", " BENEFICIARIES "])
async def test_a_table_is_found_by_id_live_name_and_display_name(stand, held, name):
    table_id = await stand.declare("Beneficiaries", held)
    for given in (name, str(table_id), table_id.hex, names.live_name("source", table_id)):
        assert (await stand.ask(GetTable(name=given))).table_id == table_id


async def test_declaring_again_renames_and_changes_the_expected_columns(stand, held):
    table_id = await stand.declare("Before", held)
    await stand.declare("After", held[:1], table_id)
    table = await stand.ask(GetTable(name="After"))
    assert (table.table_id, table.columns) == (table_id, held[:1])
    assert (await refused(stand.ask(GetTable(name="Before")))).status == 404


@pytest.mark.parametrize("taken", ["people", "People", "PEOPLE ", "\uff50eople"])
async def test_a_name_is_taken_in_any_case_or_width_and_a_free_one_is_offered(stand, held, taken):
    await stand.declare("people", held)
    await stand.declare("people_2", held)
    problem = await refused(stand.declare(taken, held))
    assert (problem.status, problem.code) == (409, "name_taken")
    (error,) = problem.errors
    (free,) = error.alternatives
    await stand.declare(free, held)


async def test_two_organisations_may_use_one_name(stand, other, held):
    assert await stand.declare("people", held) != await other.declare("people", held)


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 201, f"source_{'0' * 32}"])
async def test_a_name_that_cannot_be_is_refused(stand, held, name):
    problem = await refused(stand.declare(name, held))
    assert (problem.status, problem.code) == (422, "bad_name")


async def test_a_table_of_another_organisation_does_not_exist(stand, other, held):
    version = await stand.source("people", ONE, held)
    live = names.live_name("source", version.table_id)
    for name in ("people", live, str(version.table_id)):
        assert (await refused(other.ask(GetTable(name=name)))).status == 404
        assert (await refused(other.ask(PreviewTable(name=name)))).status == 404
    assert (await other.ask(ListTables())).tables == ()
    assert (await refused(other.declare("mine", held, version.table_id))).status == 404
    await other.ask(DropTable(table_id=version.table_id))
    assert (await stand.ask(GetTable(name="people"))).row_count == 1


async def test_tables_come_in_pages_by_name(stand, held):
    for name in ("b", "C", "a", "d", "E"):
        await stand.declare(name, held)
    first = await stand.ask(ListTables(limit=2))
    second = await stand.ask(ListTables(limit=2, cursor=first.next_cursor))
    third = await stand.ask(ListTables(limit=2, cursor=second.next_cursor))
    found = [table.name for page in (first, second, third) for table in page.tables]
    assert found == ["a", "b", "C", "d", "E"]
    assert third.next_cursor is None


async def test_a_cursor_that_is_not_ours_is_refused(stand):
    assert (await refused(stand.ask(ListTables(cursor="nonsense")))).code == "bad_cursor"


async def test_tables_can_be_asked_for_by_id(stand, held):
    one, _ = await stand.declare("one", held), await stand.declare("two", held)
    found = await stand.ask(ListTables(table_ids=(one, new_id())))
    assert [table.name for table in found.tables] == ["one"]


async def test_a_table_that_a_recipe_reads_is_not_dropped(stand, held):
    table_id = await stand.declare("people", held)
    await stand.transformation("Report", {"type": "source", "table": "people"})
    assert (await stand.ask(GetTable(name="people"))).used_by == ("Report",)
    problem = await refused(stand.ask(DropTable(table_id=table_id)))
    assert (problem.status, problem.code) == (409, "in_use")
    assert "'Report'" in problem.detail


async def test_a_dropped_table_leaves_nothing(stand, held):
    version = await stand.source("people", ONE, held)
    for _ in range(2):
        await stand.ask(DropTable(table_id=version.table_id))
    assert (await stand.ask(ListTables())).tables == ()
    connection = await stand.connection("transform")
    try:
        left = await connection.fetchval(
            "SELECT count(*) FROM pg_class WHERE relname = ANY($1)",
            [version.relation, names.live_name("source", version.table_id)],
        )
    finally:
        await connection.close()
    assert left == 0
    await stand.declare("people", held)


async def test_a_view_over_a_version_keeps_the_table_and_is_named(stand, held):
    version = await stand.source("people", ONE, held)
    connection = await stand.connection("transform")
    report = names.qualified(names.live_schema(stand.org_id), "report")
    relation = names.qualified(names.data_schema(stand.org_id), version.relation)
    async with connection.transaction(), as_org(connection, stand.org_id):
        await connection.execute(f"CREATE VIEW {report} AS SELECT a FROM {relation}")
    await connection.close()
    problem = await refused(stand.ask(DropTable(table_id=version.table_id)))
    assert (problem.status, problem.code) == (409, "in_use")
    assert "report" in problem.detail
    assert (await stand.ask(PreviewTable(name="people"))).total_count == 1


async def test_the_table_of_a_transformation_goes_with_it_only(stand, held):
    await stand.declare("people", held)
    saved = await stand.transformation("Report", {"type": "source", "table": "people"})
    problem = await refused(stand.ask(DropTable(table_id=saved.output_table_id)))
    assert problem.code == "in_use"


@pytest.mark.parametrize("read", [PreviewTable, ProfileTable])
@pytest.mark.parametrize("is_known", [True, False])
async def test_a_table_without_data_says_so_when_it_is_looked_at(stand, held, read, is_known):
    await stand.declare("people", held if is_known else ())
    problem = await refused(stand.ask(read(name="people")))
    assert (problem.status, problem.code) == (409, "not_synced")
    assert "'people' has not been synced yet" in problem.detail


async def test_sorting_a_preview_by_no_column_offers_the_columns(stand, held):
    await stand.source("people", ONE, held)
    request = PreviewTable(name="people", sort=(SortItem(column="c"),))
    problem = await refused(stand.ask(request))
    assert problem.status == 422
    assert set(problem.errors[0].alternatives) == {"A", "B"}


async def test_cells_that_a_browser_would_misread_are_text(stand, column_factory):
    await stand.source(
        "odd",
        "SELECT 9007199254740993 AS wide, 42 AS narrow, 0.1234567890123456789::numeric AS long, "
        "1.5::numeric AS short, 'NaN'::numeric AS nothing, DATE '2026-02-28' AS day, "
        "TIMESTAMP '2026-02-28 13:45' AS moment, true AS yes",
        column_factory(
            wide="integer",
            narrow="integer",
            long="decimal",
            short="decimal",
            nothing="decimal",
            day="date",
            moment="timestamp",
            yes="boolean",
        ),
    )
    (row,) = (await stand.ask(PreviewTable(name="odd"))).rows
    assert row == {
        "Wide": "9007199254740993",
        "Narrow": 42,
        "Long": "0.1234567890123456789",
        "Short": 1.5,
        "Nothing": None,
        "Day": "2026-02-28",
        "Moment": "2026-02-28T13:45:00",
        "Yes": True,
    }


async def test_the_plan_refuses_an_input_that_has_no_data(stand, held):
    await stand.declare("people", held)
    saved = await stand.transformation("Report", {"type": "source", "table": "people"})
    request = PlanTransformations(transformation_ids=(saved.id,), source_table_ids=())
    problem = await refused(stand.ask(request))
    assert (problem.status, problem.code) == (422, "not_synced")
    assert "'people'" in problem.detail


async def test_the_plan_pins_recipes_and_what_is_published(stand, held):
    people = await stand.source("people", ONE, held)
    fresh = await stand.declare("fresh", held)
    report = await stand.transformation("Report", {"type": "source", "table": "people"})
    both = await stand.transformation(
        "Both",
        {"type": "source", "table": "Report"},
        {"type": "join", "with": "fresh", "left_on": "A", "right_on": "A"},
    )
    plan = await stand.ask(
        PlanTransformations(transformation_ids=(both.id, report.id), source_table_ids=(fresh,))
    )
    assert [recipe.name for recipe in plan.transformations] == ["Both", "Report"]
    assert plan.transformations[0].reads == tuple(sorted((report.output_table_id, fresh)))
    assert plan.published == (people,)
    assert plan.table_names[fresh] == "fresh"
    assert [notice.code for notice in plan.warnings] == ["read_from_outside"]
    assert "'people'" in plan.warnings[0].message


async def test_the_plan_of_a_recipe_that_is_gone_names_it(stand):
    missing = new_id()
    request = PlanTransformations(transformation_ids=(missing,), source_table_ids=())
    problem = await refused(stand.ask(request))
    assert problem.status == 404
    assert str(missing) in problem.detail


async def test_a_table_may_be_declared_before_the_organisation_is_provisioned(
    transform, ground, connect_bus, org_id, held
):
    ingest = await connect_bus("ingest")
    request = DeclareTable(
        table_id=new_id(), table_kind="source", display_name="early", expected=held
    )
    await ingest.ask(request, org_id=org_id)
