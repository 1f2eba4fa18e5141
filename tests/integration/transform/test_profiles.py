"""Profiles: what is in the columns, all rows of a small table, a sample of a large one."""

import pytest

from contracts.problem import ProblemError
from contracts.transform import PreviewRecipe, ProfileRecipe, ProfileTable
from transform import profile

SOURCE = {"type": "source", "table": "people"}


@pytest.fixture
async def people(stand, column_factory):
    """Ten people."""
    return await stand.source(
        "people",
        """SELECT n AS id, CASE WHEN n < 4 THEN 'Ada' WHEN n < 9 THEN 'Ben' END AS name,
                  n / 4.0 AS share, date '2026-01-01' + n AS day,
                  timestamp '2026-01-01' + make_interval(hours => n) AS moment, n > 3 AS grown,
                  jsonb_build_object('n', n % 2) AS answers
           FROM generate_series(1, 10) AS n""",
        column_factory(
            id="integer",
            name="text",
            share="decimal",
            day="date",
            moment="timestamp",
            grown="boolean",
            answers="json",
        ),
    )


async def test_a_profile_says_what_is_in_each_column(stand, people):
    found = await stand.ask(ProfileTable(name="people"))
    assert (found.sampled, found.rows_read, found.total_rows) == (False, 10, 10)
    by_name = {column.name: column for column in found.columns}
    number = by_name["Id"]
    assert (number.type, number.nulls, number.distinct) == ("integer", 0, 10)
    assert (number.min, number.max, number.mean) == (1, 10, 5.5)
    name = by_name["Name"]
    assert (name.nulls, name.distinct, name.min, name.max) == (2, 2, "Ada", "Ben")
    assert [(top.value, top.count) for top in name.top] == [("Ben", 5), ("Ada", 3)]
    assert (name.mean, name.histogram) == (None, ())
    assert [(top.value, top.count) for top in by_name["Grown"].top] == [(True, 7), (False, 3)]
    assert [(top.value, top.count) for top in by_name["Answers"].top] == [
        ('{"n": 0}', 5),
        ('{"n": 1}', 5),
    ]
    assert (by_name["Day"].min, by_name["Day"].max) == ("2026-01-02", "2026-01-11")
    assert by_name["Moment"].max == "2026-01-01T10:00:00"


async def test_a_histogram_has_no_gaps_and_counts_every_row_once(stand, people):
    found = await stand.ask(ProfileTable(name="people"))
    for column in found.columns:
        if column.type not in {"integer", "decimal", "date", "timestamp"}:
            assert column.histogram == ()
            continue
        buckets = column.histogram
        assert sum(bucket.count for bucket in buckets) == 10
        assert buckets[0].from_ == column.min
        assert buckets[-1].to == column.max
        assert [one.to for one in buckets[:-1]] == [one.from_ for one in buckets[1:]]
    days = next(column for column in found.columns if column.name == "Day").histogram
    assert [(day.from_, day.count) for day in days][:2] == [("2026-01-02", 1), ("2026-01-03", 1)]


async def test_the_wire_says_from_and_to(stand, people):
    found = await stand.ask(ProfileTable(name="people"))
    bucket = found.model_dump(mode="json")["columns"][0]["histogram"][0]
    assert bucket == {"from": 1, "to": 2, "count": 1}


async def test_a_recipe_is_profiled_up_to_a_step(stand, people):
    steps = [
        SOURCE,
        {"type": "filter", "column": "Grown", "operator": "is_true"},
        {"type": "group", "by": ["Name"], "aggregates": [{"function": "count_rows", "alias": "n"}]},
    ]
    recipe: dict[str, object] = {"steps": steps}
    grouped = await stand.ask(ProfileRecipe(recipe=recipe))
    assert [(column.name, column.distinct) for column in grouped.columns] == [("Name", 1), ("n", 2)]
    assert (grouped.rows_read, grouped.total_rows) == (2, 2)
    grown = await stand.ask(ProfileRecipe(recipe=recipe, until_step=1))
    assert (grown.rows_read, len(grown.columns)) == (7, 7)


