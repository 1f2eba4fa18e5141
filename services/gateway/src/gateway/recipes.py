"""Recipes on their way in: free JSON to us, the full language in OpenAPI.

Parsing is its owner's: what does not fit comes back from there as errors at their steps, in the
words of the language, and not as the framework's.
"""

import json
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    TypeAdapter,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from contracts.text import LongText, Name
from contracts.transform import RecipeJson, SortItem
from gateway.conventions import Body, Offset
from recipe import Recipe
from recipe.predicate import Predicate
from recipe.recipe import MAX_STEPS

MAX_RECIPE = 256 * 1024
"""Characters of JSON; the language itself allows 64 KB."""

_PREDICATE: TypeAdapter[Predicate] = TypeAdapter(Predicate)


class _ShownAsPredicate:
    """Keeps the field's own parsing, shows the schema of a predicate."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return handler(source)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(_PREDICATE.core_schema)


def _of_size(given: dict[str, object]) -> dict[str, object]:
    """Far above what the language allows: what is larger is not worth a message to its owner."""
    try:
        size = len(json.dumps(given, ensure_ascii=False, separators=(",", ":")))
    except RecursionError:
        raise PydanticCustomError("too_deep", "This is nested too deeply") from None
    if size > MAX_RECIPE:
        text = f"A recipe has at most {MAX_RECIPE:,} characters here; this one has {size:,}"
        raise PydanticCustomError("too_large", "{text}", {"text": text})
    return given


class OrRecipe:
    """Shows that a body may be a bare recipe as well; to be taken apart by the body's model."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [handler(schema), handler(Recipe.__pydantic_core_schema__)]}


RecipeBodyJson = Annotated[RecipeJson, AfterValidator(_of_size)]
PredicateJson = Annotated[dict[str, object], _ShownAsPredicate(), AfterValidator(_of_size)]
Until = Annotated[int, Field(ge=0, le=MAX_STEPS)]


class TransformationBody(Body):
    """A recipe to be saved; its output is called as the transformation unless named."""

    name: Name
    description: LongText | None = None
    recipe: RecipeBodyJson
    output_table_name: Name | None = None


class TransformationChange(Body):
    """What is to be different; an absent field stays as it is. A bare recipe changes just that."""

    recipe: RecipeBodyJson | None = None
    name: Name | None = None
    description: LongText | None = None
    output_table_name: Name | None = None

    @model_validator(mode="before")
    @classmethod
    def _wrap(cls, given: Any) -> Any:
        is_bare = isinstance(given, dict) and "steps" in given and "recipe" not in given
        return {"recipe": given} if is_bare else given


class RecipeBody(Body):
    """A recipe to be checked, and where it would be saved: without that, no cycle is found."""

    recipe: RecipeBodyJson
    transformation_id: UUID | None = None


class SqlBody(Body):
    """A recipe whose SQL is to be shown."""

    recipe: RecipeBodyJson


class SortBody(SortItem):
    """One column of an order; nulls come last either way."""

    model_config = ConfigDict(extra="forbid")


class PageBody(Body):
    """Which rows of a preview; the recipe of the body goes before the saved one."""

    recipe: RecipeBodyJson | None = None
    until_step: Until | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    offset: Offset = 0
    sort: tuple[SortBody, ...] = ()
    filter: PredicateJson | None = None
    count: Literal["exact", "none"] = "exact"


class DraftBody(PageBody):
    """A recipe that is not saved yet, and which rows of it."""

    recipe: RecipeBodyJson  # pyright: ignore[reportGeneralTypeIssues, reportIncompatibleVariableOverride]


class ProfileBody(Body):
    """A recipe whose result is to be looked at, or of its steps up to one."""

    recipe: RecipeBodyJson
    until_step: Until | None = None


class ExecuteBody(Body):
    """The output's name, where it is to be another from now on."""

    output_table_name: Name | None = None
