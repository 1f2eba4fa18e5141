"""Compute a new column."""

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, JsonValue, model_validator
from typing_extensions import override

from recipe.errors import within
from recipe.hints import hint
from recipe.items import DatePart
from recipe.part import Part
from recipe.predicate import missing
from recipe.step import Step

if TYPE_CHECKING:
    from recipe.frame import Frame
    from recipe.scope import Scope

ExpressionType = Literal["math", "concat", "extract", "constant"]
Sign = Literal["+", "-", "*", "/", "%", "^"]

_NEEDS: dict[ExpressionType, tuple[str, ...]] = {
    "math": ("left", "operator", "right"),
    "concat": ("columns",),
    "extract": ("column", "part"),
    "constant": ("value",),
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


def _shown(kind: ExpressionType) -> dict[str, list[str]]:
    return {"expression_type": [kind]}


class AddColumn(Step):
    """Compute a column: arithmetic, text joined from columns, a part of a date, or a constant.

    Division by zero gives an empty cell. Joined text skips blanks and writes numbers plainly.
    """

    label: ClassVar[str] = "Add a column"
    keeps_rows: ClassVar[bool] = True

    type: Literal["add_column"]
    name: str = Field(
        min_length=1,
        max_length=300,
        json_schema_extra=hint("new_column", "Name"),
        examples=["total"],
    )
    expression_type: ExpressionType = Field(json_schema_extra=hint("choice", "Kind"))
    left: AnyOperand | None = Field(
        default=None,
        json_schema_extra=hint("column", "Left", types=("integer", "decimal"), show=_shown("math")),
        examples=["price"],
    )
    operator: Sign | None = Field(
        default=None, json_schema_extra=hint("choice", "Sign", show=_shown("math"))
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
            "column", "Date", types=("date", "timestamp"), show=_shown("extract")
        ),
        examples=["joined"],
    )
    part: DatePart | None = Field(
        default=None, json_schema_extra=hint("choice", "Part", show=_shown("extract"))
    )
    value: JsonValue = Field(
        default=None, json_schema_extra=hint("value", "Value", show=_shown("constant"))
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
        return self

    @override
    def apply(self, frame: "Frame", scope: "Scope") -> "Frame":
        """The same rows with one more column."""
        from recipe.calculation import calculated

        kind, value = calculated(self, frame)
        with within("name"):
            return frame.put(self.name, kind, value, replacing=self.replace)