@pytest.mark.parametrize(
    ("cell", "kind"),
    [
        ("NULL::bigint", "integer"),
        ("'NaN'::float8", "decimal"),
        ("7::bigint", "integer"),
        ("'infinity'::date", "date"),
        ("repeat('long ', 100000)", "text"),
        ("CASE WHEN n = 1 THEN -9223372036854775808 ELSE 9223372036854775807 END", "integer"),
    ],
)
async def test_odd_columns_have_a_profile(stand, column_factory, cell, kind):
    select = f"SELECT {cell} AS c FROM generate_series(1, 2) AS n"
    await stand.source("odd", select, column_factory(c=kind))
    found = await stand.ask(ProfileTable(name="odd"))
    (column,) = found.columns
    assert column.distinct <= 2
    assert all(len(str(top.value)) <= 200 for top in column.top)


async def test_a_table_without_rows_has_a_profile(stand, column_factory):
    await stand.source(
        "empty", "SELECT 1 AS a, 'x' AS b LIMIT 0", column_factory(a="integer", b="text")
    )
    found = await stand.ask(ProfileTable(name="empty"))
    assert (found.rows_read, found.total_rows) == (0, 0)
    assert [(c.nulls, c.distinct, c.min, c.top) for c in found.columns] == [(0, 0, None, ())] * 2


async def test_a_wide_table_is_profiled_whole(stand, column_factory):
    names = [f"c{number}" for number in range(120)]
    select = "SELECT " + ", ".join(f"{n} AS c{n}" for n in range(120))
    await stand.source("wide", select, column_factory(**dict.fromkeys(names, "integer")))
    found = await stand.ask(ProfileTable(name="wide"))
    assert [column.min for column in found.columns] == list(range(120))


async def test_a_large_table_is_sampled_evenly_and_says_so(stand, column_factory):
    rows = profile.MAX_ROWS * 4
    await stand.source(
        "large",
        f"SELECT n AS id, n % 2 AS odd, n % 50 AS fiftieth FROM generate_series(1, {rows}) AS n",
        column_factory(id="integer", odd="integer", fiftieth="integer"),
    )
    found = await stand.ask(ProfileTable(name="large"))
    assert (found.sampled, found.total_rows) == (True, rows)
    assert found.rows_read == pytest.approx(profile.MAX_ROWS, rel=0.01)
    number, odd, fiftieth = found.columns
    assert number.mean == pytest.approx(rows / 2, rel=0.01)
    assert odd.mean == pytest.approx(0.5, abs=0.01)
    assert fiftieth.distinct == 50
    assert fiftieth.mean == pytest.approx(24.5, rel=0.01)


async def test_a_profile_that_does_not_fit_says_why(stand, people):
    with pytest.raises(ProblemError) as raised:
        await stand.ask(ProfileRecipe(recipe={"steps": [SOURCE, {"type": "limit", "count": "x"}]}))
    assert raised.value.problem.errors[0].step == 1
    with pytest.raises(ProblemError) as raised:
        await stand.ask(ProfileTable(name="nobody"))
    assert raised.value.problem.status == 404


@pytest.mark.parametrize("preview_timeout", ["2"], indirect=True)
async def test_a_profile_that_takes_too_long_says_what_to_do(stand, column_factory):
    await stand.source("n", "SELECT generate_series(1, 3000) AS n", column_factory(n="integer"))
    cross = {"type": "join", "with": "n", "join_type": "cross"}
    steps = [{"type": "source", "table": "n"}, *(cross | {"prefix": p} for p in "abc")]
    with pytest.raises(ProblemError) as raised:
        await stand.ask(ProfileRecipe(recipe={"steps": steps}))
    assert (raised.value.problem.status, raised.value.problem.code) == (504, "preview_timed_out")


async def test_a_row_of_a_large_result_is_shown_without_making_it_whole(stand, column_factory):
    await stand.source("n", "SELECT generate_series(1, 3000) AS n", column_factory(n="integer"))
    steps = [{"type": "source", "table": "n"}, {"type": "join", "with": "n", "join_type": "cross"}]
    page = await stand.ask(PreviewRecipe(recipe={"steps": steps}, count="none", limit=1))
    assert len(page.rows) == 1
