"""Fill empty cells."""

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, JsonValue, model_validator
from typing_extensions import override

from recipe.hints import hint
from recipe.items import Sort
from recipe.predicate import missing
from recipe.step import Step

if TYPE_CHECKING:
    from recipe.frame import Frame
    from recipe.scope import Scope

FillMethod = Literal["constant", "down", "up", "mean", "median", "mode"]


class Fill(Step):
    """Fill the blank cells of columns: with a value, a neighbour's cell, or what is usual.

    down carries the last filled cell on, up takes the next one, in the order of order_by, else of
    the sort before. mean and median take numbers and give decimals; mode takes the commonest value,
    of several the smallest. With `by` each group is filled from its own rows.
    """

    label: ClassVar[str] = "Fill empty cells"

    type: Literal["fill"]
    columns: tuple[str, ...] = Field(
        min_length=1, json_schema_extra=hint("columns", "Columns"), examples=[["district"]]
    )
    method: FillMethod = Field(
        json_schema_extra=hint(
            "choice",
            "Fill with",
            labels={
                "constant": "A value",
                "down": "The cell above",
                "up": "The cell below",
                "mean": "The mean",
                "median": "The median",
                "mode": "The commonest value",
            },
        ),
        examples=["down"],
    )
    value: JsonValue = Field(
        default=None,
        json_schema_extra=hint("value", "Value", show={"method": ["constant"]}),
        examples=[0, "unknown"],
    )
    order_by: tuple[Sort, ...] = Field(
        default=(),
        json_schema_extra=hint("list", "In the order of", show={"method": ["down", "up"]}),
        examples=[["visited_on"]],
    )
    by: tuple[str, ...] = Field(
        default=(),
        json_schema_extra=hint(
            "columns", "For each", show={"method": ["down", "up", "mean", "median", "mode"]}
        ),
        examples=[["household"]],
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.method == "constant" and self.value is None:
            raise missing("value", "'constant' needs a value.")
        return self

    @override
    def apply(self, frame: "Frame", scope: "Scope") -> "Frame":
        """The same rows and columns; of whole numbers the mean and the median make decimals."""
        from recipe.filling import filled

        return filled(self, frame, scope.context)
