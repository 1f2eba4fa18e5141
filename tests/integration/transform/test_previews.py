"""Pages of previews: which rows, in which order, how many there are, and how values look."""

import asyncpg
import pytest

from contracts.problem import ProblemError
from contracts.transform import PreviewRecipe, PreviewTable, SortItem
from warehouse.names import data_schema

PEOPLE = """SELECT n AS id, CASE n % 3 WHEN 0 THEN 'Ada' WHEN 1 THEN 'ben' END AS name, n % 5 AS age
            FROM generate_series(10, 1, -1) AS n"""
SOURCE = {"type": "source", "table": "people"}
GROUPED = {"type": "group", "by": ["Age"], "aggregates": [{"function": "count_rows", "alias": "n"}]}


async def refused(waiting):
    with pytest.raises(ProblemError) as raised:
        await waiting
    return raised.value.problem


@pytest.fixture
async def people(stand, column_factory):
    """Ten people, stored with the highest id first."""
    held = column_factory(id="integer", name="text", age="integer")
    return await stand.source("people", PEOPLE, held)


def column(page, name="Id"):
    return [row[name] for row in page.rows]


async def test_a_table_is_shown_in_the_order_in_which_it_was_loaded(stand, people):
    first = await stand.ask(PreviewTable(name="people", limit=6))
    second = await stand.ask(PreviewTable(name="people", limit=6, offset=6))
    assert column(first) + column(second) == list(range(10, 0, -1))
    assert first.total_count == second.total_count == 10
    assert first.types == {"Id": "integer", "Name": "text", "Age": "integer"}


async def test_a_page_is_sorted_by_several_columns_and_ties_never_move(stand, people):
    sort = (SortItem(column="Name"), SortItem(column="Age", descending=True))
    pages = [
        await stand.ask(PreviewTable(name="people", limit=3, offset=offset, sort=sort))
        for offset in range(0, 10, 3)
    ]
    found = [row for page in pages for row in page.rows]
    assert column(pages[0], "Name") == ["Ada", "Ada", "Ada"]
    assert sorted(row["Id"] for row in found) == list(range(1, 11))
    assert [row["Age"] for row in found if row["Name"] == "ben"] == [4, 2, 1, 0]
    assert [row["Name"] for row in found][-3:] == [None, None, None]


async def test_rows_that_were_made_have_an_order_too(stand, people):
    recipe: dict[str, object] = {"steps": [SOURCE, GROUPED]}
    pages = [
        await stand.ask(PreviewRecipe(recipe=recipe, limit=2, offset=offset))
        for offset in (0, 2, 4)
    ]
    assert [row["Age"] for page in pages for row in page.rows] == [0, 1, 2, 3, 4]


async def test_a_filter_narrows_the_page_and_the_count(stand, people):
    old: dict[str, object] = {
        "all": [
            {"column": "Age", "operator": "greater_than", "value": "2"},
            {"not": {"column": "Name", "operator": "is_blank"}},
        ]
    }
    page = await stand.ask(PreviewTable(name="people", filter=old))
    assert (column(page), page.total_count) == ([9, 4, 3], 3)
    many: dict[str, object] = {"column": "n", "operator": "equals", "value": 2}
    page = await stand.ask(PreviewRecipe(recipe={"steps": [SOURCE, GROUPED]}, filter=many, limit=2))
    assert (page.total_count, len(page.rows)) == (5, 2)


async def test_a_filter_that_does_not_fit_is_told_at_its_place(stand, people):
    unknown: dict[str, object] = {"any": [{"column": "Agee", "operator": "equals", "value": 1}]}
    problem = await refused(stand.ask(PreviewTable(name="people", filter=unknown)))
    assert (problem.status, problem.code) == (422, "bad_filter")
    (error,) = problem.errors
    assert (error.field, error.code) == ("filter.any.0.column", "unknown_column")
    assert error.alternatives[0] == "Age"
    wrong: dict[str, object] = {"column": "Age", "operator": "is", "value": 1}
    problem = await refused(stand.ask(PreviewTable(name="people", filter=wrong)))
    assert [(e.field, e.code) for e in problem.errors] == [("filter.operator", "unknown_operator")]


async def test_what_is_sorted_by_must_be_a_column(stand, people):
    problem = await refused(stand.ask(PreviewTable(name="people", sort=(SortItem(column="Agee"),))))
    assert (problem.code, problem.errors[0].field) == ("bad_sort", "sort")
    assert problem.errors[0].alternatives[0] == "Age"


