"""Predicates: what a row must be like, for `filter`, `categorize`, aggregates and `having`."""

from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, JsonValue, Tag, model_validator
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError

from recipe.hints import hint
from recipe.part import Part
from recipe.tables import COLUMN_TYPES, ColumnType

Operator = Literal[
    "equals",
    "not_equals",
    "contains",
    "not_contains",
    "starts_with",
    "ends_with",
    "matches",
    "not_matches",
    "greater_than",
    "less_than",
    "greater_or_equal",
    "less_or_equal",
    "between",
    "not_between",
    "in",
    "not_in",
    "is_null",
    "is_not_null",
    "is_blank",
    "is_not_blank",
    "is_true",
    "is_false",
    "in_last",
    "in_next",
    "has",
    "has_any",
    "has_all",
]

_EVERY: tuple[ColumnType, ...] = COLUMN_TYPES
_EQUAL: tuple[ColumnType, ...] = ("text", "integer", "decimal", "date", "timestamp", "boolean")
_ORDERED: tuple[ColumnType, ...] = ("integer", "decimal", "date", "timestamp")
_TEXT: tuple[ColumnType, ...] = ("text",)
_TIME: tuple[ColumnType, ...] = ("date", "timestamp")
_LISTS: tuple[ColumnType, ...] = ("text", "json")
_BOOLEAN: tuple[ColumnType, ...] = ("boolean",)

TAKES: dict[Operator, tuple[ColumnType, ...]] = {
    "equals": _EQUAL,
    "not_equals": _EQUAL,
    "contains": _TEXT,
    "not_contains": _TEXT,
    "starts_with": _TEXT,
    "ends_with": _TEXT,
    "matches": _TEXT,
    "not_matches": _TEXT,
    "greater_than": _ORDERED,
    "less_than": _ORDERED,
    "greater_or_equal": _ORDERED,
    "less_or_equal": _ORDERED,
    "between": _ORDERED,
    "not_between": _ORDERED,
    "in": _EQUAL,
    "not_in": _EQUAL,
    "is_null": _EVERY,
    "is_not_null": _EVERY,
    "is_blank": _EVERY,
    "is_not_blank": _EVERY,
    "is_true": _BOOLEAN,
    "is_false": _BOOLEAN,
    "in_last": _TIME,
    "in_next": _TIME,
    "has": _LISTS,
    "has_any": _LISTS,
    "has_all": _LISTS,
}
"""The column types each operator compares."""

ALONE: frozenset[Operator] = frozenset(
    {"is_null", "is_not_null", "is_blank", "is_not_blank", "is_true", "is_false"}
)
"""Operators that take neither a value nor another column."""

WITH_COLUMN: frozenset[Operator] = frozenset(
    {
        "equals",
        "not_equals",
        "contains",
        "not_contains",
        "starts_with",
        "ends_with",
        "greater_than",
        "less_than",
        "greater_or_equal",
        "less_or_equal",
    }
)
"""Operators that compare with another column of the row."""

_BY_OPERATOR: JsonDict = {name: list(types) for name, types in TAKES.items()}
_LABELS: dict[str, str] = {
    "equals": "is",
    "not_equals": "is not",
    "greater_than": "is more than",
    "less_than": "is less than",
    "greater_or_equal": "is at least",
    "less_or_equal": "is at most",
    "between": "is between",
    "not_between": "is not between",
    "in": "is one of",
    "not_in": "is none of",
    "matches": "matches the pattern",
    "not_matches": "does not match the pattern",
    "not_contains": "does not contain",
    "is_null": "is empty",
    "is_not_null": "is not empty",
    "in_last": "is in the last",
    "in_next": "is in the next",
    "has": "includes the choice",
    "has_any": "includes any of the choices",
    "has_all": "includes all of the choices",
}
"""What an operator is called, where its own words do not say it."""

OPERATOR_HINT: JsonDict = {
    **hint(
        "choice",
        "Comparison",
        labels={name: _LABELS.get(name, name.replace("_", " ")) for name in TAKES},
    ),
    "operators": _BY_OPERATOR,
}


def missing(field: str, message: str) -> PydanticCustomError:
    """A field that is needed because of what other fields say."""
    return PydanticCustomError("missing_field", message, {"field": field})  # pyright: ignore[reportArgumentType]


class Comparison(Part):
    """A column compared with a value, or with another column of the row."""

    column: str = Field(json_schema_extra=hint("column", "Column"))
    operator: Operator = Field(json_schema_extra=OPERATOR_HINT)
    value: JsonValue = Field(default=None, json_schema_extra=hint("value", "Value"))
    other_column: str | None = Field(
        default=None, json_schema_extra=hint("column", "Or another column")
    )
    case_sensitive: bool | None = Field(
        default=None, json_schema_extra=hint("choice", "Upper and lower case matter")
    )

    @model_validator(mode="after")
    def _has_what_it_compares_with(self) -> Self:
        needs_value(self.operator, "value" in self.model_fields_set, self.other_column)
        return self


def needs_value(operator: Operator, given: bool, other_column: str | None) -> None:
    """Raise a validation error if the operator lacks what it compares with."""
    if operator in ALONE or given or other_column is not None:
        return
    text = f"'{operator}' needs a value"
    raise missing("value", text + (", or other_column." if operator in WITH_COLUMN else "."))


class AllOf(Part):
    """Every one of the predicates holds; of none, always."""

    all: tuple["Predicate", ...] = Field(json_schema_extra=hint("predicate", "All of"))


class AnyOf(Part):
    """At least one of the predicates holds; of none, never."""

    any: tuple["Predicate", ...] = Field(json_schema_extra=hint("predicate", "Any of"))


class Not(Part):
    """The predicate does not hold; a row whose cell is null counts as not holding it."""

    not_: "Predicate" = Field(alias="not", json_schema_extra=hint("predicate", "Not"))


def _which(value: object) -> str:
    given = value if isinstance(value, dict) else getattr(value, "model_fields_set", ())
    for key, tag in (("all", "AllOf"), ("any", "AnyOf"), ("not", "Not"), ("not_", "Not")):
        if key in given:
            return tag
    return "Comparison"


Predicate = Annotated[
    Annotated[Comparison, Tag("Comparison")]
    | Annotated[AllOf, Tag("AllOf")]
    | Annotated[AnyOf, Tag("AnyOf")]
    | Annotated[Not, Tag("Not")],
    Discriminator(_which),
]
"""A condition on one row."""

for _model in (AllOf, AnyOf, Not):
    _model.model_rebuild()
