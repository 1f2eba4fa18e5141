"""Hide personal data."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from recipe.hints import hint
from recipe.step import Step

if TYPE_CHECKING:
    from recipe.frame import Frame
    from recipe.scope import Scope

MaskMethod = Literal["hash", "redact", "partial", "year_only", "round_location"]


class Mask(Step):
    """Hide personal data; empty cells stay empty.

    hash puts 32 signs in place of a value, the same for the same value, so that rows can still be
    counted and joined; redact puts ***; partial leaves the last four characters. year_only keeps
    the year of a date, round_location one decimal of a coordinate (about 10 km).
    """

    label: ClassVar[str] = "Mask"

    type: Literal["mask"]
    columns: tuple[str, ...] = Field(
        min_length=1, json_schema_extra=hint("columns", "Columns"), examples=[["phone"]]
    )
    method: MaskMethod = Field(
        json_schema_extra=hint(
            "choice",
            "How",
            labels={
                "hash": "A code in its place",
                "redact": "Three stars",
                "partial": "The last four characters",
                "year_only": "Only the year",
                "round_location": "Rounded coordinate",
            },
        )
    )

    @override
    def apply(self, frame: "Frame", scope: "Scope") -> "Frame":
        """The same columns; year_only and round_location give numbers, the others text."""
        from recipe.masking import masked

        return masked(self, frame)
