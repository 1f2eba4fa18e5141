"""Take the first value there is."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, JsonValue
from typing_extensions import override

from recipe.errors import gathering, within
from recipe.hints import hint
from recipe.step import Step

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from recipe.frame import Frame
    from recipe.scope import Scope


class Coalesce(Step):
    """Add a column with the first cell that is not blank, in the order in which columns are named.

    Rows whose cells are all blank get the default. Columns of different types become one that holds
    both: numbers decimal, dates timestamps, anything else text.
    """

    label: ClassVar[str] = "First value there is"

    type: Literal["coalesce"]
    columns: tuple[str, ...] = Field(
        min_length=1,
        json_schema_extra=hint("columns", "Columns"),
        examples=[["mobile", "landline"]],
    )
    name: str = Field(
        min_length=1,
        max_length=300,
        json_schema_extra=hint("new_column", "Name"),
        examples=["phone"],
    )
    default: JsonValue = Field(
        default=None, json_schema_extra=hint("value", "If all are blank"), examples=["none"]
    )
    replace: bool = Field(
        default=False, json_schema_extra=hint("choice", "Replace the column if it exists")
    )

    @override
    def apply(self, frame: "Frame", scope: "Scope") -> "Frame":
        """The same rows with one more column."""
        import ibis

        from recipe.semantics import cell, without_blank
        from recipe.widening import widened, widest

        with gathering() as parts:
            columns = frame.named(parts, "columns", self.columns)
        kind = widest(column.type for column in columns)
        cells: list[ir.Value] = [
            widened(without_blank(frame.value(column), column.type), column.type, kind)
            for column in columns
        ]
        if self.default is not None:
            cells.append(cell(self.default, kind, scope.context.zone, "default"))
        with within("name"):
            return frame.put(self.name, kind, ibis.coalesce(*cells), replacing=self.replace)
