"""Summarise rows."""

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator
from typing_extensions import override

from recipe.hints import function_hint, hint
from recipe.items import GroupKey, Sort
from recipe.part import Part
from recipe.predicate import Predicate, missing
from recipe.step import Step
from recipe.tables import COLUMN_TYPES, ColumnType

if TYPE_CHECKING:
    from recipe.frame import Frame
    from recipe.scope import Scope

AggregateFunction = Literal[
    "count",
    "count_rows",
    "count_distinct",
    "count_blank",
    "sum",
    "avg",
    "average",
    "min",
    "max",
    "median",
    "mode",
    "stddev",
    "variance",
    "percentile",
    "first",
    "last",
    "concat",
    "concat_distinct",
    "any",
    "all",
    "percent_true",
]

_NUMBERS: tuple[ColumnType, ...] = ("integer", "decimal")
_ORDERED: tuple[ColumnType, ...] = ("text", "integer", "decimal", "date", "timestamp")
_COMPARED: tuple[ColumnType, ...] = (*_ORDERED, "boolean")
_EVERY = COLUMN_TYPES

TAKES: dict[AggregateFunction, tuple[ColumnType, ...]] = {
    "count": _EVERY,
    "count_rows": (),
    "count_distinct": _EVERY,
    "count_blank": _EVERY,
    "sum": _NUMBERS,
    "avg": _NUMBERS,
    "average": _NUMBERS,
    "min": _ORDERED,
    "max": _ORDERED,
    "median": _NUMBERS,
    "mode": _COMPARED,
    "stddev": _NUMBERS,
    "variance": _NUMBERS,
    "percentile": _NUMBERS,
    "first": _EVERY,
    "last": _EVERY,
    "concat": _COMPARED,
    "concat_distinct": _COMPARED,
    "any": ("boolean",),
    "all": ("boolean",),
    "percent_true": ("boolean",),
}
"""The column types each function takes; none: it takes no column."""

LABELS: dict[AggregateFunction, str] = {
    "count": "Number of filled cells",
    "count_rows": "Number of rows",
    "count_distinct": "Number of different values",
    "count_blank": "Number of blank cells",
    "sum": "Sum",
    "avg": "Average",
    "average": "Average",
    "min": "Smallest",
    "max": "Largest",
    "median": "Median",
    "mode": "Most frequent value",
    "stddev": "Standard deviation",
    "variance": "Variance",
    "percentile": "Percentile",
    "first": "First value",
    "last": "Last value",
    "concat": "Values joined",
    "concat_distinct": "Different values joined",
    "any": "Any is true",
    "all": "All are true",
    "percent_true": "Percent true",
}

OVER_CELLS: list[str] = [function for function in TAKES if function != "count_rows"]
"""Functions that may be given a column."""

WITHOUT_COLUMN: frozenset[AggregateFunction] = frozenset({"count", "count_rows"})


class Aggregate(Part):
    """One number (or text, or date) for each group.

    Empty cells are left out, except by count_rows, count_blank, first and last. first and last take
    the cell of a row: in the order named, else in that of the sort before; a row whose cell in the
    order is empty comes neither first nor last. Joined texts stand in the order named, else in
    their own. A percentile lies between two values where its place does.
    """

    function: AggregateFunction = Field(
        json_schema_extra=function_hint("Function", LABELS, TAKES), examples=["sum"]
    )
    column: str | None = Field(
        default=None,
        json_schema_extra=hint("column", "Column", show={"function": OVER_CELLS}),
        examples=["amount"],
    )
    alias: str | None = Field(
        default=None,
        min_length=1,
        max_length=300,
        json_schema_extra=hint("new_column", "Name"),
        examples=["total"],
    )
    where: Predicate | None = Field(
        default=None, json_schema_extra=hint("predicate", "Only rows that fit")
    )
    p: float | None = Field(
        default=None,
        ge=0,
        le=1,
        json_schema_extra=hint("value", "Share of values below", show={"function": ["percentile"]}),
        examples=[0.9],
    )
    separator: str = Field(
        default=", ",
        json_schema_extra=hint(
            "value", "Between the values", show={"function": ["concat", "concat_distinct"]}
        ),
    )
    order_by: tuple[Sort, ...] | None = Field(
        default=None,
        json_schema_extra=hint(
            "list",
            "In the order of",
            show={"function": ["first", "last", "concat", "concat_distinct"]},
        ),
        examples=[["joined"], [{"column": "joined", "descending": True}]],
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.column is None and self.function not in WITHOUT_COLUMN:
            raise missing("column", f"'{self.function}' needs a column.")
        if self.function == "percentile" and self.p is None:
            raise missing("p", "A percentile needs p, a number from 0 to 1: 0.9 is the 90th.")
        return self

    def name(self) -> str:
        """The display name of the result."""
        return self.alias or "_".join(filter(None, (self.function, self.column)))


class Group(Step):
    """Put the rows into groups and compute one row for each; without `by`, one row in all.

    Empty cells are one group. For each row a function may look at only the rows that fit its own
    condition; `having` then keeps groups by what was computed.
    """

    label: ClassVar[str] = "Group and summarise"

    type: Literal["group"]
    by: tuple[GroupKey, ...] = Field(
        json_schema_extra=hint("list", "For each"),
        examples=[["district"], [{"column": "joined", "part": "year"}]],
    )
    aggregates: tuple[Aggregate, ...] = Field(
        min_length=1,
        json_schema_extra=hint("list", "Compute"),
        examples=[[{"function": "count", "column": "id", "alias": "total"}]],
    )
    having: Predicate | None = Field(
        default=None, json_schema_extra=hint("predicate", "Keep groups that fit")
    )

    @override
    def apply(self, frame: "Frame", scope: "Scope") -> "Frame":
        """The keys, then the aggregates, in the order in which they are named."""
        from recipe.grouping import grouped

        return grouped(self, frame, scope.context)
