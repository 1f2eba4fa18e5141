"""Lineage: columns and tables, through chains of recipes down to the sources."""

import pytest

from contracts.problem import ProblemError
from contracts.transform import TraceTables, TraceTransformation, UpdateTransformation

PEOPLE = {"type": "source", "table": "people"}
JOIN = {"type": "join", "with": "places", "left_on": "Place", "right_on": "Place"}
ROWS = {"function": "count_rows", "alias": "rows"}
AGES = {"function": "sum", "column": "Age", "alias": "age"}


@pytest.fixture
async def tables(stand, column_factory):
    """Two sources that hold nothing yet: what is expected of them is enough."""
    people = await stand.declare("people", column_factory(name="text", age="integer", place="text"))
    places = await stand.declare("places", column_factory(place="text", region="text"))
    return people, places


@pytest.fixture
async def chain(stand, tables):
    """Three recipes, one upon the other."""
    joined = await stand.transformation("Joined", PEOPLE, JOIN)
    group = {"type": "group", "by": ["places_Region"], "aggregates": [ROWS, AGES]}
    regions = await stand.transformation("Regions", {"type": "source", "table": "Joined"}, group)
    constant = {"name": "form", "expression_type": "constant", "value": "A", "type": "add_column"}
    report = await stand.transformation(
        "Report",
        {"type": "source", "table": "Regions"},
        {"type": "rename", "columns": {"age": "years"}},
        constant,
    )
    return joined, regions, report


def ends(columns, which="origins"):
    return {
        column.name: [(end.table, end.column) for end in getattr(column, which)]
        for column in columns
    }


async def test_columns_are_traced_through_recipes_to_the_sources(stand, chain, tables):
    traced = await stand.ask(TraceTransformation(transformation_id=chain[2].id))
    assert ends(traced.columns) == {
        "places_Region": [("places", "Region")],
        "rows": [("people", None), ("places", None)],
        "years": [("people", "Age")],
        "form": [],
    }
    assert ends(traced.columns, "read")["years"] == [("Regions", "age")]
    (origin,) = traced.columns[2].origins
    assert (origin.table_id, origin.kind) == (tables[0], "source")
    assert [column.type for column in traced.columns] == ["text", "integer", "integer", "text"]


async def test_the_tables_before_and_after_are_told(stand, chain):
    traced = await stand.ask(TraceTransformation(transformation_id=chain[1].id))
    assert [(table.name, table.kind, table.is_direct) for table in traced.upstream] == [
        ("Joined", "transform", True),
        ("people", "source", False),
        ("places", "source", False),
    ]
    assert [(table.name, table.is_direct) for table in traced.downstream] == [("Report", True)]
    first = await stand.ask(TraceTransformation(transformation_id=chain[0].id))
    assert [(table.name, table.is_direct) for table in first.downstream] == [
        ("Regions", True),
        ("Report", False),
    ]


async def test_lineage_follows_a_new_version_and_a_rename(stand, chain, tables, column_factory):
    await stand.ask(TraceTransformation(transformation_id=chain[2].id))
    steps = [PEOPLE, JOIN, {"type": "drop", "columns": ["Age"]}]
    named = {"type": "rename", "columns": {"Name": "Age"}}
    maximum = {"function": "max", "column": "Age", "alias": "age"}
    group = {"type": "group", "by": ["places_Region"], "aggregates": [ROWS, maximum]}
    recipe: dict[str, object] = {"steps": [*steps, named]}
    await stand.ask(UpdateTransformation(transformation_id=chain[0].id, recipe=recipe))
    source = {"type": "source", "table": "Joined"}
    recipe = {"steps": [source, group]}
    await stand.ask(UpdateTransformation(transformation_id=chain[1].id, recipe=recipe))
    held = column_factory(name="text", age="integer", place="text")
    await stand.declare("persons", held, tables[0])
    traced = await stand.ask(TraceTransformation(transformation_id=chain[2].id))
    assert ends(traced.columns)["years"] == [("persons", "Name")]


async def test_where_a_recipe_fits_no_more_lineage_ends_at_its_table(
    stand, chain, tables, column_factory
):
    await stand.declare("people", column_factory(name="text", place="text"), tables[0])
    steps: dict[str, object] = {
        "steps": [PEOPLE, JOIN, {"type": "select", "columns": ["Name", "places_Region"]}]
    }
    joined, regions, report = chain
    await stand.ask(UpdateTransformation(transformation_id=joined.id, recipe=steps))
    with pytest.raises(ProblemError) as raised:
        await stand.ask(TraceTransformation(transformation_id=regions.id))
    assert (raised.value.problem.status, raised.value.problem.code) == (422, "invalid_recipe")
    traced = await stand.ask(TraceTransformation(transformation_id=report.id))
    assert ends(traced.columns)["years"] == [("Regions", "age")]
    listed = (await stand.ask(TraceTables())).tables
    misfits = {table.name: table.misfit for table in listed if table.misfit}
    assert list(misfits) == ["Regions"]
    assert "'Age'" in misfits["Regions"]


async def test_the_whole_warehouse_is_traced_in_pages(stand, chain, tables):
    first = await stand.ask(TraceTables(limit=3))
    second = await stand.ask(TraceTables(limit=3, cursor=first.next_cursor))
    assert second.next_cursor is None
    found = {table.name: table for table in (*first.tables, *second.tables)}
    assert list(found) == ["Joined", "people", "places", "Regions", "Report"]
    people, places = tables
    joined, _, report = chain
    assert found["people"].read_by == (joined.id,)
    assert found["people"].columns[0].origins == ()
    assert set(found["Joined"].reads) == {people, places}
    region = {column.name: column for column in found["Joined"].columns}["places_Region"]
    assert [(end.table_id, end.column) for end in region.origins] == [(places, "Region")]
    rows = {column.name: column for column in found["Regions"].columns}["rows"]
    assert [(end.table_id, end.column) for end in rows.origins] == [(joined.id, None)]
    assert found["Regions"].read_by == (report.id,)


async def test_pages_of_wide_tables_are_shorter(stand, column_factory):
    wide = column_factory(**{f"c{number}": "text" for number in range(1500)})
    for name in "abcd":
        await stand.declare(name, wide)
    seen, cursor = [], None
    while True:
        page = await stand.ask(TraceTables(cursor=cursor))
        seen.append([table.name for table in page.tables])
        if (cursor := page.next_cursor) is None:
            break
    assert seen == [["a", "b"], ["c", "d"]]
    bare = await stand.ask(TraceTables(with_columns=False))
    assert len(bare.tables) == 4


async def test_without_columns_only_the_tables_are_told(stand, chain):
    listed = (await stand.ask(TraceTables(with_columns=False))).tables
    assert {table.name: len(table.reads) for table in listed}["Joined"] == 2
    assert [table.columns for table in listed] == [()] * 5


async def test_lineage_of_another_organisation_does_not_exist(other, chain):
    with pytest.raises(ProblemError) as raised:
        await other.ask(TraceTransformation(transformation_id=chain[0].id))
    assert raised.value.problem.status == 404
    assert (await other.ask(TraceTables())).tables == ()
