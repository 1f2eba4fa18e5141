"""The step a recipe begins with."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from recipe.errors import within
from recipe.hints import hint
from recipe.step import Step

if TYPE_CHECKING:
    from recipe.frame import Frame
    from recipe.scope import Scope


class Source(Step):
    """Start from a table: the data of a source, or the result of another recipe."""

    label: ClassVar[str] = "Start from"
    table_fields: ClassVar[tuple[str, ...]] = ("table",)

    type: Literal["source"]
    table: str = Field(
        min_length=1, json_schema_extra=hint("table", "Table"), examples=["beneficiaries"]
    )

    @override
    def apply(self, frame: "Frame", scope: "Scope") -> "Frame":
        """The table's columns, whatever the rows before were."""
        from recipe.reading import read_table

        with within("table"):
            table = scope.table(self.table)
        return read_table(table)
