"""Put the rows of other tables below."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints
from typing_extensions import override

from recipe.hints import hint
from recipe.step import Step

if TYPE_CHECKING:
    from recipe.frame import Frame
    from recipe.scope import Scope

TableName = Annotated[str, StringConstraints(min_length=1)]


class Union(Step):
    """Put the rows of other tables below these; columns are matched by their names.

    A column that a table lacks is empty in its rows. Where types differ, whole numbers become
    decimal, dates become timestamps, and anything else text.
    """

    label: ClassVar[str] = "Add rows of other tables"
    table_fields: ClassVar[tuple[str, ...]] = ("tables_",)

    type: Literal["union"]
    # `tables` is what every step answers.
    tables_: tuple[TableName, ...] = Field(
        alias="tables",
        min_length=1,
        json_schema_extra=hint("table", "Tables"),
        examples=[["beneficiaries_north", "beneficiaries_south"]],
    )
    distinct: bool = Field(default=False, json_schema_extra=hint("choice", "Keep each row once"))
    source_column: str | None = Field(
        default=None,
        min_length=1,
        max_length=300,
        json_schema_extra=hint("new_column", "Column for the table's name"),
        examples=["region"],
    )
    replace: bool = Field(
        default=False, json_schema_extra=hint("choice", "Replace the column if it exists")
    )

    @override
    def apply(self, frame: "Frame", scope: "Scope") -> "Frame":
        """The columns of all the tables, the rows so far first named; every table's rows."""
        from recipe.stacking import stacked

        return stacked(self, frame, scope)
