"""Leave rows with blank cells out."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from recipe.errors import gathering
from recipe.hints import hint
from recipe.step import Step

if TYPE_CHECKING:
    from recipe.frame import Frame
    from recipe.scope import Scope


class DropBlank(Step):
    """Leave out the rows in which any of the named columns is blank, or only those in which all are.

    Without columns, all of them are looked at. Text of only white space is blank.
    """

    label: ClassVar[str] = "Remove blank rows"
    keeps_columns: ClassVar[bool] = True

    type: Literal["drop_blank"]
    columns: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        json_schema_extra=hint("columns", "Columns to look at"),
        examples=[["phone"]],
    )
    how: Literal["any", "all"] = Field(
        default="any",
        json_schema_extra=hint(
            "choice",
            "Remove a row when",
            labels={"any": "Any of them is blank", "all": "All of them are blank"},
        ),
    )

    @override
    def apply(self, frame: "Frame", scope: "Scope") -> "Frame":
        """The same columns, fewer rows."""
        from recipe.semantics import all_of, any_of, is_blank, truth

        with gathering() as parts:
            columns = frame.named(parts, "columns", self.columns or frame.names())
        blank = [is_blank(frame.value(column), column.type) for column in columns]
        return frame.filter(truth(~(any_of(blank) if self.how == "any" else all_of(blank))))
