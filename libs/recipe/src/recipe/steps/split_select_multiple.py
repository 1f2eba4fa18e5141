"""Make a column of each choice."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints
from typing_extensions import override

from recipe.data_names import NamedByData
from recipe.errors import gathering, misfit, within
from recipe.hints import hint

if TYPE_CHECKING:
    from recipe.frame import Frame
    from recipe.scope import Scope

Choice = Annotated[str, StringConstraints(min_length=1, max_length=200)] | int


class SplitSelectMultiple(NamedByData):
    """Make a column for each choice of an answer that may have several: 1 chosen, 0 not chosen.

    Answers are words with spaces between them, as surveys store them, or JSON lists. Choices are
    found as whole words only. A row without an answer has empty cells. Without `values` the choices
    are read from the data when the recipe is saved (or, where the table has no data yet, whenever
    it is built), in ascending order; save again to read them anew. There are at most 200.
    """

    label: ClassVar[str] = "Split choices"
    names_field: ClassVar[str] = "column"

    type: Literal["split_select_multiple"]
    column: str = Field(
        json_schema_extra=hint("column", "Column", types=("text", "json")), examples=["water"]
    )
    values: tuple[Choice, ...] | None = Field(
        default=None,
        min_length=1,
        max_length=500,
        json_schema_extra=hint("list", "Only these choices, in this order"),
        examples=[["tap", "well"]],
    )
    prefix: str | None = Field(
        default=None,
        max_length=100,
        json_schema_extra=hint("value", "Prefix of their names"),
        examples=["water_"],
    )
    replace: bool = Field(
        default=False, json_schema_extra=hint("choice", "Replace columns if they exist")
    )

    @override
    def apply(self, frame: "Frame", scope: "Scope") -> "Frame":
        """The same rows, with a column for each choice after the answer."""
        from recipe.json_fields import chosen
        from recipe.placing import Made, placed

        with within("column"):
            column = frame.column(self.column, ("text", "json"), "Splitting")
        choices = self.read if self.values is None else self.values
        if choices is None:
            return replace(frame, complete=False)
        prefix = f"{column.name}_" if self.prefix is None else self.prefix
        made: list[Made] = []
        with gathering() as parts:
            for index, value in enumerate(choices):
                with parts.at("values", index):
                    if len(str(value).split()) != 1:
                        raise misfit("bad_value", f"'{value}' is no choice: a choice is one word.")
                    cells = chosen(frame.value(column), column.type, value)
                    made.append(Made(f"{prefix}{value}", "integer", cells, ("values", index)))
        return placed(frame, column, made, replacing=self.replace)

    @override
    def is_open(self) -> bool:
        """Whether neither the author nor the data have named the choices."""
        return self.values is None and self.read is None

    @override
    def found(self, frame: "Frame", scope: "Scope", most: int) -> "Frame":
        """The different choices of all answers."""
        from recipe.pivoting import found_names
        from recipe.steps.unnest import Unnest

        each = Unnest(type="unnest", column=self.column).apply(frame, scope)
        return found_names(self.column, scope.settle(each), most)
