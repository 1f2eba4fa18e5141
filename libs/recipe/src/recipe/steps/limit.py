"""Keep the first rows."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from recipe.hints import hint
from recipe.step import Step

if TYPE_CHECKING:
    from recipe.frame import Frame
    from recipe.scope import Scope

_MOST = 2**62
"""Well inside PostgreSQL's bigint."""


class Limit(Step):
    """Keep the first rows in the order of the sort before; the same ones every time."""

    label: ClassVar[str] = "Keep the first rows"
    keeps_columns: ClassVar[bool] = True

    type: Literal["limit"]
    count: int = Field(
        ge=0, le=_MOST, json_schema_extra=hint("value", "Rows to keep"), examples=[100]
    )
    offset: int = Field(
        default=0, ge=0, le=_MOST, json_schema_extra=hint("value", "Rows to skip first")
    )

    @override
    def apply(self, frame: "Frame", scope: "Scope") -> "Frame":
        """At most `count` rows."""
        from recipe.rows import first_rows

        return first_rows(frame, self.count, self.offset)
