"""Steps after which there may be more rows than before, and words for them."""

from collections.abc import Iterator, Mapping

from recipe import Recipe, Table, has_open_names
from recipe.step import Step
from recipe.steps.join import Join

_MULTIPLY = frozenset({"join", "union", "unpivot", "unnest"})


def multiplying(recipe: Recipe, until_step: int | None = None) -> Iterator[tuple[int, Step]]:
    """The steps, up to `until_step`, that may make more rows, each with its index."""
    last = len(recipe.steps) if until_step is None else until_step + 1
    for index, step in enumerate(recipe.steps[:last]):
        keeps = isinstance(step, Join) and step.join_type in {"semi", "anti"}
        if step.enabled and step.kind() in _MULTIPLY and not keeps:
            yield index, step


def last_known(recipe: Recipe, until_step: int | None) -> int | None:
    """The last step that can be compiled: names of columns may wait to be read from the data."""
    if not has_open_names(recipe, until_step):
        return until_step
    return next(n - 1 for n in range(len(recipe.steps)) if has_open_names(recipe, n))


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
