"""Replace text."""

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


class Replace(Step):
    r"""Replace text in columns: parts of cells, whole cells, or what a regular expression matches.

    A part is replaced wherever it stands. In the replacement for a regular expression \1 is its
    first group. A mapping replaces many whole cells at once, each old value by its new one; other
    cells stay.
    """

    label: ClassVar[str] = "Replace text"

    type: Literal["replace"]
    columns: tuple[str, ...] = Field(
        min_length=1,
        json_schema_extra=hint("columns", "Columns", types=("text",)),
        examples=[["district"]],
    )
    find: str | None = Field(
        default=None, json_schema_extra=hint("value", "Find"), examples=["Poona"]
    )
    replace: str | None = Field(
        default=None, json_schema_extra=hint("value", "Replace by"), examples=["Pune"]
    )
    match: Literal["part", "whole", "regex"] = Field(
        default="part",
        json_schema_extra=hint(
            "choice",
            "What is found",
            labels={
                "part": "Text anywhere in a cell",
                "whole": "Whole cells",
                "regex": "A regular expression",
            },
        ),
    )
    mapping: dict[str, str | None] | None = Field(
        default=None,
        min_length=1,
        json_schema_extra=hint("list", "Or old values and their new ones"),
        examples=[{"Bombay": "Mumbai", "Poona": "Pune"}],
    )
    case_sensitive: bool = Field(
        default=True, json_schema_extra=hint("choice", "Upper and lower case matter")
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.mapping is not None:
            if self.find is not None or self.replace is not None:
                raise PydanticCustomError(
                    "bad_value",
                    "Give either find and replace, or a mapping; not both.",
                    {"field": "mapping"},
                )
            return self
        if self.find is None:
            raise missing("find", "A replacement needs find and replace, or a mapping.")
        if not self.find:
            raise PydanticCustomError(
                "bad_value",
                "Say what to find; to fill empty cells, use the step fill.",
                {"field": "find"},
            )
        if self.replace is None:
            raise missing("replace", 'A replacement needs replace; "" removes what is found.')
        return self

    @override
    def apply(self, frame: "Frame", scope: "Scope") -> "Frame":
        """The same columns, with other text."""
        from recipe.replacing import replaced

        return replaced(self, frame)
