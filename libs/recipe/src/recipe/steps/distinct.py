"""Keep each row once."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from recipe.errors import gathering
from recipe.hints import hint
from recipe.step import Step

if TYPE_CHECKING:
    from recipe.frame import Frame
    from recipe.scope import Scope


class Distinct(Step):
    """Keep each row once, or with columns one row for each combination of their values.

    Two empty cells are equal. Rows whose named columns are all blank are all kept: without a key
    nothing is a duplicate.
    """

    label: ClassVar[str] = "Remove duplicates"
    keeps_columns: ClassVar[bool] = True

    type: Literal["distinct"]
    columns: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        json_schema_extra=hint("columns", "Columns that make a row the same"),
        examples=[["phone"]],
    )

    @override
    def apply(self, frame: "Frame", scope: "Scope") -> "Frame":
        """The same columns, no row twice."""
        from recipe.rows import one_of_each, whole_rows

        if self.columns is None:
            return whole_rows(frame)
        with gathering() as parts:
            keys = frame.named(parts, "columns", self.columns)
        return one_of_each(frame, keys)