async def test_the_same_rows_are_not_counted_twice(stand, people):
    adults: dict[str, object] = {"column": "Age", "operator": "greater_than", "value": 1}

    async def total(filter, **more):
        request = PreviewTable(name="people", filter=filter, limit=1, **more)
        return (await stand.ask(request)).total_count

    assert await total(adults) == 6
    connection = await asyncpg.connect(stand.ground.superuser_url)
    try:
        # No version ever changes; here it does, so that counting again would show.
        table = f'"{data_schema(stand.org_id)}"."{people.relation}"'
        await connection.execute(f"DELETE FROM {table}")
    finally:
        await connection.close()
    assert await total(adults, offset=3, sort=(SortItem(column="Id"),)) == 6
    assert await total(adults, count="none") is None
    assert await total({**adults, "value": 2}) == 0
    assert await total(None) == 10, "how many rows a version has was counted when it was written"


async def test_steps_before_a_broken_one_are_shown(stand, people):
    broken = {"type": "fliter", "column": 3}
    recipe: dict[str, object] = {"steps": [SOURCE, GROUPED, broken]}
    page = await stand.ask(PreviewRecipe(recipe=recipe, until_step=0))
    assert page.columns == ("Id", "Name", "Age")
    page = await stand.ask(PreviewRecipe(recipe=recipe, until_step=1))
    assert page.columns == ("Age", "n")
    problem = await refused(stand.ask(PreviewRecipe(recipe=recipe, until_step=2)))
    assert [(e.step, e.code) for e in problem.errors] == [(2, "unknown_step")]
    problem = await refused(stand.ask(PreviewRecipe(recipe=recipe, until_step=3)))
    assert (problem.status, problem.code) == (422, "bad_until_step")
    assert "last one is 2" in problem.detail


async def test_values_are_written_so_that_no_browser_misreads_them(stand, column_factory):
    await stand.source(
        "wide",
        """SELECT 9007199254740993::numeric AS i, 0.1234567890123456::numeric AS d,
                  'NaN'::float8 AS f, date '2026-02-28' AS day,
                  timestamp '2026-02-28 13:45' AS moment, '{"a": [9007199254740993]}'::jsonb AS j""",
        column_factory(
            i="integer", d="decimal", f="decimal", day="date", moment="timestamp", j="json"
        ),
    )
    (row,) = (await stand.ask(PreviewTable(name="wide"))).rows
    assert row == {
        "I": "9007199254740993",
        "D": "0.1234567890123456",
        "F": None,
        "Day": "2026-02-28",
        "Moment": "2026-02-28T13:45:00",
        "J": {"a": ["9007199254740993"]},
    }


async def test_a_preview_shows_a_new_version_as_soon_as_it_is_published(stand, people):
    assert (await stand.ask(PreviewTable(name="people"))).total_count == 10
    again = await stand.load(people.table_id, f"{PEOPLE} LIMIT 3", people.columns)
    await stand.publish(again)
    page = await stand.ask(PreviewTable(name="people"))
    assert (column(page), page.total_count) == ([10, 9, 8], 3)


async def test_cells_that_are_too_long_to_be_shown_are_cut_and_say_so(stand, column_factory):
    held = column_factory(id="integer", note="text", answers="json", share="decimal")
    select = """SELECT n AS id, repeat('ä', n * 9000) AS note,
        jsonb_build_object('a', repeat('x', n * 9000)) AS answers,
        (repeat('7', n * 9000) || '.5')::numeric AS share FROM unnest(ARRAY[1, 10]) n"""
    await stand.source("notes", select, held)
    sort = (SortItem(column="Note", descending=True),)
    page = await stand.ask(PreviewTable(name="notes", limit=10, sort=sort))
    longest, short = page.rows
    assert (longest["Id"], short["Id"]) == (10, 1)
    assert longest["Note"] == "ä" * 10_000 + "…"
    assert longest["Answers"] == '{"a": "' + "x" * 9_993 + "…"
    assert longest["Share"] == "7" * 10_000 + "…"
    assert short["Note"] == "ä" * 9_000
    assert short["Answers"] == {"a": "x" * 9_000}
    assert short["Share"] == "7" * 9_000 + ".5"
    # As long as a page of so many rows may hold.
    page = await stand.ask(PreviewTable(name="notes", limit=1000, sort=sort))
    assert [row["Note"] for row in page.rows] == ["ä" * 4_000 + "…"] * 2
    recipe: dict[str, object] = {"steps": [{"type": "source", "table": "notes"}]}
    page = await stand.ask(PreviewRecipe(recipe=recipe, limit=2))
    assert {row["Note"] for row in page.rows} == {"ä" * 9_000, "ä" * 10_000 + "…"}
