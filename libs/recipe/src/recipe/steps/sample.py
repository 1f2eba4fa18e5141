"""Keep some rows, drawn by lot."""

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError
from typing_extensions import override

from recipe.hints import hint
from recipe.predicate import missing
from recipe.step import Step

if TYPE_CHECKING:
    from recipe.frame import Frame
    from recipe.scope import Scope


class Sample(Step):
    """Keep rows drawn by lot: so many, or so many of a hundred (rounded up).

    The same rows are drawn every time; another seed draws others.
    """

    label: ClassVar[str] = "Draw a sample"
    keeps_columns: ClassVar[bool] = True

    type: Literal["sample"]
    count: int | None = Field(
        default=None,
        ge=0,
        le=2**31,
        json_schema_extra=hint("value", "Rows to draw"),
        examples=[100],
    )
    percent: float | None = Field(
        default=None,
        ge=0,
        le=100,
        json_schema_extra=hint("value", "Or rows of a hundred"),
        examples=[5],
    )
    seed: int = Field(default=1, ge=0, le=2**31, json_schema_extra=hint("value", "Seed"))

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        if self.count is None and self.percent is None:
            raise missing("count", "A sample needs a count of rows, or a percent.")
        if self.count is not None and self.percent is not None:
            raise PydanticCustomError(
                "bad_value", "Give either count or percent, not both.", {"field": "percent"}
            )
        return self

    @override
    def apply(self, frame: "Frame", scope: "Scope") -> "Frame":
        """The same columns, some of the rows."""
        from recipe.rows import sampled

        return sampled(frame, self.count, self.percent, self.seed)
