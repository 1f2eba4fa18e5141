"""Turn columns into rows."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from recipe.hints import hint
from recipe.step import Step

if TYPE_CHECKING:
    from recipe.frame import Frame
    from recipe.scope import Scope


class Unpivot(Step):
    """Turn columns into rows: each row becomes one row for every value column, empty cells too.

    Columns that are neither id nor value are gone. Value columns of different types become text;
    whole numbers beside decimals become decimals, dates beside times become times.
    """

    label: ClassVar[str] = "Unpivot: columns to rows"

    type: Literal["unpivot"]
    id_columns: tuple[str, ...] = Field(
        json_schema_extra=hint("columns", "Keep on every row"), examples=[["district", "month"]]
    )
    value_columns: tuple[str, ...] = Field(
        min_length=1,
        json_schema_extra=hint("columns", "Turn into rows"),
        examples=[["births", "visits"]],
    )
    name_to: str = Field(
        min_length=1,
        max_length=300,
        json_schema_extra=hint("new_column", "Column for their names"),
        examples=["indicator"],
    )
    value_to: str = Field(
        min_length=1,
        max_length=300,
        json_schema_extra=hint("new_column", "Column for their cells"),
        examples=["value"],
    )

    @override
    def apply(self, frame: "Frame", scope: "Scope") -> "Frame":
        """The id columns, the name and the cell."""
        from recipe.unpivoting import unpivoted

        return unpivoted(self, frame)
