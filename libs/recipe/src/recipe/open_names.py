"""Columns that are named in the data: what reads the names, and where they are kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from typing_extensions import override

from recipe.compile import check, compile_recipe
from recipe.context import Context
from recipe.data_names import MOST_CHARACTERS, MOST_NAMES, NamedByData, ReadNames
from recipe.errors import RecipeProblems, error_at
from recipe.parse import parse
from recipe.recipe import Recipe
from recipe.step import Step
from recipe.tables import Table

if TYPE_CHECKING:
    from recipe.frame import Frame
    from recipe.scope import Scope


@dataclass(frozen=True)
class OpenNames:
    """The first step of a recipe whose columns' names are not known."""

    index: int
    sql: str
    """One SELECT of one column: the values as text in their order, one more than there may be."""
    reads: tuple[str, ...]
    """Ids of the tables that it reads."""


class _Names(Step):
    type: Literal["column_names"]
    of: NamedByData

    @override
    def apply(self, frame: "Frame", scope: "Scope") -> "Frame":
        return self.of.found(frame, scope, MOST_NAMES + 1)


def has_open_names(recipe: Recipe, until_step: int | None = None) -> bool:
    """Whether a step, up to `until_step`, may take its names from the data: cheap to ask."""
    last = len(recipe.steps) if until_step is None else until_step + 1
    return any(_is_open(step) for step in recipe.steps[:last])


def open_names(
    recipe: Recipe, tables: Mapping[str, Table], context: Context, until_step: int | None = None
) -> OpenNames | None:
    """The first step, up to `until_step`, whose names have to be read; None if there is none.

    Read them, call `with_names`, and ask again: a later step may take its names from the columns
    of an earlier one. None too for a recipe that does not fit its tables: `check` says why.
    """
    last = len(recipe.steps) if until_step is None else until_step + 1
    steps = recipe.steps[:last]
    if not has_open_names(recipe, until_step):
        return None
    index = check(recipe.model_copy(update={"steps": steps}), tables, context).open
    if index is None:
        return None
    step = steps[index]
    assert isinstance(step, NamedByData)
    names = _Names.model_construct(type="column_names", of=step)
    reading = recipe.model_copy(update={"steps": (*steps[:index], names)})
    compiled = compile_recipe(reading, tables, context)
    return OpenNames(index, compiled.sql, compiled.reads)


def with_names(recipe: Recipe, index: int, values: Sequence[str | None]) -> Recipe:
    """The recipe with the values that were read for its step at `index`; null is a blank cell.

    Raises:
        RecipeProblems: `too_many_values`; `bad_value` for a value too long for a name, or for more
            than a recipe can hold.
    """
    step = recipe.steps[index]
    assert isinstance(step, NamedByData)
    field, column = step.names_field, step.named_by
    blank = step.blank_name
    names = [value for value in dict.fromkeys(values) if value is not None and value != blank]
    if blank is not None and len(names) < len(set(values)):
        names.append(blank)
    if len(names) > MOST_NAMES:
        message = (
            f"'{column}' has more than {MOST_NAMES} different values, too many for columns. "
            "Filter the rows in a step before, or list those you want."
        )
        raise RecipeProblems([error_at(index, step, "too_many_values", message, field)])
    for name in names:
        if len(name) > MOST_CHARACTERS:
            message = (
                f"'{name[:50]}…' in '{column}' is too long for a column's name: at most "
                f"{MOST_CHARACTERS} characters. Shorten it in a step before."
            )
            raise RecipeProblems([error_at(index, step, "bad_value", message, field)])
    found = ReadNames(column=column, names=tuple(names))
    named = step.model_copy(update={"read_names": found})
    steps = (*recipe.steps[:index], named, *recipe.steps[index + 1 :])
    return parse(recipe.model_copy(update={"steps": steps}).model_dump(mode="json"))


def without_names(recipe: Recipe) -> Recipe:
    """The recipe as its author wrote it: names that were read are to be read again."""
    steps = tuple(
        _unnamed(step) if isinstance(step, NamedByData) and step.read_names is not None else step
        for step in recipe.steps
    )
    return recipe.model_copy(update={"steps": steps})


def _unnamed(step: NamedByData) -> NamedByData:
    written = step.model_dump(mode="json")
    del written["read_names"]
    return type(step).model_validate(written)


def _is_open(step: Step) -> bool:
    return isinstance(step, NamedByData) and step.enabled and step.is_open()
