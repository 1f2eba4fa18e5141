"""Recipes on the catalogue's tables, without a database."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from contracts.problem import ProblemError
from contracts.tables import Column, TableVersion
from recipe import Context, parse
from transform import compiling
from transform.compiler import Compiler, compile_workers
from transform.domain import CatalogueTable
from transform.placing import cycle_error, live_tables, pinned_tables, recipe_tables
from warehouse.names import data_schema, live_schema, version_relation

ORG = UUID(int=7)
NOON = Context(as_of=datetime(2026, 3, 1, 12, tzinfo=UTC))
COLUMNS = (
    Column(name="Full name", physical="full_name", type="text"),
    Column(name="Age", physical="age", type="integer"),
)


def version(table_id: UUID) -> TableVersion:
    version_id = uuid4()
    return TableVersion(
        table_id=table_id,
        version_id=version_id,
        relation=version_relation(version_id),
        columns=COLUMNS,
        rows=1,
        bytes=8192,
        fingerprint="f",
    )


def table(name: str, *, published: bool = True) -> CatalogueTable:
    table_id = uuid4()
    held = version(table_id) if published else None
    return CatalogueTable(table_id, "source", name, COLUMNS, held)


@pytest.fixture
async def compiler():
    compiler = Compiler(compile_workers())
    yield compiler
    await compiler.close()


async def test_a_recipe_is_kept_by_live_names_and_shown_by_display_names(compiler):
    people = table("People")
    written = {"steps": [{"type": "source", "table": "\uff50eople"}]}
    prepared = await compiler.prepare(written, ORG, [people])
    assert prepared.recipe == {
        "version": 1,
        "steps": [{"type": "source", "table": people.physical_name}],
    }
    assert prepared.reads == (people.table_id,)
    assert prepared.columns == COLUMNS
    names = {people.physical_name: "People"}
    assert await compiler.shown(ORG, [(prepared.recipe, names)]) == [
        {"version": 1, "steps": [{"type": "source", "table": "People"}]}
    ]


async def test_expected_columns_are_those_that_a_build_would_write(compiler):
    people = table("People")
    recipe = {
        "steps": [
            {"type": "source", "table": "People"},
            {"type": "rename", "columns": {"Full name": "Né(e)", "Age": "Full name"}},
        ]
    }
    prepared = await compiler.prepare(recipe, ORG, [people])
    compiled = await compiler.statement(ORG, recipe, recipe_tables(ORG, [people]), NOON)
    assert prepared.columns == compiled.columns


async def test_a_recipe_that_misfits_is_a_problem_with_every_error(compiler):
    recipe = {
        "steps": [
            {"type": "source", "table": "People"},
            {"type": "sort", "columns": ["Agee"]},
        ]
    }
    with pytest.raises(ProblemError) as raised:
        await compiler.prepare(recipe, ORG, [table("People")])
    assert [error.code for error in raised.value.problem.errors] == ["unknown_column"]


async def test_what_was_compiled_is_not_compiled_again(compiler):
    people, recipe = table("People"), parse({"steps": [{"type": "source", "table": "People"}]})
    later = Context(as_of=datetime(2026, 3, 2, tzinfo=UTC))
    first = await compiler.statement(ORG, recipe, recipe_tables(ORG, [people]), NOON)
    assert await compiler.statement(ORG, recipe, recipe_tables(ORG, [people]), later) is first
    published = replace(people, published=version(people.table_id))
    for tables, context, until_step in (
        (recipe_tables(ORG, [published]), NOON, None),
        (recipe_tables(ORG, [replace(people, name="people")]), NOON, None),
        (recipe_tables(ORG, [people]), Context(as_of=NOON.as_of, timezone="Asia/Kolkata"), None),
        (recipe_tables(ORG, [people]), NOON, 0),
    ):
        other = await compiler.statement(ORG, recipe, tables, context, until_step=until_step)
        assert other is not first


async def test_what_depends_on_the_moment_is_kept_for_that_moment_alone(compiler):
    seen = table("Visits")
    columns = (Column(name="Day", physical="day", type="date"),)
    held = version(seen.table_id).model_copy(update={"columns": columns})
    tables = recipe_tables(ORG, [replace(seen, published=held)])
    week = {"column": "Day", "operator": "in_last", "value": {"count": 1, "unit": "week"}}
    recipe = parse({"steps": [{"type": "source", "table": "visits"}, {"type": "filter", **week}]})
    later = Context(as_of=datetime(2026, 3, 9, tzinfo=UTC))
    first = await compiler.statement(ORG, recipe, tables, NOON)
    assert await compiler.statement(ORG, recipe, tables, NOON) is first
    assert (await compiler.statement(ORG, recipe, tables, later)).sql != first.sql
    assert await compiler.statement(ORG, recipe, tables, NOON) is first


async def test_no_statement_passes_but_a_select_over_the_organisations_versions(compiler):
    people = table("People")
    recipe = {"steps": [{"type": "source", "table": "People"}]}
    for stray in ({"schema_name": data_schema(UUID(int=8))}, {"schema_name": "transform"}):
        (placed,) = recipe_tables(ORG, [people]).values()
        elsewhere = {placed.physical_name: placed.model_copy(update=stray)}
        with pytest.raises(ProblemError) as raised:
            await compiler.statement(ORG, recipe, elsewhere, NOON)
        assert raised.value.problem.code == "statement_forbidden"


def test_tables_are_read_where_they_are():
    published, fresh = table("a"), table("b", published=False)
    assert published.published is not None
    placed = recipe_tables(ORG, [published, fresh])
    assert placed[published.physical_name].schema_name == data_schema(ORG)
    assert placed[published.physical_name].relation == published.published.relation
    assert placed[fresh.physical_name].relation == fresh.physical_name
    live = live_tables(ORG, [published])[published.physical_name]
    assert (live.schema_name, live.relation) == (live_schema(ORG), published.physical_name)
    newer = version(published.table_id)
    pinned = pinned_tables(ORG, [published, fresh], [newer])
    assert [one.relation for one in pinned.values()] == [newer.relation]


def test_a_cycle_is_told_at_the_step_where_its_way_begins():
    own, people, other = table("Own"), table("People"), table("Other")
    recipe = parse(
        {
            "steps": [
                {"type": "source", "table": people.physical_name},
                {"type": "limit", "count": 3, "id": "cut"},
                {
                    "type": "join",
                    "id": "here",
                    "with": other.physical_name,
                    "left_on": "Age",
                    "right_on": "Age",
                },
            ]
        }
    )
    reads = {own.table_id: {people.table_id, other.table_id}, other.table_id: {own.table_id}}
    tables = {one.table_id: one for one in (own, people, other)}
    mentions = compiling.mentions(recipe.model_dump_json())
    error = cycle_error(mentions, reads, tables, own.table_id)
    assert error is not None
    assert (error.step, error.step_id, error.field, error.code) == (2, "here", "with", "cycle")
    assert "'Own' → 'Other' → 'Own'" in error.message
    reads.pop(other.table_id)
    assert cycle_error(mentions, reads, tables, own.table_id) is None
