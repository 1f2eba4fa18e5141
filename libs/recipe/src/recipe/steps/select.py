"""Keep columns."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from recipe.errors import gathering
from recipe.hints import hint
from recipe.step import Step

if TYPE_CHECKING:
    from recipe.frame import Frame, Output
    from recipe.scope import Scope


class Select(Step):
    """Keep only the named columns, in the order in which they are named."""

    label: ClassVar[str] = "Keep columns"

    type: Literal["select"]
    columns: tuple[str, ...] = Field(
        min_length=1, json_schema_extra=hint("columns", "Columns"), examples=[["id", "district"]]
    )

    @override
    def apply(self, frame: "Frame", scope: "Scope") -> "Frame":
        """The named columns."""
        outputs: list[Output] = []
        with gathering() as parts:
            for index, name in enumerate(self.columns):
                with parts.at("columns", index):
                    column = frame.column(name)
                    outputs.append((column, frame.value(column)))
        return frame.select(outputs)
