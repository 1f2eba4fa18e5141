"""Take a part of text."""

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError
from typing_extensions import override

from recipe.errors import within
from recipe.hints import hint
from recipe.predicate import missing
from recipe.step import Step

if TYPE_CHECKING:
    from recipe.frame import Frame
    from recipe.scope import Scope

TextPart = Literal["before", "after", "between", "first", "last"]

_NEEDS: dict[TextPart, tuple[str, ...]] = {
    "before": ("delimiter",),
    "after": ("delimiter",),
    "between": ("start", "end"),
    "first": ("count",),
    "last": ("count",),
}


class ExtractText(Step):
    """Take a part of text into a new column, after the column it comes from.

    Either what a regular expression finds first (its group, or all of the match where it has no
    group), or a part: before or after the first delimiter, between two, the first or last
    characters. Where nothing is found the cell is empty.
    """

    label: ClassVar[str] = "Extract text"

    type: Literal["extract_text"]
    column: str = Field(
        json_schema_extra=hint("column", "Column", types=("text",)), examples=["household"]
    )
    name: str = Field(
        min_length=1,
        max_length=300,
        json_schema_extra=hint("new_column", "Name"),
        examples=["household_number"],
    )
    part: TextPart | None = Field(
        default=None,
        json_schema_extra=hint(
            "choice",
            "Part",
            labels={
                "before": "Before a text",
                "after": "After a text",
                "between": "Between two texts",
                "first": "First characters",
                "last": "Last characters",
            },
        ),
    )
    delimiter: str | None = Field(
        default=None,
        min_length=1,
        max_length=1000,
        json_schema_extra=hint("value", "Of this text", show={"part": ["before", "after"]}),
        examples=[" ("],
    )
    start: str | None = Field(
        default=None,
        min_length=1,
        max_length=1000,
        json_schema_extra=hint("value", "This text", show={"part": ["between"]}),
        examples=["("],
    )
    end: str | None = Field(
        default=None,
        min_length=1,
        max_length=1000,
        json_schema_extra=hint("value", "And this text", show={"part": ["between"]}),
        examples=[")"],
    )
    count: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000,
        json_schema_extra=hint("value", "Characters", show={"part": ["first", "last"]}),
        examples=[3],
    )
    regex: str | None = Field(
        default=None,
        min_length=1,
        json_schema_extra=hint("value", "Or a regular expression"),
        examples=["HH-([0-9]+)"],
    )
    group: int | None = Field(
        default=None,
        ge=0,
        le=99,
        json_schema_extra=hint("value", "Its group; 0 is the whole match"),
        examples=[1],
    )
    replace: bool = Field(
        default=False, json_schema_extra=hint("choice", "Replace the column if it exists")
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.part is None:
            if self.regex is None:
                raise missing("part", "Say which part to take, or give a regex.")
            return self
        if self.regex is not None:
            raise PydanticCustomError(
                "bad_value", "Give either part or regex, not both.", {"field": "regex"}
            )
        for field in _NEEDS[self.part]:
            if getattr(self, field) is None:
                raise missing(field, f"'{self.part}' needs {field}.")
        return self

    @override
    def apply(self, frame: "Frame", scope: "Scope") -> "Frame":
        """The same rows with one more column, of text."""
        from recipe.placing import Made, placed
        from recipe.text_parts import extracted

        with within("column"):
            column = frame.column(self.column, ("text",), "Extracting")
        cells = extracted(self, frame.value(column))
        made = [Made(self.name, "text", cells, ("name",))]
        return placed(frame, column, made, replacing=self.replace)
