"""Golden pairs: what each step compiles to, and that each step has a pair."""

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

from recipe.guard import guard
from recipe.recipe import STEPS_BY_TYPE

GOLDEN = Path(__file__).parents[2] / "golden"
RECIPES = sorted((GOLDEN / "recipe").glob("*.json"))


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_recipe", GOLDEN / "generate_recipe.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_every_step_has_a_golden_pair() -> None:
    assert {path.stem for path in RECIPES} == set(STEPS_BY_TYPE)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_the_step_compiles_to_its_golden_sql(recipe: Path, generator: ModuleType) -> None:
    sql = generator.expected(recipe)
    if os.environ.get("GENERATE"):
        recipe.with_suffix(".sql").write_text(sql, encoding="utf-8")
    assert recipe.with_suffix(".sql").read_text(encoding="utf-8") == sql


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_the_guard_lets_what_recipes_compile_to_pass(recipe: Path, generator: ModuleType) -> None:
    guard(generator.expected(recipe), {"org_a_data"})
