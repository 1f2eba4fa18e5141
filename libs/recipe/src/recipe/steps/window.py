"""Compute a column from the rows around each row."""

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator
from typing_extensions import override

from recipe.errors import within
from recipe.hints import function_hint, hint
from recipe.items import Sort
from recipe.predicate import missing
from recipe.step import Step
from recipe.tables import COLUMN_TYPES, ColumnType

if TYPE_CHECKING:
    from recipe.frame import Frame
    from recipe.scope import Scope

WindowFunction = Literal[
    "row_number",
    "rank",
    "dense_rank",
    "ntile",
    "running_sum",
    "running_count",
    "running_avg",
    "moving_avg",
    "lag",
    "lead",
    "first",
    "last",
    "percent_of_total",
    "sum",
    "avg",
    "count",
    "min",
    "max",
]

_NUMBERS: tuple[ColumnType, ...] = ("integer", "decimal")
_ORDERED: tuple[ColumnType, ...] = ("text", "integer", "decimal", "date", "timestamp")

TAKES: dict[WindowFunction, tuple[ColumnType, ...]] = {
    "row_number": (),
    "rank": (),
    "dense_rank": (),
    "ntile": (),
    "running_sum": _NUMBERS,
    "running_count": COLUMN_TYPES,
    "running_avg": _NUMBERS,
    "moving_avg": _NUMBERS,
    "lag": COLUMN_TYPES,
    "lead": COLUMN_TYPES,
    "first": COLUMN_TYPES,
    "last": COLUMN_TYPES,
    "percent_of_total": _NUMBERS,
    "sum": _NUMBERS,
    "avg": _NUMBERS,
    "count": COLUMN_TYPES,
    "min": _ORDERED,
    "max": _ORDERED,
}
"""The column types each function takes; none: it takes no column."""

_LABELS: dict[WindowFunction, str] = {
    "row_number": "Number of the row",
    "rank": "Rank, with gaps after ties",
    "dense_rank": "Rank, without gaps",
    "ntile": "Bucket of equally many rows",
    "running_sum": "Running sum",
    "running_count": "Running count",
    "running_avg": "Running average",
    "moving_avg": "Moving average",
    "lag": "Value of an earlier row",
    "lead": "Value of a later row",
    "first": "First value of the group",
    "last": "Last value of the group",
    "percent_of_total": "Percent of the group's total",
    "sum": "Sum of the group",
    "avg": "Average of the group",
    "count": "Count of the group",
    "min": "Smallest of the group",
    "max": "Largest of the group",
}

_COUNTS: frozenset[WindowFunction] = frozenset({"running_count", "count"})
"""Functions that count rows when no column is given."""

_RANKS: frozenset[WindowFunction] = frozenset({"rank", "dense_rank"})

_MOST = 2**31 - 1
"""PostgreSQL counts rows of a window in int4."""


class Window(Step):
    """Compute a column from the rows around each row: numbers, ranks, running and moving values.

    Within each group, rows stand in the order named, else in that of the sort before; where that
    leaves ties, functions that go row by row still give the same result every time. sum, avg, count,
    min and max take the whole group, with an order the rows up to each row and those that tie with
    it. first and last see the whole group and give the cell of a row, empty or not; a row whose cell
    in the order is empty comes neither first nor last. Empty cells are left out of sums, averages
    and counts.
    """

    label: ClassVar[str] = "Compute across rows"

    type: Literal["window"]
    name: str = Field(
        min_length=1,
        max_length=300,
        json_schema_extra=hint("new_column", "Name"),
        examples=["running_total"],
    )
    function: WindowFunction = Field(
        json_schema_extra=function_hint("Function", _LABELS, TAKES), examples=["running_sum"]
    )
    column: str | None = Field(
        default=None,
        json_schema_extra=hint(
            "column",
            "Column",
            show={"function": [name for name, types in TAKES.items() if types]},
        ),
        examples=["amount"],
    )
    by: tuple[str, ...] = Field(
        default=(), json_schema_extra=hint("columns", "Within each"), examples=[["district"]]
    )
    order_by: tuple[Sort, ...] | None = Field(
        default=None,
        min_length=1,
        json_schema_extra=hint(
            "list",
            "In the order of",
            show={"function": [own for own in TAKES if own != "percent_of_total"]},
        ),
        examples=[["paid_on"], [{"column": "amount", "descending": True}]],
    )
    rows: int | None = Field(
        default=None,
        ge=1,
        le=_MOST,
        json_schema_extra=hint(
            "value", "Rows to look back over, this one included", show={"function": ["moving_avg"]}
        ),
        examples=[3],
    )
    offset: int = Field(
        default=1,
        ge=1,
        le=_MOST,
        json_schema_extra=hint("value", "Rows away", show={"function": ["lag", "lead"]}),
        examples=[1],
    )
    buckets: int | None = Field(
        default=None,
        ge=1,
        le=_MOST,
        json_schema_extra=hint("value", "Buckets", show={"function": ["ntile"]}),
        examples=[4],
    )
    replace: bool = Field(
        default=False, json_schema_extra=hint("choice", "Replace the column if it exists")
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.column is None and TAKES[self.function] and self.function not in _COUNTS:
            raise missing("column", f"'{self.function}' needs a column.")
        if self.function in _RANKS and self.order_by is None:
            raise missing("order_by", f"'{self.function}' needs order_by: what it ranks by.")
        if self.function == "moving_avg" and self.rows is None:
            raise missing("rows", "A moving average needs rows: how many it looks back over.")
        if self.function == "ntile" and self.buckets is None:
            raise missing("buckets", "'ntile' needs buckets: how many to deal the rows into.")
        return self

    @override
    def apply(self, frame: "Frame", scope: "Scope") -> "Frame":
        """The same rows with one more column."""
        from recipe.windows import windowed

        kind, value = windowed(self, frame)
        with within("name"):
            return frame.put(self.name, kind, value, replacing=self.replace)
