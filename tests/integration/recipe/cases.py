"""Runs one case of the recipe language on a real PostgreSQL, the way its README says."""

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import asyncpg

from recipe import (
    Column,
    Compiled,
    Context,
    Recipe,
    RecipeError,
    RecipeProblems,
    Table,
    check,
    compile_recipe,
    open_names,
    parse,
    with_names,
)
from recipe.guard import guard
from recipe.mask_key import SETTING, setting_value
from recipe.naming import physical_names
from recipe.statement import count_sql, page

SCHEMA = "recipe_cases"
CONTEXT = Context(as_of=datetime(2026, 3, 18, 12, tzinfo=UTC), timezone="UTC")
MASK_KEY = b"a key of an organisation"
POSTGRES = {
    "text": "text",
    "integer": "bigint",
    "decimal": "numeric",
    "date": "date",
    "timestamp": "timestamptz",
    "boolean": "boolean",
    "json": "jsonb",
}


@dataclass(frozen=True)
class Outcome:
    """What a case gave: columns with rows, or the first problem."""

    columns: tuple[Column, ...] = ()
    rows: Sequence[tuple[object, ...]] = ()
    problem: tuple[int, str] | None = None
    message: str = ""


def tables_of(case: Mapping[str, Any]) -> dict[str, Table]:
    tables: dict[str, Table] = {}
    for number, (name, content) in enumerate(case["tables"].items()):
        physical = physical_names(list(content["columns"]))
        columns = tuple(
            Column(name=display, physical=inner, type=kind)
            for inner, (display, kind) in zip(physical, content["columns"].items(), strict=True)
        )
        tables[name] = Table(
            table_id=str(number),
            display_name=name,
            physical_name=f"source_{number}",
            schema_name=SCHEMA,
            relation=f"v_{number}",
            columns=columns,
        )
    return tables


async def run(case: Mapping[str, Any], connection: asyncpg.Connection) -> Outcome:
    """Parse, check, compile and read every row; nothing stays in the database."""
    tables = tables_of(case)
    checked = check(case["recipe"], tables, CONTEXT)
    if checked.errors:
        return _refused(checked.errors[0])
    transaction = connection.transaction()
    await transaction.start()
    try:
        await filled(case, connection)
        try:
            recipe = await named(parse(case["recipe"]), tables, connection)
            compiled = compile_recipe(recipe, tables, CONTEXT)
        except RecipeProblems as problems:
            return _refused(problems.errors[0])
        assert check(recipe, tables, CONTEXT).steps[-1] == compiled.source_columns
        if failed := await refused(compiled, connection):
            return _refused(failed)
        guard(compiled.sql, {SCHEMA})
        rows = [tuple(row) for row in await connection.fetch(compiled.sql)]
        assert await connection.fetchval(count_sql(compiled)) == len(rows)
        paged: list[tuple[object, ...]] = []
        for offset in range(0, len(rows) + 1, 2):
            sql = page(compiled, [], 2, offset)
            paged += [tuple(row) for row in await connection.fetch(sql)]
        types = [column.type for column in compiled.columns]
        assert Counter(map(key, paged)) == Counter(map(key, rows)), "pages miss or repeat rows"
        return Outcome(compiled.columns, [read(row, types) for row in paged])
    finally:
        await transaction.rollback()


def _refused(error: RecipeError) -> Outcome:
    return Outcome(problem=(error.step, error.code), message=error.message)


async def named(
    recipe: Recipe, tables: Mapping[str, Table], connection: asyncpg.Connection
) -> Recipe:
    """The recipe with the names of its columns, read as saving reads them."""
    while (pivot := open_names(recipe, tables, CONTEXT)) is not None:
        guard(pivot.sql, {SCHEMA})
        found = [row[0] for row in await connection.fetch(pivot.sql)]
        recipe = with_names(recipe, pivot.index, found)
    return recipe


async def refused(compiled: Compiled, connection: asyncpg.Connection) -> RecipeError | None:
    """The first problem that a check of the data finds, as a publish asks for it."""
    for asked in compiled.checks:
        guard(asked.sql, {SCHEMA})
        found = asked.judge(await connection.fetch(asked.sql))
        if found is not None and asked.severity == "fail":
            return found
    return None


