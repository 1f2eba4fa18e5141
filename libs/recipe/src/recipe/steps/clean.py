"""Tidy text."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from recipe.hints import hint
from recipe.step import Step

if TYPE_CHECKING:
    from recipe.frame import Frame
    from recipe.scope import Scope

Operation = Literal[
    "trim",
    "collapse_spaces",
    "upper",
    "lower",
    "title",
    "sentence",
    "remove_punctuation",
    "remove_digits",
    "digits_only",
    "remove_accents",
    "normalize_unicode",
    "ascii_digits",
    "remove_line_breaks",
    "blank_to_null",
    "placeholders_to_null",
    "boolean",
    "remove_duplicates",
]


_LABELS: dict[str, str] = {
    "trim": "Trim spaces at the ends",
    "collapse_spaces": "Single spaces within",
    "upper": "UPPER CASE",
    "lower": "lower case",
    "title": "Title Case",
    "sentence": "Sentence case",
    "remove_punctuation": "Remove punctuation",
    "remove_digits": "Remove digits",
    "digits_only": "Keep only digits",
    "remove_accents": "Remove accents",
    "normalize_unicode": "One form for each letter (Unicode)",
    "ascii_digits": "Digits as 0 to 9",
    "remove_line_breaks": "Remove line breaks",
    "blank_to_null": "Blank to empty",
    "placeholders_to_null": "n/a, -, none and the like to empty",
    "boolean": "Yes and no to true and false",
    "remove_duplicates": "Remove duplicate rows",
}


class Clean(Step):
    """Tidy text columns; the operations run in the order in which they are named.

    trim takes every kind of white space; placeholders_to_null empties n/a, -, none, nil, null and
    #N/A; boolean reads yes and no in six languages; remove_duplicates drops whole rows that are
    equal after the cleaning.
    """

    label: ClassVar[str] = "Clean text"

    type: Literal["clean"]
    columns: tuple[str, ...] = Field(
        min_length=1,
        json_schema_extra=hint("columns", "Columns", types=("text",)),
        examples=[["name", "district"]],
    )
    operations: tuple[Operation, ...] = Field(
        min_length=1,
        json_schema_extra=hint("list", "Operations", labels=_LABELS),
        examples=[["trim", "collapse_spaces", "title"]],
    )

    @override
    def apply(self, frame: "Frame", scope: "Scope") -> "Frame":
        """The same columns, tidied; `boolean` changes their type."""
        from recipe.cleaning import cleaned
        from recipe.rows import whole_rows

        result = cleaned(frame, self.columns, self.operations, scope)
        return whole_rows(result) if "remove_duplicates" in self.operations else result
