"""Steps after which there may be more rows than before, and words for them."""

from collections.abc import Collection, Iterator, Mapping

from pydantic import ValidationError

from recipe import Table
from recipe.data_names import NamedByData
from recipe.recipe import STEPS_BY_TYPE
from recipe.step import Step
from recipe.steps.join import Join
from transform.recipe_json import NAMED_BY_DATA, kind_of

_MULTIPLY = frozenset({"join", "union", "unpivot", "unnest"})


def multiplying(recipe: object, until_step: int | None = None) -> Iterator[tuple[int, Step]]:
    """The steps of a recipe as JSON, up to `until_step`, that may make more rows, with their index."""
    for index, step in _parsed(recipe, _MULTIPLY):
        keeps = isinstance(step, Join) and step.join_type in {"semi", "anti"}
        if step.enabled and not keeps and (until_step is None or index <= until_step):
            yield index, step


def last_known(recipe: object, until_step: int | None) -> int | None:
    """The last step that can be compiled: names of columns may wait to be read from the data."""
    for index, step in _parsed(recipe, NAMED_BY_DATA):
        is_within = until_step is None or index <= until_step
        if is_within and step.enabled and isinstance(step, NamedByData) and step.is_open():
            return index - 1
    return until_step


def _parsed(recipe: object, kinds: Collection[str]) -> Iterator[tuple[int, Step]]:
    """Steps of some kinds; the rest is not parsed, and one that has errors is left out."""
    steps = recipe.get("steps") if isinstance(recipe, Mapping) else None
    for index, step in enumerate(steps if isinstance(steps, list | tuple) else ()):
        kind = kind_of(step) if isinstance(step, Mapping) else None
        if kind is not None and kind in kinds:
            try:
                yield index, STEPS_BY_TYPE[kind].model_validate(step)
            except ValidationError:
                continue


def described(index: int, step: Step, tables: Mapping[str, Table]) -> str:
    """What a step does to the number of rows, and what can be done."""
    names = {table.physical_name: table.display_name for table in tables.values()}
    if not isinstance(step, Join):
        return f"Look at step {index} ({type(step).label}): filter the rows before it."
    other = names.get(step.with_, step.with_)
    if step.join_type == "cross":
        return (
            f"Look at step {index}: it pairs every row with every row of '{other}'. Join by a key, or "
            "filter the rows before it."
        )
    keys = " and ".join(f"'{key}'" for key in step.left_keys())
    return (
        f"Look at step {index}: it joins '{other}' by {keys}. Rows whose key repeats on both sides are "
        "paired each with each: join by more columns, or remove duplicates before it."
    )
