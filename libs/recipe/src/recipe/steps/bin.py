"""Put numbers into ranges."""

from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError
from typing_extensions import override

from recipe.errors import within
from recipe.hints import hint
from recipe.predicate import missing
from recipe.step import Step

if TYPE_CHECKING:
    from recipe.frame import Frame
    from recipe.scope import Scope

_WAYS = ("edges", "width", "quantiles")
_MOST_BINS = 500

Label = Annotated[str, StringConstraints(min_length=1, max_length=300)]
Number = int | float


class Bin(Step):
    """Put numbers into ranges: between edges you name, of one width, or of equally many rows.

    A range holds its lower edge and not its upper one; the last holds both. Numbers outside all
    ranges and empty cells get an empty cell. Ranges of one width begin at its multiples. Ranges of
    equally many rows are called Q1, Q2, … unless you give labels; equal numbers share one.
    """

    label: ClassVar[str] = "Put into ranges"

    type: Literal["bin"]
    column: str = Field(
        json_schema_extra=hint("column", "Column", types=("integer", "decimal")), examples=["age"]
    )
    name: str = Field(
        min_length=1,
        max_length=300,
        json_schema_extra=hint("new_column", "New column"),
        examples=["age_group"],
    )
    edges: tuple[Number, ...] | None = Field(
        default=None,
        min_length=2,
        max_length=_MOST_BINS + 1,
        json_schema_extra=hint("list", "Edges, ascending"),
        examples=[[0, 18, 60, 120]],
    )
    width: Number | None = Field(
        default=None, gt=0, json_schema_extra=hint("value", "Or one width"), examples=[10]
    )
    quantiles: int | None = Field(
        default=None,
        ge=2,
        le=_MOST_BINS,
        json_schema_extra=hint("value", "Or how many of equally many rows"),
        examples=[4],
    )
    labels: tuple[Label, ...] | None = Field(
        default=None,
        min_length=1,
        json_schema_extra=hint("list", "Their names, in order"),
        examples=[["child", "adult", "elder"]],
    )
    replace: bool = Field(
        default=False, json_schema_extra=hint("choice", "Replace the column if it exists")
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [way for way in _WAYS if getattr(self, way) is not None]
        if not given:
            raise missing("edges", "Say the edges, a width, or how many quantiles.")
        if len(given) > 1:
            raise _bad(given[1], "Give one of edges, width and quantiles, not several.")
        if self.edges is not None and any(low >= high for low, high in pairwise(self.edges)):
            raise _bad("edges", "Edges ascend: each is greater than the one before.")
        if self.labels is None:
            return self
        if self.width is not None:
            raise _bad("labels", "Ranges of one width cannot be named: their number is not known.")
        bins = len(self.edges) - 1 if self.edges is not None else self.quantiles
        if len(self.labels) != bins:
            raise _bad("labels", f"There are {bins} ranges and {len(self.labels)} labels.")
        return self

    @override
    def apply(self, frame: "Frame", scope: "Scope") -> "Frame":
        """The same rows with one more column, of text."""
        from recipe.binning import binned

        with within("column"):
            column = frame.column(self.column, ("integer", "decimal"), "A range")
        cells = binned(self, frame.value(column))
        with within("name"):
            return frame.put(self.name, "text", cells, replacing=self.replace)


def _bad(field: str, message: str) -> PydanticCustomError:
    return PydanticCustomError("bad_value", message, {"field": field})  # pyright: ignore[reportArgumentType]
