"""Recipes as JSON: what the service sees of one without parsing it."""

import json
from collections.abc import Iterator, Mapping

from recipe import Recipe, Table
from recipe.data_names import NamedByData
from recipe.recipe import STEPS
from recipe.tables import folded

_LONGEST_NAME = 1_000
"""Characters; a longer text of a recipe is not looked up as a table's name."""

NAMED_BY_DATA = frozenset(step.kind() for step in STEPS if issubclass(step, NamedByData))


def written(recipe: object) -> str:
    """A recipe as JSON, as it was given: what is wrong with it stays in it."""
    if isinstance(recipe, Recipe):
        return recipe.model_dump_json()
    return json.dumps(recipe, separators=(",", ":"))


def mentioned(recipe: object, tables: Mapping[str, Table]) -> dict[str, Table]:
    """The tables whose names occur as a text in a recipe: those that it reads, perhaps others.

    Few of an organisation's tables are, and only they are compiled on.
    """
    texts = texts_of(recipe)
    texts |= {folded(text) for text in texts}
    return {
        key: table
        for key, table in tables.items()
        if not texts.isdisjoint((key, table.physical_name))
        or folded(table.display_name) in texts
        or folded(key) in texts
    }


def texts_of(data: object) -> set[str]:
    """Every text of a recipe that may be a table's name."""
    found: set[str] = set()
    pending = [data.model_dump(mode="json") if isinstance(data, Recipe) else data]
    while pending:
        value = pending.pop()
        if isinstance(value, str):
            if len(value) <= _LONGEST_NAME:
                found.add(value)
        elif isinstance(value, Mapping):
            pending += value.values()
        elif isinstance(value, list | tuple):
            pending += value
    return found


def has_names_from_data(recipe: object) -> bool:
    """Whether a step may take the names of its columns from the data."""
    data = recipe.model_dump(mode="json") if isinstance(recipe, Recipe) else recipe
    return any(kind_of(step) in NAMED_BY_DATA for step in _steps(data))


def without_names(recipe: object) -> object:
    """A recipe as its author wrote it: names that were read from the data are to be read again."""
    if not isinstance(recipe, dict) or not any(
        kind_of(step) in NAMED_BY_DATA and "read_names" in step for step in _steps(recipe)
    ):
        return recipe
    steps = [
        {key: value for key, value in step.items() if key != "read_names"}
        if isinstance(step, dict) and kind_of(step) in NAMED_BY_DATA
        else step
        for step in recipe["steps"]
    ]
    return {**recipe, "steps": steps}


def kind_of(step: Mapping[str, object]) -> str | None:
    """A step's type; None for what is no text, which no set of types could be asked for."""
    found = step.get("type")
    return found if isinstance(found, str) else None


def step_ids(recipe: object) -> list[str | None]:
    """The id of every step of a recipe that was parsed before; None for a step without one."""
    given = [step.get("id") for step in _steps(recipe)]
    return [None if step_id is None else str(step_id) for step_id in given]


def _steps(recipe: object) -> Iterator[dict[str, object]]:
    """The steps that have the form of one."""
    steps = recipe.get("steps") if isinstance(recipe, dict) else None
    for step in steps if isinstance(steps, list | tuple) else ():
        if isinstance(step, dict):
            yield step
