"""Split text into columns."""

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

_WAYS = ("separator", "regex", "lengths")
_MOST_PARTS = 100

Name = Annotated[str, StringConstraints(min_length=1, max_length=300)]
Length = Annotated[int, Field(ge=1, le=100_000)]


class Split(Step):
    """Split text into columns, which take the place of the column they come from.

    Say where to cut: at a separator, at matches of a regular expression, or after fixed numbers of
    characters. Missing and empty parts are empty cells; what is left over stays in the last part.
    """

    label: ClassVar[str] = "Split text"

    type: Literal["split"]
    column: str = Field(
        json_schema_extra=hint("column", "Column", types=("text",)), examples=["place"]
    )
    separator: str | None = Field(
        default=None,
        min_length=1,
        max_length=100,
        json_schema_extra=hint("value", "Separator"),
        examples=["/"],
    )
    regex: str | None = Field(
        default=None,
        min_length=1,
        json_schema_extra=hint("value", "Or a regular expression of separators"),
        examples=["[,;] *"],
    )
    lengths: tuple[Length, ...] | None = Field(
        default=None,
        min_length=1,
        json_schema_extra=hint("list", "Or the length of each part"),
        examples=[[2, 3, 3]],
    )
    into: tuple[Name, ...] = Field(
        min_length=1,
        max_length=_MOST_PARTS,
        json_schema_extra=hint("new_column", "New columns"),
        examples=[["district", "block"]],
    )
    keep: bool = Field(default=False, json_schema_extra=hint("choice", "Keep the column itself"))
    replace: bool = Field(
        default=False, json_schema_extra=hint("choice", "Replace columns if they exist")
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [way for way in _WAYS if getattr(self, way) is not None]
        if not given:
            raise missing("separator", "A split needs a separator, a regex, or lengths.")
        if len(given) > 1:
            raise PydanticCustomError(
                "bad_value",
                "Give one of separator, regex and lengths, not several.",
                {"field": given[1]},
            )
        if self.lengths is not None and len(self.lengths) != len(self.into):
            raise PydanticCustomError(
                "bad_value", "Give as many lengths as new columns.", {"field": "lengths"}
            )
        return self

    @override
    def apply(self, frame: "Frame", scope: "Scope") -> "Frame":
        """The parts, where the column was."""
        from recipe.placing import Made, placed
        from recipe.text_parts import split_text

        with within("column"):
            column = frame.column(self.column, ("text",), "Splitting")
        cells = split_text(self, frame.value(column))
        made = [
            Made(name, "text", part, ("into", index))
            for index, (name, part) in enumerate(zip(self.into, cells, strict=True))
        ]
        return placed(frame, column, made, replacing=self.replace, keep=self.keep)
