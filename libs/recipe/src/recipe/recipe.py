"""A recipe: an ordered list of steps, as it is stored."""

import functools
import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    TypeAdapter,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

from recipe.part import Part
from recipe.step import Step, discover
from recipe.tables import folded

MAX_COLUMNS = 1600
"""PostgreSQL's limit for a table."""
MAX_STEPS = 200
MAX_COMPUTED_COLUMNS = 20_000
"""Columns after each step, added up over all steps: compiling takes a time that grows with them."""
MAX_BYTES = 64 * 1024
"""Of the recipe as compact JSON in UTF-8."""
MAX_FORMULA_PARTS = 5_000
"""Values, columns and calls of all formulas of a recipe; one alone may have 1,000."""
MAX_DEPTH = 32
"""Of lists and objects in one another, the recipe's own object and list included."""

STEPS = discover()
STEPS_BY_TYPE: Mapping[str, type[Step]] = {step.kind(): step for step in STEPS}

if TYPE_CHECKING:
    AnyStep = Step
else:
    AnyStep = Annotated[functools.reduce(operator.or_, STEPS), Field(discriminator="type")]

STEP: TypeAdapter[Step] = TypeAdapter(AnyStep)


def misplaced(types: Iterable[str | None]) -> list[tuple[int, str]]:
    """Where a source is not where it belongs: step numbers with what to say there."""
    found: list[tuple[int, str]] = []
    for index, kind in enumerate(types):
        if index == 0 and kind != "source":
            found.append((0, "A recipe begins with a source: the table it starts from."))
        elif index > 0 and kind == "source":
            found.append((index, "Only the first step is a source; to add a table, join it."))
    return found


class Recipe(Part):
    """An ordered list of steps that begins with a source."""

    version: Literal[1] = 1
    steps: tuple[AnyStep, ...] = Field(min_length=1, max_length=MAX_STEPS)

    @model_validator(mode="after")
    def _source_first(self) -> Self:
        for index, message in misplaced(step.kind() for step in self.steps):
            raise PydanticCustomError("not_source_first", message, {"step": index})  # pyright: ignore[reportArgumentType]
        return self

    @model_serializer(mode="wrap")
    def _versioned(self, handler: SerializerFunctionWrapHandler):  # noqa: ANN202
        content: dict[str, object] = handler(self)
        return {"version": self.version, **content}


def references(recipe: Recipe) -> list[str]:
    """Every table name the recipe mentions, disabled steps included, in order, each once."""
    return list(dict.fromkeys(name for step in recipe.steps for _, name in step.tables()))


def resolve(recipe: Recipe, names: Mapping[str, str]) -> Recipe:
    """The recipe with tables called by `names[old]`; what is not in `names` stays as it is."""
    by_folded = {folded(old): new for old, new in names.items()}
    full = {old: by_folded[folded(old)] for old in references(recipe) if folded(old) in by_folded}
    steps: Sequence[Step] = [step.renamed({**full, **names}) for step in recipe.steps]
    return recipe.model_copy(update={"steps": tuple(steps)})


def pinned(recipe: Recipe, names: Mapping[str, str]) -> Recipe:
    """The recipe with what follows from tables' display names written out.

    So kept, it gives the same columns whatever its tables are called later. `names` maps the names
    by which the recipe calls tables to display names.
    """
    steps: Sequence[Step] = [step.pinned(names) for step in recipe.steps]
    return recipe.model_copy(update={"steps": tuple(steps)})


def unpinned(recipe: Recipe, names: Mapping[str, str]) -> Recipe:
    """The recipe without what its tables' display names say as well, as people write it."""
    steps: Sequence[Step] = [step.unpinned(names) for step in recipe.steps]
    return recipe.model_copy(update={"steps": tuple(steps)})
