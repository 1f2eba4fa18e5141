"""What must hold of any formula: it compiles and runs, whatever the cells; any text only errs."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recipe import Context, RecipeProblems, Table, check, compile_recipe, parse
from recipe.errors import Misfit
from recipe.formula.parser import parse_formula
from recipe.formula.tree import Call, Literal, Named, Node
from recipe.guard import guard

from .formulas import COLUMNS, EXTREMES, ROWS, TYPES, formulas, is_number, stored_type, text_literal

SCHEMA = "formulas"
TABLE = Table(
    table_id="1",
    display_name="p",
    physical_name="source_1",
    schema_name=SCHEMA,
    relation="v",
    columns=COLUMNS,
)
CONTEXT = Context(as_of=datetime(2026, 3, 18, 12, tzinfo=UTC), timezone="Asia/Kolkata")

Cell = str | None
Run = Callable[[list[tuple[str, str]], list[tuple[Cell, ...]]], list[Cell]]


@pytest.fixture(scope="module")
def run(postgres_url: str) -> Iterator[Run]:
    """The last of some computed columns, as text, on rows given as text."""
    with asyncio.Runner() as runner:
        connection: asyncpg.Connection = runner.run(asyncpg.connect(postgres_url))
        listed = ", ".join(f"{c.physical} {stored_type(c.type)}" for c in COLUMNS)
        setup = f"create schema {SCHEMA}; create table {SCHEMA}.v ({listed}, at serial)"
        runner.run(connection.execute(setup))

        async def compute(sql: str, rows: list[tuple[Cell, ...]]) -> list[Cell]:
            casts = ", ".join(
                f"${n}::text::{stored_type(kind)}" for n, kind in enumerate(TYPES.values(), 1)
            )
            async with connection.transaction():
                await connection.execute(f"truncate {SCHEMA}.v")
                await connection.executemany(f"insert into {SCHEMA}.v values ({casts})", rows)
                return [row[0] for row in await connection.fetch(sql)]

        def last_column(steps: list[tuple[str, str]], rows: list[tuple[Cell, ...]]) -> list[Cell]:
            recipe = parse({"steps": [{"type": "source", "table": "p"}, *map(_step, steps)]})
            compiled = compile_recipe(recipe, {"p": TABLE}, CONTEXT)
            guard(compiled.sql, {SCHEMA})
            name = compiled.columns[-1].physical
            return runner.run(compute(f'select "{name}"::text from ({compiled.sql}) q', rows))

        yield last_column
        runner.run(connection.execute(f"drop schema {SCHEMA} cascade"))
        runner.run(connection.close())


def _step(named: tuple[str, str]) -> dict[str, str]:
    name, formula = named
    return {"type": "add_column", "name": name, "expression_type": "formula", "formula": formula}


def _errors(formula: str) -> list[tuple[int, str]]:
    steps = [{"type": "source", "table": "p"}, _step(("f", formula))]
    return [(e.step, e.code) for e in check({"steps": steps}, {"p": TABLE}, CONTEXT).errors]


FORMULA = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@FORMULA
@given(formula=formulas(), rows=ROWS)
def test_a_formula_that_fits_its_columns_runs_on_any_rows(
    run: Run, formula: str, rows: list[tuple[Cell, ...]]
) -> None:
    if _errors(formula):
        return
    rows = [*EXTREMES, *rows]
    assert len(run([("f", formula)], rows)) == len(rows)


@FORMULA
@given(formula=formulas(depth=2), rows=ROWS)
def test_computing_each_part_in_a_column_of_its_own_changes_nothing(
    run: Run, formula: str, rows: list[tuple[Cell, ...]]
) -> None:
    if _errors(formula):
        return
    steps: list[tuple[str, str]] = []
    steps.append(("f", _apart(parse_formula(formula), steps)))
    try:
        apart = run(steps, rows)
    except RecipeProblems:
        # A text that was written out was read as what it stood beside; a column is not.
        return
    together = run([("f", formula)], rows)
    assert [_plain(cell) for cell in apart] == [_plain(cell) for cell in together]


def _apart(node: Node, steps: list[tuple[str, str]]) -> str:
    """The formula of a node whose arguments, where they are calls, are columns."""
    match node:
        case Literal():
            if isinstance(node.value, bool):
                return str(node.value).upper()
            return text_literal(node.value) if isinstance(node.value, str) else f"({node.value})"
        case Named():
            return f"[{node.name.replace(']', ']]')}]"
        case Call():
            parts: list[str] = []
            for argument in node.arguments:
                inner = _apart(argument, steps)
                if isinstance(argument, Call):
                    steps.append((f"part {len(steps)}", inner))
                    inner = f"[{steps[-1][0]}]"
                parts.append(inner)
            if node.name == "-x":
                return f"-{parts[0]}"
            if node.name.isalpha():
                return f"{node.name}({','.join(parts)})"
            return node.name.join(parts)


def _plain(cell: Cell) -> object:
    """Numbers by their value, to as many digits as division agrees on."""
    number = None if cell is None else is_number(cell)
    if number is None or not number.is_finite():
        return cell
    return Decimal(f"{number:.9e}")


_PIECES = (
    *('=+-*/%^&<>()[],"', "<>", "[n]", "[t]", "[", "]]", '""', '"a"', "1", ".5", "1e9"),
    *("IF(", "LEFT(", "DATE(", "TRUE", "x", "\n", "\u00a0", "९", "Ⅷ", ";", "“"),
    *"=+-*/%^&<>(),",
)
ANYTHING = st.text(max_size=60) | st.lists(st.sampled_from(_PIECES), max_size=40).map("".join)


@settings(max_examples=500, deadline=None)
@given(ANYTHING)
def test_any_text_parses_or_is_told_what_is_wrong(text: str) -> None:
    codes: set[str] = set()
    try:
        parse_formula(text)
    except Misfit as wrong:
        codes = {finding.code for finding in wrong.findings}
    assert codes <= {"formula_syntax", "bad_value"}


@settings(max_examples=100, deadline=None)
@given(ANYTHING)
def test_any_text_as_a_formula_gives_a_recipe_error_or_none(text: str) -> None:
    assert {step for step, _ in _errors(text)} <= {0, 1}
