"""Call columns by other names."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints
from typing_extensions import override

from recipe.errors import gathering
from recipe.hints import hint
from recipe.step import Step

if TYPE_CHECKING:
    from recipe.frame import Frame, Output
    from recipe.scope import Scope
    from recipe.tables import Column

NewName = Annotated[str, StringConstraints(min_length=1, max_length=300)]


class Rename(Step):
    """Call columns by other names; each stays in its place. Two columns may swap names."""

    label: ClassVar[str] = "Rename columns"

    type: Literal["rename"]
    columns: dict[str, NewName] = Field(
        min_length=1,
        json_schema_extra=hint("columns", "From old name to new"),
        examples=[{"q_12": "age"}],
    )

    @override
    def apply(self, frame: "Frame", scope: "Scope") -> "Frame":
        """All columns, some under new names."""
        new_names: dict[Column, str] = {}
        with gathering() as parts:
            for old, new in self.columns.items():
                with parts.at("columns", old):
                    new_names[frame.column(old)] = new
        outputs: list[Output] = []
        made: list[Column] = []
        for column, value in frame.outputs():
            if column in new_names:
                new = frame.new_column(new_names[column], column.type, made)
                made.append(new)
                outputs.append((new, value))
            else:
                outputs.append((column, value))
        return frame.select(outputs)
