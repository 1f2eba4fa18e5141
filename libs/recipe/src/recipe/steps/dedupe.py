"""Keep one row per key."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from recipe.errors import gathering
from recipe.hints import hint
from recipe.items import Sort, sort_item
from recipe.step import Step

if TYPE_CHECKING:
    from recipe.frame import Frame, OrderKey
    from recipe.scope import Scope


class Dedupe(Step):
    """Keep one row for each combination of the named columns: the first or the last one.

    Which row that is follows from order_by, else from the sort before. An empty cell in order_by
    never wins. Rows whose named columns are all blank are all kept: without a key nothing is a
    duplicate.
    """

    label: ClassVar[str] = "Keep one row per key"
    keeps_columns: ClassVar[bool] = True

    type: Literal["dedupe"]
    columns: tuple[str, ...] = Field(
        min_length=1,
        json_schema_extra=hint("columns", "Columns that make a row the same"),
        examples=[["beneficiary_id"]],
    )
    keep: Literal["first", "last"] = Field(
        default="first",
        json_schema_extra=hint(
            "choice", "Keep", labels={"first": "The first row", "last": "The last row"}
        ),
    )
    order_by: tuple[Sort, ...] = Field(
        default=(),
        json_schema_extra=hint("list", "In the order of"),
        examples=[[{"column": "visited_on", "descending": True}]],
    )

    @override
    def apply(self, frame: "Frame", scope: "Scope") -> "Frame":
        """The same columns, one row per key."""
        from recipe.frame import order_keys
        from recipe.rows import one_of_each

        order: tuple[OrderKey, ...] = ()
        with gathering() as parts:
            keys = frame.named(parts, "columns", self.columns)
            with parts.at("order_by"):
                order = order_keys(frame, [sort_item(item) for item in self.order_by])
        return one_of_each(frame, keys, order, last=self.keep == "last")
