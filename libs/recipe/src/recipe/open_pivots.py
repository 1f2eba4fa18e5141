"""Pivots whose columns are named in the data: what reads the names, and where they are kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from typing_extensions import override

from recipe.compile import check, compile_recipe
from recipe.context import Context
from recipe.errors import RecipeProblems, error_at
from recipe.parse import parse
from recipe.recipe import Recipe
from recipe.step import Step
from recipe.steps.pivot import BLANK, MOST_CHARACTERS, MOST_NAMES, Pivot, ReadNames
from recipe.tables import Table

if TYPE_CHECKING:
    from recipe.frame import Frame
    from recipe.scope import Scope


@dataclass(frozen=True)
class OpenPivot:
    """The first pivot of a recipe whose names are not known."""

    index: int
    sql: str
    """One SELECT of one column: the values as text in their order, one more than there may be."""
    reads: tuple[str, ...]
    """Ids of the tables that it reads."""


class _Names(Step):
    type: Literal["pivot_names"]
    column: str

    @override
    def apply(self, frame: "Frame", scope: "Scope") -> "Frame":
        from recipe.pivoting import found_names

        return found_names(self.column, frame, MOST_NAMES + 1)


def open_pivot(
    recipe: Recipe, tables: Mapping[str, Table], context: Context, until_step: int | None = None
) -> OpenPivot | None:
    """The first pivot, up to `until_step`, whose names have to be read; None if there is none.

    Read it, call `with_names`, and ask again: a later pivot may take its names from the columns of
    an earlier one. None too for a recipe that does not fit its tables: `check` says why.
    """
    last = len(recipe.steps) if until_step is None else until_step + 1
    steps = recipe.steps[:last]
    if not any(_is_open(step) for step in steps):
        return None
    index = check(recipe.model_copy(update={"steps": steps}), tables, context).open
    if index is None:
        return None
    pivot = steps[index]
    assert isinstance(pivot, Pivot)
    names = _Names(type="pivot_names", column=pivot.names_from)
    reading = recipe.model_copy(update={"steps": (*steps[:index], names)})
    compiled = compile_recipe(reading, tables, context)
    return OpenPivot(index, compiled.sql, compiled.reads)


def with_names(recipe: Recipe, index: int, values: Sequence[str | None]) -> Recipe:
    """The recipe with the values that were read for its pivot at `index`; null is a blank cell.

    Raises:
        RecipeProblems: `too_many_values`; `bad_value` for a value too long for a name, or for more
            than a recipe can hold.
    """
    pivot = recipe.steps[index]
    assert isinstance(pivot, Pivot)
    names = [value for value in dict.fromkeys(values) if value is not None and value != BLANK]
    if len(names) < len(set(values)):
        names.append(BLANK)
    if len(names) > MOST_NAMES:
        message = (
            f"'{pivot.names_from}' has more than {MOST_NAMES} different values, too many for "
            "columns. Filter the rows in a step before, or list the names you want."
        )
        raise RecipeProblems([error_at(index, pivot, "too_many_values", message, "names_from")])
    for name in names:
        if len(name) > MOST_CHARACTERS:
            message = (
                f"'{name[:50]}…' in '{pivot.names_from}' is too long for a column's name: at most "
                f"{MOST_CHARACTERS} characters. Shorten it in a step before."
            )
            raise RecipeProblems([error_at(index, pivot, "bad_value", message, "names_from")])
    found = ReadNames(column=pivot.names_from, names=tuple(names))
    named = pivot.model_copy(update={"read_names": found})
    steps = (*recipe.steps[:index], named, *recipe.steps[index + 1 :])
    return parse(recipe.model_copy(update={"steps": steps}).model_dump(mode="json"))


def without_names(recipe: Recipe) -> Recipe:
    """The recipe as its author wrote it: names that were read are to be read again."""
    steps = tuple(
        _unnamed(step) if isinstance(step, Pivot) and step.read_names is not None else step
        for step in recipe.steps
    )
    return recipe.model_copy(update={"steps": steps})


def _unnamed(pivot: Pivot) -> Pivot:
    written = pivot.model_dump(mode="json")
    del written["read_names"]
    return Pivot.model_validate(written)


def _is_open(step: Step) -> bool:
    return isinstance(step, Pivot) and step.enabled and step.known_names() is None
