"""What builds run: compiled once, over whatever versions a run reads."""

import pytest
from tests.unit.transform.test_compiler import NOON, ORG, table, version

from contracts.tables import TableVersion
from recipe import Context, compile_recipe, parse
from transform.compiler import Compiler, compile_workers
from transform.placing import pinned_tables
from transform.statements import Statements, fingerprint
from warehouse.names import data_schema, qualified


@pytest.fixture
async def statements():
    compiler = Compiler(compile_workers())
    yield Statements(compiler)
    await compiler.close()


async def test_a_recipe_runs_over_the_versions_that_it_is_given(statements):
    people = table("People")
    recipe = parse({"steps": [{"type": "source", "table": people.physical_name}]})
    for given in (version(people.table_id), version(people.table_id)):
        tables = pinned_tables(ORG, [people], [given])
        statement = await statements.over(ORG, recipe, tables, NOON)
        place = qualified(data_schema(ORG), given.relation)
        assert statement.sql.replace('"', "").count(place.replace('"', "")) == 1
        assert given.relation in statement.readable
        compiled = compile_recipe(recipe, tables, NOON)
        assert statement.sql == compiled.sql


async def test_the_checks_look_at_the_same_versions(statements):
    people = table("People")
    steps = [
        {"type": "source", "table": people.physical_name},
        {"type": "assert", "check": "not_blank", "columns": ["Age"]},
    ]
    given = version(people.table_id)
    tables = pinned_tables(ORG, [people], [given])
    statement = await statements.over(ORG, parse({"steps": steps}), tables, NOON)
    (check,) = statement.checks
    assert given.relation in check.sql


async def test_a_name_that_is_no_versions_reaches_no_statement(statements):
    people = table("People")
    recipe = parse({"steps": [{"type": "source", "table": people.physical_name}]})
    odd = version(people.table_id).model_copy(update={"relation": 'v_"; DROP TABLE x; --'})
    with pytest.raises(ValueError, match="not the name of a version"):
        await statements.over(ORG, recipe, pinned_tables(ORG, [people], [odd]), NOON)


async def test_fingerprints_tell_statements_and_inputs_apart(statements):
    people = table("People")
    recipe = parse({"steps": [{"type": "source", "table": people.physical_name}]})
    first, second = version(people.table_id), version(people.table_id)

    async def of(given: TableVersion, recipe=recipe, context: Context = NOON) -> str:
        tables = pinned_tables(ORG, [people], [given])
        return fingerprint(await statements.over(ORG, recipe, tables, context), [given])

    shorter = parse({"steps": [*recipe.model_dump()["steps"], {"type": "limit", "count": 1}]})
    assert await of(first) == await of(first)
    assert len({await of(first), await of(second), await of(first, shorter)}) == 3
