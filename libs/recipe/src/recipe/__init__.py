"""The recipe language: data that people build, checked before data is read, compiled to one SELECT."""

from recipe.checks import DataCheck
from recipe.compile import Checked, Compiled, check, compile_recipe
from recipe.context import Context
from recipe.errors import RecipeError, RecipeProblems
from recipe.open_names import (
    OpenNames,
    has_open_names,
    open_names,
    with_names,
    without_names,
)
from recipe.parse import parse
from recipe.recipe import Recipe, pinned, references, resolve, unpinned
from recipe.tables import Column, ColumnType, Table

__all__ = [
    "Checked",
    "Column",
    "ColumnType",
    "Compiled",
    "Context",
    "DataCheck",
    "OpenNames",
    "Recipe",
    "RecipeError",
    "RecipeProblems",
    "Table",
    "check",
    "compile_recipe",
    "has_open_names",
    "open_names",
    "parse",
    "pinned",
    "references",
    "resolve",
    "unpinned",
    "with_names",
    "without_names",
]
