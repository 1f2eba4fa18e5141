"""Where columns come from: through steps, groups, joins, unions, windows and stars."""

import importlib.util
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

from recipe import Column, Context, Table, compile_recipe, parse
from recipe.lineage import Origin, origins, trace

GOLDEN = Path(__file__).parents[2] / "golden"
NOW = Context(as_of=datetime(2026, 3, 18, tzinfo=UTC))


def table(name: str, /, **columns: str) -> Table:
    """A table whose columns are displayed with a capital."""
    return Table(
        table_id=name,
        display_name=name,
        physical_name=name,
        schema_name="org",
        relation=f"v_{name}",
        columns=tuple(
            Column.model_validate({"name": column.capitalize(), "physical": column, "type": kind})
            for column, kind in columns.items()
        ),
    )


PEOPLE = table("people", name="text", age="integer", place="text")
PLACES = table("places", place="text", region="text")
TABLES = {"people": PEOPLE, "places": PLACES}
SOURCE = {"type": "source", "table": "people"}


def found(*steps: Mapping[str, object]) -> dict[str, list[tuple[str, str | None]]]:
    compiled = compile_recipe(parse({"steps": [SOURCE, *steps]}), TABLES, NOW)
    return _plain(trace(compiled, TABLES.values()))


def read(sql: str) -> dict[str, list[tuple[str, str | None]]]:
    query = sqlglot.parse_one(sql, dialect="postgres")
    assert isinstance(query, exp.Query)
    return _plain(origins(query, TABLES.values()))


def _plain(traced: dict[str, tuple[Origin, ...]]) -> dict[str, list[tuple[str, str | None]]]:
    return {name: [(one.table_id, one.column) for one in ends] for name, ends in traced.items()}


def test_columns_that_pass_through_come_from_themselves() -> None:
    assert found({"type": "filter", "column": "Age", "operator": "greater_than", "value": 17}) == {
        "Name": [("people", "Name")],
        "Age": [("people", "Age")],
        "Place": [("people", "Place")],
    }


def test_a_renamed_column_comes_from_what_it_was() -> None:
    steps = [
        {"type": "rename", "columns": {"Name": "Age", "Age": "Name"}},
        {"type": "select", "columns": ["Name"]},
    ]
    assert found(*steps) == {"Name": [("people", "Age")]}


def test_a_calculated_column_comes_from_its_operands_and_a_constant_from_nowhere() -> None:
    lines = found(
        {
            "type": "add_column",
            "name": "label",
            "expression_type": "concat",
            "columns": ["Name", "Age"],
        },
        {"type": "add_column", "name": "form", "expression_type": "constant", "value": "A"},
    )
    assert lines["label"] == [("people", "Age"), ("people", "Name")]
    assert lines["form"] == []


def test_a_group_comes_from_its_keys_and_aggregates_a_count_from_the_rows() -> None:
    aggregates = [
        {"function": "count_rows", "alias": "rows"},
        {"function": "count", "column": "Name", "alias": "named"},
        {"function": "sum", "column": "Age", "alias": "age"},
    ]
    having = {"column": "rows", "operator": "greater_than", "value": 1}
    group = {"type": "group", "by": ["Place"], "aggregates": aggregates, "having": having}
    assert found(group) == {
        "Place": [("people", "Place")],
        "rows": [("people", None)],
        "named": [("people", "Name")],
        "age": [("people", "Age")],
    }


def test_a_count_after_a_join_comes_from_the_rows_of_both() -> None:
    join = {"type": "join", "with": "places", "left_on": "Place", "right_on": "Place"}
    group = {"type": "group", "by": [], "aggregates": [{"function": "count_rows", "alias": "n"}]}
    assert found(join, group, {"type": "limit", "count": 1}) == {
        "n": [("people", None), ("places", None)]
    }