async def filled(case: Mapping[str, Any], connection: asyncpg.Connection) -> None:
    """Put the case's tables into the database."""
    tables = tables_of(case)
    await connection.execute(f"create schema {SCHEMA}; set local time zone 'UTC'")
    await connection.execute("select set_config($1, $2, true)", SETTING, setting_value(MASK_KEY))
    for name, content in case["tables"].items():
        table = tables[name]
        listed = ", ".join(f'"{c.physical}" {POSTGRES[c.type]}' for c in table.columns)
        await connection.execute(
            f"create table {SCHEMA}.{table.relation} ({listed}, _dlt_id serial)"
        )
        names = ", ".join(f'"{column.physical}"' for column in table.columns)
        places = ", ".join(f"${number}" for number in range(1, len(table.columns) + 1))
        insert = f"insert into {SCHEMA}.{table.relation} ({names}) values ({places})"
        rows = [
            [stored(cell, c.type) for cell, c in zip(row, table.columns, strict=True)]
            for row in content["rows"]
        ]
        await connection.executemany(insert, rows)


def stored(cell: Any, type: str) -> object:
    if cell is None:
        return None
    match type:
        case "decimal":
            return Decimal(str(cell))
        case "date":
            return date.fromisoformat(cell)
        case "timestamp":
            return datetime.fromisoformat(cell).replace(tzinfo=UTC)
        case "json":
            return json.dumps(cell)
        case _:
            return cell


def read(row: Sequence[Any], types: Sequence[str]) -> tuple[object, ...]:
    return tuple(_cell(cell, kind) for cell, kind in zip(row, types, strict=True))


def _cell(cell: Any, type: str) -> object:
    if cell is None:
        return None
    if type == "json":
        return json.loads(cell)
    if type == "date":
        assert not isinstance(cell, datetime)
        return cell.isoformat()
    if type == "timestamp":
        assert cell.tzinfo is None
        return cell.isoformat()
    assert isinstance(cell, bool) == (type == "boolean")
    return cell


def key(row: Sequence[object]) -> str:
    return repr([_plain(cell) for cell in row])


def _plain(cell: object) -> object:
    if isinstance(cell, bool | str) or cell is None:
        return cell
    if isinstance(cell, int | float | Decimal):
        number = Decimal(str(cell))
        return int(number) if number == number.to_integral_value() else float(number)
    return json.dumps(cell, sort_keys=True, default=str)


def same(left: object, right: object) -> bool:
    """Equality of cells as the README defines it."""
    if isinstance(left, bool) or isinstance(right, bool) or None in (left, right):
        return left is right
    numbers = (int, float, Decimal)
    if isinstance(left, numbers) and isinstance(right, numbers):
        a, b = Decimal(str(left)), Decimal(str(right))
        if a == a.to_integral_value() and b == b.to_integral_value():
            return a == b
        return math.isclose(a, b, rel_tol=1e-9)
    return left == right


def mismatch(case: Mapping[str, Any], outcome: Outcome) -> str:
    """What is not as the case expects; empty if all is."""
    expect = case["expect"]
    if "error" in expect:
        wanted = (expect["error"]["step"], expect["error"]["code"])
        return "" if outcome.problem == wanted else f"{outcome.problem} {outcome.message}"
    if outcome.problem:
        return f"refused: {outcome.problem} {outcome.message}"
    names = [column.name for column in outcome.columns]
    if names != expect["columns"]:
        return f"columns {names}"
    given, wanted = list(outcome.rows), [tuple(row) for row in expect["rows"]]
    if not expect["ordered"]:
        given, wanted = sorted(given, key=key), sorted(wanted, key=key)
    if len(given) != len(wanted) or not all(
        same(a, b)
        for left, right in zip(given, wanted, strict=True)
        for a, b in zip(left, right, strict=True)
    ):
        return f"rows {given}, not {wanted}"
    types = {column.name: column.type for column in outcome.columns}
    wrong = {name: types[name] for name, t in expect.get("types", {}).items() if types[name] != t}
    return f"types {wrong}" if wrong else ""
