"""Imports everything that compiling needs, for the fork server alone: the service stays small."""

import importlib
import pkgutil

import lark  # noqa: F401
import sqlglot.lineage  # noqa: F401

import recipe
import transform.compiling  # noqa: F401

for _module in pkgutil.walk_packages(recipe.__path__, "recipe."):
    importlib.import_module(_module.name)
