"""Small parts that several steps take: an item of an order, a part of a date."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from recipe.hints import hint
from recipe.part import Part

DatePart = Literal["year", "quarter", "month", "week", "day", "weekday", "hour", "minute"]
"""`week` is that of ISO 8601, `weekday` runs from Monday = 1 to Sunday = 7."""

TIME_PARTS: frozenset[DatePart] = frozenset({"hour", "minute"})
"""Parts that a date alone does not have."""


class SortItem(Part):
    """One column of an order."""

    column: str = Field(json_schema_extra=hint("column", "Column"))
    descending: bool = Field(default=False, json_schema_extra=hint("choice", "Largest first"))
    nulls: Literal["first", "last"] = Field(
        default="last",
        json_schema_extra=hint(
            "choice", "Empty cells", labels={"first": "Come first", "last": "Come last"}
        ),
    )


class DateGroup(Part):
    """A part of a date to group by."""

    column: str = Field(json_schema_extra=hint("column", "Column", types=("date", "timestamp")))
    part: DatePart = Field(json_schema_extra=hint("choice", "Part"))
    alias: str | None = Field(
        default=None, min_length=1, json_schema_extra=hint("new_column", "Name")
    )


def name_or_part(value: object) -> str:
    """Tell a bare column name from an object that says more."""
    return "name" if isinstance(value, str) else "item"


Sort = Annotated[
    Annotated[str, Tag("name")] | Annotated[SortItem, Tag("item")], Discriminator(name_or_part)
]
"""A column's name, or a sort item."""

GroupKey = Annotated[
    Annotated[str, Tag("name")] | Annotated[DateGroup, Tag("item")], Discriminator(name_or_part)
]
"""A column's name, or a part of a date."""


def sort_item(item: str | SortItem) -> SortItem:
    """A bare name means ascending, nulls last."""
    return SortItem(column=item) if isinstance(item, str) else item
