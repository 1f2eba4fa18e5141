"""What `check` accepts runs: random recipes over random tables on a real PostgreSQL."""

import asyncio
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

import asyncpg
import pytest
from hypothesis import HealthCheck, Phase, find, given, note, settings
from hypothesis import strategies as st

from recipe import Table, check, compile_recipe, parse
from recipe.guard import guard
from recipe.mask_key import SETTING, setting_value
from recipe.recipe import STEPS_BY_TYPE
from recipe.statement import count_sql, page

from .cases import POSTGRES
from .wild import CONTEXT, SCHEMA, recipes, rows, tables

EXAMPLES = int(os.environ.get("WILD", "150"))
"""How many recipes: few in every run of the tests, thousands when somebody looks for trouble."""

CHECKS = (HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large)

# What PostgreSQL may call the type that people see.
SEEN = {
    "text": {"text", "varchar"},
    "integer": {"int2", "int4", "int8", "numeric"},
    "decimal": {"numeric", "float8"},
    "date": {"date"},
    "timestamp": {"timestamp"},
    "boolean": {"bool"},
    "json": {"jsonb"},
}


class Database:
    """One connection, used from tests that are not asynchronous (Hypothesis calls them)."""

    def __init__(self, url: str, runner: asyncio.Runner) -> None:
        self._runner = runner
        self._connection = runner.run(asyncpg.connect(url, statement_cache_size=0))

    def close(self) -> None:
        self._runner.run(self._connection.close())

    def execute(self, sql: str) -> None:
        self._runner.run(self._connection.execute(sql))

    def insert(self, sql: str, values: Sequence[Sequence[object]]) -> None:
        self._runner.run(self._connection.executemany(sql, values))

    def fetch(self, sql: str) -> tuple[list[str], list[tuple[object, ...]]]:
        """Types and rows of a query."""

        async def read() -> tuple[list[str], list[tuple[object, ...]]]:
            statement = await self._connection.prepare(sql)
            kinds = [attribute.type.name for attribute in statement.get_attributes()]
            return kinds, [tuple(row) for row in await statement.fetch()]

        return self._runner.run(read())


@pytest.fixture(scope="module")
def database(postgres_url: str) -> Iterator[Database]:
    with asyncio.Runner() as runner:
        opened = Database(postgres_url, runner)
        yield opened
        opened.close()


def fill(database: Database, given: Mapping[str, Table], content: Mapping[str, list]) -> None:
    database.execute(f"create schema {SCHEMA}; set local time zone '{CONTEXT.timezone}'")
    database.execute(
        f"set local {SETTING} = '{setting_value(b'a key of the tests, 32 bytes long')}'"
    )
    for name, table in given.items():
        listed = ", ".join(
            f'"{column.physical}" {POSTGRES[column.type]}' for column in table.columns
        )
        database.execute(f"create table {SCHEMA}.{table.relation} ({listed}, _dlt_id serial)")
        columns = ", ".join(f'"{column.physical}"' for column in table.columns)
        places = ", ".join(f"${number}" for number in range(1, len(table.columns) + 1))
        database.insert(
            f"insert into {SCHEMA}.{table.relation} ({columns}) values ({places})", content[name]
        )


@pytest.mark.timeout(max(120, EXAMPLES))
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=CHECKS,
    # Shrinking runs hundreds of recipes more: the one that was found is readable enough.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    print_blob=True,
)
@given(st.data())
def test_a_recipe_that_is_accepted_compiles_and_runs(
    database: Database, data: st.DataObject
) -> None:
    given_tables = data.draw(tables())
    recipe = data.draw(recipes(given_tables))
    content = {name: data.draw(rows(table)) for name, table in given_tables.items()}
    checked = check(recipe, given_tables, CONTEXT)
    compiled = compile_recipe(parse(recipe), given_tables, CONTEXT)
    note(compiled.sql)
    assert checked.steps[-1] == compiled.source_columns
    guard(compiled.sql, {SCHEMA})

    database.execute("begin; set local statement_timeout = '20s'")
    try:
        fill(database, given_tables, content)
        for asked in compiled.checks:
            guard(asked.sql, {SCHEMA})
            problem = asked.judge(database.fetch(asked.sql)[1])
            assert problem is None or problem.message
        kinds, found = database.fetch(compiled.sql)
        for column, kind in zip(compiled.columns, kinds, strict=True):
            assert kind in SEEN[column.type], column
        for position, column in enumerate(compiled.columns):
            if column.type == "integer":
                cells = [row[position] for row in found if row[position] is not None]
                assert all(Decimal(str(c)) == Decimal(str(c)).to_integral_value() for c in cells)
        assert database.fetch(count_sql(compiled))[1] == [(len(found),)]
        pages = [
            row
            for offset in range(0, len(found) + 3, 3)
            for row in database.fetch(page(compiled, [], 3, offset))[1]
        ]
        assert Counter(map(repr, pages)) == Counter(map(repr, found))
    finally:
        database.execute("rollback")


@pytest.mark.parametrize("kind", sorted(set(STEPS_BY_TYPE) - {"source"}))
def test_every_step_is_at_times_drawn_so_that_it_is_accepted(kind: str) -> None:
    drawn = tables().flatmap(lambda found: recipes(found, kinds=(kind,), most=1))
    quick = settings(max_examples=300, database=None, phases=[Phase.generate])
    recipe = find(drawn, lambda recipe: len(recipe["steps"]) == 2, settings=quick)
    assert recipe["steps"][1]["type"] == kind
