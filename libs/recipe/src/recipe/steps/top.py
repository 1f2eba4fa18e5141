"""Keep the first rows of an order."""

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


class Top(Step):
    """Keep the first rows in an order: of all rows, or with `by` of each group.

    Empty cells come last unless nulls is "first". Rows that tie are chosen by the sort before, then
    by their other columns: the same ones every time. The rows stay in this order.
    """

    label: ClassVar[str] = "Keep the top rows"
    keeps_columns: ClassVar[bool] = True

    type: Literal["top"]
    count: int = Field(
        ge=0, le=2**31, json_schema_extra=hint("value", "Rows to keep"), examples=[10]
    )
    order_by: tuple[Sort, ...] = Field(
        min_length=1,
        json_schema_extra=hint("list", "In the order of"),
        examples=[[{"column": "score", "descending": True}]],
    )
    by: tuple[str, ...] = Field(
        default=(), json_schema_extra=hint("columns", "For each"), examples=[["district"]]
    )

    @override
    def apply(self, frame: "Frame", scope: "Scope") -> "Frame":
        """The same columns, at most `count` rows (of each group)."""
        from recipe.frame import order_keys
        from recipe.rows import first_of_groups, first_rows

        order: tuple[OrderKey, ...] = ()
        with gathering() as parts:
            with parts.at("order_by"):
                order = order_keys(frame, [sort_item(item) for item in self.order_by])
            groups = frame.named(parts, "by", self.by)
        ordered = frame.sorted_by(order)
        if not groups:
            return first_rows(ordered, self.count, 0)
        return first_of_groups(ordered, groups, self.count)
