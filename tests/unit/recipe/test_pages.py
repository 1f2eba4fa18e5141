"""Pages of a compiled recipe: their order, their filter, and whether the day matters to them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from recipe import Column, Compiled, Context, Table, compile_recipe, parse
from recipe.compile import narrowed
from recipe.errors import Misfit
from recipe.guard import guard
from recipe.items import SortItem
from recipe.predicate import Comparison
from recipe.statement import count_sql, page

PEOPLE = Table(
    table_id="t1",
    display_name="people",
    physical_name="source_1",
    schema_name="org",
    relation="v_1",
    columns=(
        Column(name="id", physical="id", type="integer"),
        Column(name="Full name", physical="full_name", type="text"),
        Column(name="seen", physical="seen", type="timestamp"),
    ),
)
CONTEXT = Context(as_of=datetime(2026, 3, 18, tzinfo=UTC))
BY_SEEN = {"type": "sort", "columns": ["seen"]}
OLD = {"type": "filter", "column": "id", "operator": "less_than", "value": 9}
RECENT = {"column": "seen", "operator": "in_last", "value": {"count": 3, "unit": "day"}}
GROUPED = {"type": "group", "by": ["Full name"], "aggregates": [{"function": "count_rows"}]}
TWICE = {"type": "clean", "columns": ["Full name"], "operations": ["remove_duplicates"]}


def compiled(*steps: dict[str, Any]) -> Compiled:
    recipe = parse({"steps": [{"type": "source", "table": "people"}, *steps]})
    return compile_recipe(recipe, {"people": PEOPLE}, CONTEXT)


def order_of(sql: str) -> str:
    return sql[sql.rindex("ORDER BY") :]


def test_a_table_is_ordered_by_the_reader_then_by_the_place_of_its_rows() -> None:
    sql = page(compiled(), [SortItem(column="Full name", descending=True)], 10, 20, stored=True)
    order = order_of(sql)
    assert order.index("full_name") < order.index('"_place"')
    assert "seen" not in order
    assert order.endswith("LIMIT 10\nOFFSET 20")
    guard(sql, {"org"})


def test_a_table_without_a_sort_comes_as_it_is_stored() -> None:
    few = narrowed(compiled(), Comparison(column="id", operator="less_than", value=9), CONTEXT)
    for found in (compiled(), few):
        sql = page(found, [], stored=True)
        assert "ORDER BY" not in sql
        assert sql.endswith("LIMIT $1\nOFFSET $2")
        guard(sql, {"org"})
        assert '"_place"' in page(found, [SortItem(column="id")], stored=True)


@pytest.mark.parametrize("step", [BY_SEEN, GROUPED, TWICE, {"type": "limit", "count": 3}])
def test_rows_that_are_sorted_made_or_merged_are_ordered_by_every_column(
    step: dict[str, Any],
) -> None:
    sql = page(compiled(step), [])
    assert all(f'."{column.physical}"' in order_of(sql) for column in compiled(step).columns)
    guard(sql, {"org"})


def test_a_result_can_be_narrowed_by_the_columns_that_people_see() -> None:
    renamed = compiled({"type": "rename", "columns": {"id": "number"}})
    few = narrowed(renamed, Comparison(column="number", operator="equals", value="7"), CONTEXT)
    assert few.columns == renamed.columns
    for sql in (few.sql, page(few, []), count_sql(few)):
        guard(sql, {"org"})
        assert '"number" = 7' in sql
    with pytest.raises(Misfit) as raised:
        narrowed(renamed, Comparison(column="id2", operator="equals", value=1), CONTEXT)
    (finding,) = raised.value.findings
    assert (finding.code, finding.field) == ("unknown_column", "where.column")


def test_a_statement_says_whether_the_day_matters_to_it() -> None:
    assert not compiled(OLD).depends_on_now
    assert compiled({"type": "filter", "where": RECENT}).depends_on_now
    recent = Comparison.model_validate(RECENT)
    assert narrowed(compiled(OLD), recent, CONTEXT).depends_on_now
