"""What the planner reckons of a recipe, told before anything is built."""

import pytest
import pytest_asyncio

from contracts.problem import ProblemError
from contracts.transform import PreviewRecipe, ValidateRecipe

NUMBERS = "SELECT n, md5(n::text) AS word FROM generate_series(1, 10000) n"
FEW_KEYS = "SELECT n % 10 AS n, md5(n::text) AS word FROM generate_series(1, 10000) n"
SOURCE = {"type": "source", "table": "left"}
CROSS = {"type": "join", "with": "right", "join_type": "cross"}
KEYED = {"type": "join", "with": "right", "left_on": "N", "right_on": "N"}
LIMITED = {"type": "limit", "count": 10}
GROUPED = {
    "type": "group",
    "by": ["Word"],
    "aggregates": [{"column": "right_N", "function": "sum", "alias": "sum"}],
}


@pytest_asyncio.fixture
async def transform(start_service):
    """The service, with some patience for a busy machine."""
    return await start_service("transform", PREVIEW_TIMEOUT="4")


@pytest.fixture
def held(column_factory):
    return column_factory(n="integer", word="text")


@pytest_asyncio.fixture
async def tables(stand, held):
    """Fills 'left' and 'right'."""

    async def fill(select: str) -> None:
        await stand.source("left", select, held)
        await stand.source("right", select, held)

    return fill


async def validated(stand, *steps):
    checked = await stand.ask(ValidateRecipe(recipe={"steps": [SOURCE, *steps]}))
    assert checked.valid
    return checked.warnings


async def test_a_cross_join_is_warned_of_at_its_step(stand, tables):
    await tables(NUMBERS)
    (warning,) = await validated(stand, CROSS)
    assert warning.code == "build_too_large_expected"
    assert warning.message.startswith("About 100,000,000 rows (")
    assert "Look at step 1: it pairs every row with every row of 'right'." in warning.message


async def test_a_key_that_repeats_on_both_sides_is_warned_of(stand, tables):
    await tables(FEW_KEYS)
    (warning,) = await validated(stand, {"type": "sort", "columns": [{"column": "N"}]}, KEYED)
    assert warning.code == "many_rows_expected"
    assert "the largest table that is read has 10,000." in warning.message
    assert "Look at step 2: it joins 'right' by 'N'." in warning.message


async def test_rows_that_arise_on_the_way_to_few_are_warned_of(stand, tables):
    await tables(NUMBERS)
    (warning,) = await validated(stand, CROSS, GROUPED)
    assert warning.code == "many_rows_expected"
    assert "About 100,000,000 rows arise on the way" in warning.message


async def test_what_stands_before_columns_that_are_named_in_the_data_is_warned_of(stand, tables):
    await tables("SELECT 1 AS n, md5(n::text) AS word FROM generate_series(1, 1100) n")
    pivot = {
        "type": "pivot",
        "index": ["Word"],
        "names_from": "N",
        "values_from": "right_Word",
        "function": "count",
    }
    (warning,) = await validated(stand, KEYED, pivot)
    assert "Look at step 1" in warning.message


async def test_an_ordinary_join_is_not_warned_of(stand, tables):
    await tables(NUMBERS)
    assert await validated(stand, KEYED, KEYED | {"prefix": "again_"}) == ()


async def test_a_recipe_over_tables_without_data_is_not_warned_of(stand, held):
    await stand.declare("left", held)
    await stand.declare("right", held)
    assert await validated(stand, CROSS) == ()


async def test_a_preview_warns_of_the_steps_that_it_shows(stand, tables):
    await tables(FEW_KEYS)
    steps = [SOURCE, LIMITED, KEYED, CROSS | {"prefix": "all_"}]
    page = await stand.ask(PreviewRecipe(recipe={"steps": steps}, until_step=2, count="none"))
    assert page.warnings == ()
    steps = [SOURCE, KEYED, LIMITED]
    page = await stand.ask(PreviewRecipe(recipe={"steps": steps}, count="none"))
    assert [warning.code for warning in page.warnings] == ["many_rows_expected"]


async def test_a_preview_that_takes_too_long_says_what_is_to_be_expected(stand, tables):
    await tables(NUMBERS)
    with pytest.raises(ProblemError) as raised:
        await stand.ask(PreviewRecipe(recipe={"steps": [SOURCE, CROSS]}))
    problem = raised.value.problem
    assert (problem.status, problem.code) == (504, "preview_timed_out")
    assert "About 100,000,000 rows" in problem.detail
    assert "every row of 'right'" in problem.detail
