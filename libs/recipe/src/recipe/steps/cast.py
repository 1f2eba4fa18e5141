"""Change the type of columns."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError
from typing_extensions import override

from recipe.hints import TYPE_LABELS, hint
from recipe.step import Step
from recipe.tables import ColumnType

if TYPE_CHECKING:
    from recipe.frame import Frame
    from recipe.scope import Scope

Separator = Annotated[
    str, StringConstraints(min_length=1, max_length=1, pattern=r"[^0-9A-Za-z+\-\\^\[\]]")
]
"""One sign between digits."""


class Cast(Step):
    """Change the type of columns; a cell that does not fit becomes empty, or stops the run.

    Whole numbers are written 12, -3 or 12.0, dates 2024-02-29 unless you give a format of YYYY YY MM
    MON MONTH DD DY DAY HH24 MI SS; true and false are true, false, yes, no, y, n, 1 and 0. A date
    alone becomes a moment at midnight. Blank cells are empty, never a failure.
    """

    label: ClassVar[str] = "Change type"

    type: Literal["cast"]
    columns: dict[str, ColumnType] = Field(
        min_length=1,
        json_schema_extra=hint("columns", "From column to type", labels=TYPE_LABELS),
        examples=[{"age": "integer", "joined": "date"}],
    )
    format: str | None = Field(
        default=None,
        min_length=1,
        json_schema_extra=hint("value", "How dates are written"),
        examples=["DD/MM/YYYY", "YYYY-MM-DD HH24:MI"],
    )
    decimal_separator: Separator = Field(
        default=".", json_schema_extra=hint("value", "Before the fraction"), examples=[","]
    )
    thousands_separator: Separator | None = Field(
        default=None, json_schema_extra=hint("value", "Between groups of digits"), examples=[","]
    )
    on_error: Literal["null", "fail"] = Field(
        default="null",
        json_schema_extra=hint(
            "choice",
            "A cell that does not fit",
            labels={"null": "Becomes empty", "fail": "Stops the run"},
        ),
    )

    @model_validator(mode="after")
    def _separators_differ(self) -> Self:
        if self.thousands_separator == self.decimal_separator:
            raise PydanticCustomError(
                "bad_value",
                "Fractions and groups of digits need different separators; set decimal_separator.",
                {"field": "thousands_separator"},
            )
        return self

    @override
    def apply(self, frame: "Frame", scope: "Scope") -> "Frame":
        """The same columns, some of another type."""
        from recipe.retyping import retyped

        return retyped(self, frame, scope)
