"""A recipe on its way in: free JSON to us, the full language in OpenAPI.

Parsing is its owner's: what does not fit comes back from there as errors at their steps, in the
words of the language, and not as the framework's.
"""

from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from recipe import Recipe


class _ShownAsRecipe:
    """Keeps the field's own parsing, shows the schema of a recipe."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return handler(source)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(Recipe.__pydantic_core_schema__)


class OrRecipe:
    """Shows that a body may be a bare recipe as well; to be taken apart by the body's model."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [handler(schema), handler(Recipe.__pydantic_core_schema__)]}


RecipeJson = Annotated[dict[str, object], _ShownAsRecipe()]
