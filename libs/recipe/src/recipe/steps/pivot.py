"""Turn values into columns."""

from typing import TYPE_CHECKING, ClassVar, Literal, Self, get_args

from pydantic import Field, JsonValue, model_validator
from typing_extensions import override

from recipe.hints import function_hint, hint
from recipe.part import Part
from recipe.predicate import missing
from recipe.step import Step
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

MOST_NAMES = 200
MOST_CHARACTERS = 200
"""Of one of these names."""

NAMING: tuple[ColumnType, ...] = ("text", "integer", "decimal", "date", "timestamp", "boolean")
"""Types of columns whose cells can name columns."""

BLANK = "(blank)"
"""The column of the rows whose cell is blank."""


_OVER_CELLS = [name for name in get_args(PivotFunction) if name != "count_rows"]


class ReadNames(Part):
    """The names of a pivot's columns as they were found in the data."""

    column: str
    """Where they were read: of a pivot that takes its names from another column they say nothing."""
    names: tuple[str, ...] = Field(max_length=MOST_NAMES)


class Pivot(Step):
    """Turn the values of one column into columns of their own, with one row for each index.

    Every cell is computed from the rows of that index and that value: a count of nothing is 0,
    anything else of nothing is empty. Without `names` the values are read from the data when the
    recipe is saved (or, where the table has no data yet, whenever it is built), in ascending order,
    "(blank)" last; save again to read them anew. There are at most 200.
    """

    label: ClassVar[str] = "Pivot: values to columns"

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
    read_names: ReadNames | None = Field(default=None, json_schema_extra={"hidden": True})

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.values_from is None and self.function not in WITHOUT_COLUMN:
            raise missing("values_from", f"'{self.function}' needs the column it computes from.")
        return self

    def known_names(self) -> tuple[JsonValue, ...] | None:
        """The names of the columns to make, None while they have to be read."""
        if self.names is not None:
            return self.names
        if self.read_names is not None and self.read_names.column == self.names_from:
            return self.read_names.names
        return None

    @override
    def apply(self, frame: "Frame", scope: "Scope") -> "Frame":
        """The index, then one column for each name; the index alone while the names are unknown."""
        from recipe.pivoting import pivoted

        return pivoted(self, frame, scope.context)
