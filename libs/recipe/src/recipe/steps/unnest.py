"""Give each element of a list a row of its own."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from recipe.errors import within
from recipe.hints import hint
from recipe.step import Step

if TYPE_CHECKING:
    from recipe.frame import Frame
    from recipe.scope import Scope


class Unnest(Step):
    """Give each element of a list a row of its own; the other cells are repeated.

    Lists are JSON arrays, or text split at a separator: without one at white space, as answers to
    select_multiple are written. Elements become text. A row with nothing in its list stays, with
    an empty cell.
    """

    label: ClassVar[str] = "One row per list element"

    type: Literal["unnest"]
    column: str = Field(
        json_schema_extra=hint("column", "Column", types=("text", "json")), examples=["crops"]
    )
    separator: str | None = Field(
        default=None,
        min_length=1,
        max_length=100,
        json_schema_extra=hint("value", "Separator, in text"),
        examples=[";"],
    )

    @override
    def apply(self, frame: "Frame", scope: "Scope") -> "Frame":
        """The same columns, one row per element."""
        from recipe.lists import elements

        with within("column"):
            column = frame.column(self.column, ("text", "json"), "'unnest'")
        unnested = column.model_copy(update={"type": "text"})
        each = elements(frame.value(column), column.type, self.separator)
        return frame.select(
            [(unnested, each) if output[0] == column else output for output in frame.outputs()]
        )
