"""Put rows in order."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from recipe.errors import within
from recipe.hints import hint
from recipe.items import Sort as SortBy
from recipe.items import sort_item
from recipe.step import Step

if TYPE_CHECKING:
    from recipe.frame import Frame
    from recipe.scope import Scope


class Sort(Step):
    """Put the rows in order. Text ignores case; empty cells come last unless nulls is "first"."""

    label: ClassVar[str] = "Sort rows"
    keeps_columns: ClassVar[bool] = True

    type: Literal["sort"]
    columns: tuple[SortBy, ...] = Field(
        min_length=1,
        json_schema_extra=hint("list", "Columns"),
        examples=[["district", {"column": "total", "descending": True}]],
    )

    @override
    def apply(self, frame: "Frame", scope: "Scope") -> "Frame":
        """The same rows; a sort before this one settles what is equal here."""
        from recipe.frame import order_keys

        with within("columns"):
            keys = order_keys(frame, [sort_item(item) for item in self.columns])
        return frame.sorted_by(keys)
