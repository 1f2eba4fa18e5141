"""Summarise rows."""

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator
from typing_extensions import override

from recipe.hints import hint
from recipe.items import GroupKey, Sort
from recipe.part import Part
from recipe.predicate import Predicate, missing
from recipe.step import Step

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

_WITHOUT_COLUMN: frozenset[AggregateFunction] = frozenset({"count", "count_rows"})


class Aggregate(Part):
    """One number (or text, or date) for each group."""

    function: AggregateFunction = Field(json_schema_extra=hint("choice", "Function"))
    column: str | None = Field(default=None, json_schema_extra=hint("column", "Column"))
    alias: str | None = Field(
        default=None, min_length=1, max_length=300, json_schema_extra=hint("new_column", "Name")
    )
    where: Predicate | None = Field(
        default=None, json_schema_extra=hint("predicate", "Only rows that fit")
    )
    p: float | None = Field(
        default=None,
        ge=0,
        le=1,
        json_schema_extra=hint("value", "Share below", show={"function": ["percentile"]}),
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
            "list", "In the order of", show={"function": ["first", "last", "concat"]}
        ),
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.column is None and self.function not in _WITHOUT_COLUMN:
            raise missing("column", f"'{self.function}' needs a column.")
        if self.function == "percentile" and self.p is None:
            raise missing("p", "A percentile needs p, a number from 0 to 1: 0.9 is the 90th.")
        return self

    def name(self) -> str:
        """The display name of the result."""
        return self.alias or "_".join(filter(None, (self.function, self.column)))


class Group(Step):
    """Put the rows into groups and compute one row for each; without `by`, one row in all.

    Empty cells count as one group. Functions leave empty cells out, except count_rows.
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
