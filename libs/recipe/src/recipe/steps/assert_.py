"""Stop, or warn, when the data is not as it should be."""

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, JsonValue, model_validator
from pydantic_core import PydanticCustomError
from typing_extensions import override

from recipe.hints import function_hint, hint
from recipe.predicate import missing
from recipe.step import Step
from recipe.tables import COLUMN_TYPES, ColumnType

if TYPE_CHECKING:
    from recipe.frame import Frame
    from recipe.scope import Scope

Check = Literal["not_blank", "unique", "in", "between", "matches", "row_count", "references"]

TAKES: dict[Check, tuple[ColumnType, ...]] = {
    "not_blank": COLUMN_TYPES,
    "unique": COLUMN_TYPES,
    "in": ("text", "integer", "decimal", "date", "timestamp", "boolean"),
    "between": ("integer", "decimal", "date", "timestamp"),
    "matches": ("text",),
    "row_count": (),
    "references": COLUMN_TYPES,
}
"""The column types each check looks at; none: it looks at no column."""

_LABELS: dict[Check, str] = {
    "not_blank": "No cell is blank",
    "unique": "No value occurs twice",
    "in": "Only these values",
    "between": "Between two values",
    "matches": "Matches a pattern",
    "row_count": "Number of rows",
    "references": "Found in another table",
}

_NEEDS: dict[Check, tuple[str, ...]] = {
    "not_blank": ("columns",),
    "unique": ("columns",),
    "in": ("columns", "values"),
    "between": ("columns", "min", "max"),
    "matches": ("columns", "regex"),
    "row_count": (),
    "references": ("columns", "table", "table_columns"),
}


_OF_COLUMNS: tuple[Check, ...] = tuple(check for check, types in TAKES.items() if types)


def _shown(*checks: Check) -> dict[str, list[str]]:
    return {"check": list(checks)}


class Assert(Step):
    """Check the rows at this point, each time the recipe is built; the rows stay as they are.

    If any row offends, nothing is published (fail), or a warning goes with the result (warn); either
    way you are told how many rows offend and up to ten of their values. Blank cells pass every check
    but not_blank. unique looks at all the columns together, references too: the values of a row must
    stand in one row of the other table. A preview does not check.
    """

    label: ClassVar[str] = "Check the data"
    table_fields: ClassVar[tuple[str, ...]] = ("table",)
    keeps_columns: ClassVar[bool] = True

    type: Literal["assert"]
    check: Check = Field(
        json_schema_extra=function_hint("Check", _LABELS, TAKES), examples=["not_blank"]
    )
    columns: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        json_schema_extra=hint("columns", "Columns", show=_shown(*_OF_COLUMNS)),
        examples=[["phone"]],
    )
    values: tuple[JsonValue, ...] | None = Field(
        default=None,
        min_length=1,
        json_schema_extra=hint("list", "Values", show=_shown("in")),
        examples=[["open", "closed"]],
    )
    min: JsonValue = Field(
        default=None,
        json_schema_extra=hint("value", "At least", show=_shown("between", "row_count")),
        examples=[0],
    )
    max: JsonValue = Field(
        default=None,
        json_schema_extra=hint("value", "At most", show=_shown("between", "row_count")),
        examples=[120],
    )
    regex: str | None = Field(
        default=None,
        json_schema_extra=hint("value", "Pattern", show=_shown("matches")),
        examples=["^[0-9]{10}$"],
    )
    table: str | None = Field(
        default=None,
        min_length=1,
        json_schema_extra=hint("table", "Other table", show=_shown("references")),
        examples=["districts"],
    )
    table_columns: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        json_schema_extra=hint("columns", "Its columns", of="table", show=_shown("references")),
        examples=[["id"]],
    )
    severity: Literal["fail", "warn"] = Field(
        default="fail",
        json_schema_extra=hint(
            "choice",
            "If it does not hold",
            labels={"fail": "Stop: publish nothing", "warn": "Publish with a warning"},
        ),
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for field in _NEEDS[self.check]:
            if getattr(self, field) is None:
                raise missing(field, f"'{self.check}' needs {field}.")
        if self.check == "row_count":
            self._check_bounds()
        if self.check == "references" and len(self.columns or ()) != len(self.table_columns or ()):
            raise _bad("columns and table_columns name equally many columns.", "table_columns")
        return self

    def _check_bounds(self) -> None:
        if self.min is None and self.max is None:
            raise missing("min", "'row_count' needs min, max, or both.")
        for field, bound in (("min", self.min), ("max", self.max)):
            if bound is not None and not _is_count(bound):
                raise _bad("A number of rows is a whole number, 0 or more.", field)
        least, most = self.row_bounds()
        if least is not None and most is not None and least > most:
            raise _bad("The bounds are reversed: min is the greater.", "max")

    def row_bounds(self) -> tuple[int | None, int | None]:
        """Of `row_count`: the least and the greatest number of rows."""
        least, most = (bound if isinstance(bound, int) else None for bound in (self.min, self.max))
        return least, most

    @override
    def apply(self, frame: "Frame", scope: "Scope") -> "Frame":
        """The same rows; what must not be among them is looked for when the recipe is built."""
        from recipe.asserting import requirement

        scope.require(requirement(self, frame, scope))
        return frame


def _is_count(bound: JsonValue) -> bool:
    return isinstance(bound, int) and not isinstance(bound, bool) and 0 <= bound < 2**63


def _bad(message: str, field: str) -> PydanticCustomError:
    return PydanticCustomError("bad_value", message, {"field": field})  # pyright: ignore[reportArgumentType]
