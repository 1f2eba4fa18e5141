"""Turn values into columns."""

from typing import TYPE_CHECKING, ClassVar, Literal, Self, get_args

from pydantic import Field, JsonValue, model_validator
from typing_extensions import override

from recipe.data_names import MOST_NAMES, NamedByData
from recipe.hints import function_hint, hint
from recipe.predicate import missing
from recipe.steps.group import LABELS, TAKES, WITHOUT_COLUMN
from recipe.tables import ColumnType

if TYPE_CHECKING:
    from recipe.frame import Frame
    from recipe.scope import Scope

PivotFunction = Literal[
    "sum",
    "avg",
    "average",
    "count",
    "count_rows",
    "count_distinct",
    "count_blank",
    "min",
    "max",
    "median",
    "mode",
    "stddev",
    "variance",
    "first",
    "last",
    "concat",
    "concat_distinct",
    "any",
    "all",
    "percent_true",
]

NAMING: tuple[ColumnType, ...] = ("text", "integer", "decimal", "date", "timestamp", "boolean")
"""Types of columns whose cells can name columns."""

BLANK = "(blank)"
"""The column of the rows whose cell is blank."""


_OVER_CELLS = [name for name in get_args(PivotFunction) if name != "count_rows"]


class Pivot(NamedByData):
    """Turn the values of one column into columns of their own, with one row for each index.

    Every cell is computed from the rows of that index and that value: a count of nothing is 0,
    anything else of nothing is empty. Without `names` the values are read from the data when the
    recipe is saved (or, where the table has no data yet, whenever it is built), in ascending order,
    "(blank)" last; save again to read them anew. There are at most 200.
    """

    label: ClassVar[str] = "Pivot: values to columns"
    names_field: ClassVar[str] = "names_from"
    blank_name: ClassVar[str | None] = BLANK

    type: Literal["pivot"]
    index: tuple[str, ...] = Field(
        json_schema_extra=hint("columns", "One row for each"), examples=[["district"]]
    )
    names_from: str = Field(
        json_schema_extra=hint("column", "Column names from", types=NAMING), examples=["indicator"]
    )
    values_from: str | None = Field(
        default=None,
        json_schema_extra=hint("column", "Cells from", show={"function": _OVER_CELLS}),
        examples=["value"],
    )
    function: PivotFunction = Field(
        json_schema_extra=function_hint(
            "Function",
            {name: label for name, label in LABELS.items() if name != "percentile"},
            {name: types for name, types in TAKES.items() if name != "percentile"},
        ),
        examples=["sum"],
    )
    names: tuple[JsonValue, ...] | None = Field(
        default=None,
        min_length=1,
        max_length=MOST_NAMES,
        json_schema_extra=hint("list", "Only these values, in this order"),
        examples=[["births", "visits"]],
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.values_from is None and self.function not in WITHOUT_COLUMN:
            raise missing("values_from", f"'{self.function}' needs the column it computes from.")
        return self

    def known_names(self) -> tuple[JsonValue, ...] | None:
        """The names of the columns to make, None while they have to be read."""
        return self.read if self.names is None else self.names

    @override
    def is_open(self) -> bool:
        """Whether neither the author nor the data have named the columns."""
        return self.known_names() is None

    @override
    def found(self, frame: "Frame", scope: "Scope", most: int) -> "Frame":
        """The different cells of the column of names."""
        from recipe.pivoting import found_names

        return found_names(self.names_from, frame, most)

    @override
    def apply(self, frame: "Frame", scope: "Scope") -> "Frame":
        """The index, then one column for each name; the index alone while the names are unknown."""
        from recipe.pivoting import pivoted

        return pivoted(self, frame, scope.context)
