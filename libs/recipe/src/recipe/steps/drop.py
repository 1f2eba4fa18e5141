"""Leave columns out."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from recipe.errors import gathering, misfit
from recipe.hints import hint
from recipe.step import Step

if TYPE_CHECKING:
    from recipe.frame import Frame
    from recipe.scope import Scope


class Drop(Step):
    """Leave the named columns out; the rest keep their order."""

    label: ClassVar[str] = "Remove columns"

    type: Literal["drop"]
    columns: tuple[str, ...] = Field(
        min_length=1, json_schema_extra=hint("columns", "Columns"), examples=[["phone"]]
    )

    @override
    def apply(self, frame: "Frame", scope: "Scope") -> "Frame":
        """All other columns."""
        dropped = set()
        with gathering() as parts:
            for index, name in enumerate(self.columns):
                with parts.at("columns", index):
                    dropped.add(frame.column(name))
        outputs = [output for output in frame.outputs() if output[0] not in dropped]
        if not outputs:
            raise misfit("bad_value", "No column would be left.", "columns")
        return frame.select(outputs)
