"""Compute a new column."""

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, JsonValue, model_validator
from typing_extensions import override

from recipe.errors import within
from recipe.formula.parser import check_syntax
from recipe.hints import hint
from recipe.items import DatePart
from recipe.part import Part
from recipe.periods import Unit
from recipe.predicate import missing
from recipe.step import Step

if TYPE_CHECKING:
    from recipe.frame import Frame
    from recipe.scope import Scope

ExpressionType = Literal[
    "math", "concat", "extract", "constant", "date_diff", "date_add", "age", "formula"
]
Sign = Literal["+", "-", "*", "/", "%", "^"]

_LABELS: dict[str, str] = {
    "math": "Arithmetic",
    "concat": "Join text",
    "extract": "Part of a date",
    "constant": "The same in every row",
    "date_diff": "Time between dates",
    "date_add": "Date some time later",
    "age": "Age in years",
    "formula": "Formula",
}

_SIGNS: dict[str, str] = {
    "+": "plus",
    "-": "minus",
    "*": "times",
    "/": "divided by",
    "%": "remainder of division by",
    "^": "to the power of",
}

_PARTS: dict[str, str] = {
    "year": "Year",
    "quarter": "Quarter",
    "month": "Month",
    "week": "Week (ISO)",
    "day": "Day of the month",
    "weekday": "Day of the week (Monday is 1)",
    "hour": "Hour",
    "minute": "Minute",
}

_UNITS: dict[str, str] = {
    "day": "Days",
    "week": "Weeks",
    "month": "Months",
    "quarter": "Quarters",
    "year": "Years",
}

MOST_UNITS = 10_000_000
"""More than there are days in the calendar."""

_NEEDS: dict[ExpressionType, tuple[str, ...]] = {
    "math": ("left", "operator", "right"),
    "concat": ("columns",),
    "extract": ("column", "part"),
    "constant": ("value",),
    "date_diff": ("start", "end", "unit"),
    "date_add": ("column", "count", "unit"),
    "age": ("column",),
    "formula": ("formula",),
}


class Operand(Part):
    """An operand that says what it is: a column, or a number."""

    column: str | None = Field(default=None, json_schema_extra=hint("column", "Column"))
    value: int | float | str | None = Field(default=None, json_schema_extra=hint("value", "Number"))

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.column is None) == (self.value is None):
            raise missing("column", "An operand is either a column or a value.")
        return self


AnyOperand = int | float | str | Operand


def _shown(*kinds: ExpressionType) -> dict[str, list[str]]:
    return {"expression_type": list(kinds)}


class AddColumn(Step):
    """Compute a column: arithmetic, joined text, dates, a constant, or a formula.

    A formula is written as in a spreadsheet, with columns in brackets: `=ROUND([weight] / 2, 1)`.
    Division by zero gives an empty cell. Joined text skips blanks and writes numbers plainly.
    Between dates whole units are counted, negative backwards; months later stay inside the month;
    an age is in whole years, today unless you say on which day.
    """

    label: ClassVar[str] = "Add a column"

    type: Literal["add_column"]
    name: str = Field(
        min_length=1,
        max_length=300,
        json_schema_extra=hint("new_column", "Name"),
        examples=["total"],
    )
    expression_type: ExpressionType = Field(
        json_schema_extra=hint("choice", "Kind", labels=_LABELS)
    )
    left: AnyOperand | None = Field(
        default=None,
        json_schema_extra=hint("column", "Left", types=("integer", "decimal"), show=_shown("math")),
        examples=["price"],
    )
    operator: Sign | None = Field(
        default=None,
        json_schema_extra=hint("choice", "Sign", show=_shown("math"), labels=_SIGNS),
    )
    right: AnyOperand | None = Field(
        default=None,
        json_schema_extra=hint(
            "column", "Right", types=("integer", "decimal"), show=_shown("math")
        ),
        examples=["quantity", 100],
    )
    columns: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        json_schema_extra=hint("columns", "Columns", show=_shown("concat")),
        examples=[["first_name", "last_name"]],
    )
    separator: str = Field(
        default=" ", json_schema_extra=hint("value", "Between them", show=_shown("concat"))
    )
    column: str | None = Field(
        default=None,
        json_schema_extra=hint(
            "column",
            "Date",
            types=("date", "timestamp"),
            show=_shown("extract", "date_add", "age"),
        ),
        examples=["joined"],
    )
    part: DatePart | None = Field(
        default=None,
        json_schema_extra=hint("choice", "Part", show=_shown("extract"), labels=_PARTS),
    )
    value: JsonValue = Field(
        default=None, json_schema_extra=hint("value", "Value", show=_shown("constant"))
    )
    start: str | None = Field(
        default=None,
        json_schema_extra=hint(
            "column", "From", types=("date", "timestamp"), show=_shown("date_diff")
        ),
        examples=["joined"],
    )
    end: str | None = Field(
        default=None,
        json_schema_extra=hint(
            "column", "To", types=("date", "timestamp"), show=_shown("date_diff")
        ),
        examples=["left", "2026-03-31"],
    )
    count: int | None = Field(
        default=None,
        ge=-MOST_UNITS,
        le=MOST_UNITS,
        json_schema_extra=hint("value", "How many", show=_shown("date_add")),
        examples=[30],
    )
    unit: Unit | None = Field(
        default=None,
        json_schema_extra=hint(
            "choice", "Unit", show=_shown("date_diff", "date_add"), labels=_UNITS
        ),
    )
    on: str | None = Field(
        default=None,
        json_schema_extra=hint(
            "column", "On (else today)", types=("date", "timestamp"), show=_shown("age")
        ),
        examples=["2026-03-31", "visited"],
    )
    formula: str | None = Field(
        default=None,
        max_length=8192,
        json_schema_extra=hint("formula", "Formula", show=_shown("formula")),
        examples=['=IF([age] >= 18, "adult", "child")'],
    )
    replace: bool = Field(
        default=False, json_schema_extra=hint("choice", "Replace the column if it exists")
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for field in _NEEDS[self.expression_type]:
            absent = field not in self.model_fields_set
            if absent or (getattr(self, field) is None and field != "value"):
                raise missing(field, f"'{self.expression_type}' needs {field}.")
        if self.expression_type == "formula":
            check_syntax(self.formula or "", "formula")
        return self

    @override
    def apply(self, frame: "Frame", scope: "Scope") -> "Frame":
        """The same rows with one more column."""
        from recipe.calculation import calculated

        if self.expression_type == "formula":
            from recipe.formula.compiling import computed

            with within("formula"):
                frame, kind, value = computed(self.formula or "", frame, scope)
        else:
            kind, value = calculated(self, frame, scope.context)
        with within("name"):
            return frame.put(self.name, kind, value, replacing=self.replace)
