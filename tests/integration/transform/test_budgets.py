"""Recipes past the budget of compiling are refused, and the process that tried is replaced."""

import asyncio
import os
import signal

import pytest
import pytest_asyncio

from contracts.problem import ProblemError
from contracts.tables import Column
from contracts.transform import PreviewRecipe, ShowSql, ValidateRecipe
from recipe.formula.parser import formula_parts
from recipe.recipe import MAX_COMPUTED_COLUMNS, MAX_FORMULA_PARTS
from transform.compiler import Compiler, compile_workers
from transform.domain import CatalogueTable

from .conftest import Stand


@pytest_asyncio.fixture
async def hasty(start_service, ground, org_id, connect_bus):
    """An organisation of a service that compiles for a tenth of a second."""
    await start_service("transform", COMPILE_SECONDS="0.1")
    stand = Stand(ground, org_id, connect_bus)
    await stand.begin()
    return stand


def costly(number: int) -> dict[str, object]:
    """A legal recipe that takes seconds to compile; another one for each number."""
    formula = "+".join(["[N]"] * 400)
    add = [
        {
            "type": "add_column",
            "name": f"a{n}",
            "expression_type": "formula",
            "formula": f"{formula}+{number}",
        }
        for n in range(12)
    ]
    return {"steps": [{"type": "source", "table": "numbers"}, *add]}


@pytest.mark.parametrize("request_of", [ValidateRecipe, PreviewRecipe, ShowSql])
async def test_a_recipe_past_its_budget_is_refused_with_advice(hasty, column_factory, request_of):
    await hasty.source("numbers", "SELECT 1 AS n", column_factory(n="integer"))
    with pytest.raises(ProblemError) as raised:
        await hasty.ask(request_of(recipe=costly(1)), timeout=60)
    refused = raised.value.problem
    assert (refused.status, refused.code) == (422, "recipe_too_expensive")
    assert "Split it" in refused.detail


async def test_the_process_that_took_too_long_is_dead_and_the_next_recipe_compiles(org_id):
    workers = compile_workers()
    before = await workers.run(5, os.getpid)
    numbers = CatalogueTable(
        org_id, "source", "numbers", (Column(name="N", physical="n", type="integer"),)
    )
    with pytest.raises(ProblemError) as raised:
        await Compiler(workers, seconds=0.05).check(costly(3), org_id, [numbers])
    assert raised.value.problem.code == "recipe_too_expensive"
    assert before not in workers.pids()
    compiler = Compiler(workers)
    recipe = {"steps": [{"type": "source", "table": "numbers"}]}
    assert not (await compiler.check(recipe, org_id, [numbers])).errors
    await compiler.close()


async def test_a_compile_whose_process_is_killed_is_answered_all_the_same(stand, column_factory):
    await stand.source("numbers", "SELECT 1 AS n", column_factory(n="integer"))
    asked = asyncio.create_task(stand.ask(ValidateRecipe(recipe=costly(2)), timeout=60))
    await asyncio.sleep(0.3)
    for pid in _workers_of(os.getpid()):
        os.kill(pid, signal.SIGKILL)
    assert (await asked).valid


async def test_formulas_of_a_recipe_have_a_budget_together(stand, column_factory):
    await stand.source("numbers", "SELECT 1 AS n", column_factory(n="integer"))
    formula = "+".join(["[N]"] * 499)
    fitting = MAX_FORMULA_PARTS // formula_parts(formula)
    step = {"type": "add_column", "expression_type": "formula", "formula": formula}
    steps = [{**step, "name": f"a{n}"} for n in range(fitting + 1)]
    recipe: dict[str, object] = {"steps": [{"type": "source", "table": "numbers"}, *steps]}
    checked = await stand.ask(ValidateRecipe(recipe=recipe), timeout=60)
    (error,) = checked.errors
    assert (error.step, error.field, error.code) == (fitting + 1, "formula", "bad_value")


def test_computed_columns_of_a_recipe_have_a_budget():
    from recipe import Table, check

    columns = tuple(Column(name=f"c{n}", physical=f"c{n}", type="text") for n in range(1000))
    table = Table(
        table_id="",
        display_name="wide",
        physical_name="wide",
        schema_name="s",
        relation="wide",
        columns=columns,
    )
    # Where a step does not fit, the queries of those after it are not made, which takes long.
    unfit = {"type": "filter", "column": "?", "operator": "is_null"}
    steps = [unfit, *({"type": "limit", "count": n + 1} for n in range(100))]
    recipe = {"steps": [{"type": "source", "table": "wide"}, *steps]}
    _, error = check(recipe, {"wide": table}).errors
    assert error.step == MAX_COMPUTED_COLUMNS // 1000
    assert "Select fewer columns" in error.message


def _workers_of(pid: int) -> list[int]:
    """Children of the fork server of this process."""
    import psutil

    servers = [
        child
        for child in psutil.Process(pid).children()
        if "forkserver" in " ".join(child.cmdline())
    ]
    return [worker.pid for server in servers for worker in server.children()]