def test_a_joined_column_comes_from_the_other_table_and_a_filled_key_from_both() -> None:
    join = {"type": "join", "with": "places", "left_on": "Place", "right_on": "Place"}
    assert found(join)["places_Region"] == [("places", "Region")]
    outer = found(join | {"join_type": "outer"})
    assert outer["Place"] == [("people", "Place"), ("places", "Place")]


def test_a_table_joined_to_itself_is_one_table() -> None:
    join = {"type": "join", "with": "people", "left_on": "Name", "right_on": "Name", "prefix": "b_"}
    assert found(join)["b_Age"] == [("people", "Age")]


def test_a_union_comes_from_both_sides() -> None:
    sql = """
        WITH a AS (SELECT t.name, t.age AS n FROM org.v_people AS t),
             b AS (SELECT a.name, a.n FROM a UNION ALL
                   SELECT p.region, CAST(NULL AS integer) FROM org.v_places AS p)
        SELECT * FROM b
    """
    assert read(sql) == {
        "name": [("people", "Name"), ("places", "Region")],
        "n": [("people", "Age")],
    }


def test_a_window_comes_from_what_it_looks_at_and_a_row_number_from_the_rows() -> None:
    sql = """
        SELECT row_number() OVER () AS plain,
               sum(t.age) OVER (PARTITION BY t.place ORDER BY t.name) AS running,
               count(*) OVER (PARTITION BY t.place) AS together
        FROM org.v_people AS t
    """
    assert read(sql) == {
        "plain": [("people", None)],
        "running": [("people", "Age"), ("people", "Name"), ("people", "Place")],
        "together": [("people", "Place")],
    }


def test_stars_pass_everything_on() -> None:
    sql = "SELECT * FROM (SELECT * FROM org.v_places AS t WHERE t.region > 'a') AS u"
    assert read(sql) == {"place": [("places", "Place")], "region": [("places", "Region")]}


def test_a_value_looked_up_by_a_subquery_comes_from_there() -> None:
    sql = """
        SELECT t.name, (SELECT max(p.region) FROM org.v_places AS p) AS last
        FROM org.v_people AS t
    """
    assert read(sql)["last"] == [("places", "Region")]


def _generator():
    path = GOLDEN / "generate_recipe.py"
    spec = importlib.util.spec_from_file_location("generate_recipe", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("recipe/*.json")), ids=lambda path: path.stem)
def test_every_step_can_be_traced(path: Path) -> None:
    golden = _generator()
    tables = golden.TABLES
    compiled = compile_recipe(parse(json.loads(path.read_text())), tables, golden.CONTEXT)
    held = {(t.table_id, column.name) for t in tables.values() for column in t.columns}
    held |= {(t.table_id, None) for t in tables.values()}
    lines = trace(compiled, tables.values())
    assert list(lines) == [column.name for column in compiled.columns]
    ends = {(one.table_id, one.column) for line in lines.values() for one in line}
    assert ends
    assert ends <= held, "an end that is no column of a table was not followed far enough"


def test_twenty_steps_over_fifty_columns_take_well_under_a_second() -> None:
    wide = table("wide", **{f"c{n}": "integer" if n % 2 else "text" for n in range(50)})
    texts = [f"C{n}" for n in range(0, 50, 2)]
    kinds: list[dict[str, object]] = [
        {"type": "clean", "columns": texts, "operations": ["trim", "upper"]},
        {"type": "filter", "column": "C1", "operator": "greater_than", "value": 3},
        {
            "type": "add_column",
            "name": "C3",
            "replace": True,
            "expression_type": "math",
            "left": "C3",
            "operator": "+",
            "right": "C5",
        },
    ]
    steps = [{"type": "source", "table": "wide"}, *(kinds[n % 3] for n in range(19))]
    compiled = compile_recipe(parse({"steps": steps}), {"wide": wide}, NOW)
    # What grows with every path through twenty steps would not end.
    lines = _plain(trace(compiled, [wide]))
    assert lines["C3"] == [("wide", "C3"), ("wide", "C5")]
    assert lines["C48"] == [("wide", "C48")]
