"""Bring columns of another table to the rows."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError
from typing_extensions import override

from recipe.hints import hint
from recipe.predicate import missing
from recipe.step import Step

if TYPE_CHECKING:
    from recipe.frame import Frame
    from recipe.scope import Scope

JoinType = Literal["left", "inner", "right", "outer", "semi", "anti", "cross"]

Keys = str | tuple[str, ...]

_KEYED: dict[str, list[str]] = {
    "join_type": ["left", "inner", "right", "outer", "semi", "anti"],
}
_BRINGING: dict[str, list[str]] = {
    "join_type": ["left", "inner", "right", "outer", "cross"],
}


def default_prefix(display_name: str) -> str:
    """What the columns of a table arrive under unless the step says otherwise."""
    return f"{display_name}_"


class Join(Step):
    """Bring columns of another table to the rows whose keys are equal.

    left keeps every row here, right every row there, outer both, inner only pairs; semi keeps the
    rows that have a partner, anti those that have none; cross pairs everything. Blank keys match
    nothing. Columns arrive under a prefix: the other table's name and "_" unless you say otherwise.
    """

    label: ClassVar[str] = "Join a table"
    table_fields: ClassVar[tuple[str, ...]] = ("with_",)

    type: Literal["join"]
    with_: str = Field(
        alias="with", min_length=1, json_schema_extra=hint("table", "Table"), examples=["districts"]
    )
    left_on: Keys | None = Field(
        default=None,
        json_schema_extra=hint("columns", "Key here", show=_KEYED),
        examples=["district_id"],
    )
    right_on: Keys | None = Field(
        default=None,
        json_schema_extra=hint("columns", "Key there", of="with", show=_KEYED),
        examples=["id"],
    )
    join_type: JoinType = Field(
        default="left",
        json_schema_extra=hint(
            "choice",
            "Rows to keep",
            labels={
                "left": "All rows here",
                "inner": "Only rows with a partner",
                "right": "All rows there",
                "outer": "All rows of both",
                "semi": "Rows here that have a partner, without its columns",
                "anti": "Rows here that have no partner",
                "cross": "Every row here with every row there",
            },
        ),
    )
    columns: tuple[str, ...] | None = Field(
        default=None,
        json_schema_extra=hint("columns", "Columns to bring", of="with", show=_BRINGING),
        examples=[["name", "state"]],
    )
    prefix: str | None = Field(
        default=None,
        max_length=250,
        json_schema_extra=hint("value", "Prefix of their names", show=_BRINGING),
        examples=["district_"],
    )

    @model_validator(mode="after")
    def _keys(self) -> Self:
        if self.join_type == "cross":
            return self
        if self.left_on is None:
            raise missing("left_on", "A join needs left_on: the key in the rows so far.")
        if self.right_on is None:
            raise missing("right_on", "A join needs right_on: the key in the other table.")
        if len(self.left_keys()) != len(self.right_keys()) or not self.left_keys():
            raise PydanticCustomError(
                "bad_value",
                "left_on and right_on name equally many columns, at least one.",
                {"field": "right_on"},
            )
        return self

    def left_keys(self) -> tuple[str, ...]:
        """The keys of the rows so far."""
        return (self.left_on,) if isinstance(self.left_on, str) else self.left_on or ()

    def right_keys(self) -> tuple[str, ...]:
        """The keys of the other table, in the same order."""
        return (self.right_on,) if isinstance(self.right_on, str) else self.right_on or ()

    @override
    def pinned(self, names: Mapping[str, str]) -> Self:
        """With the prefix that the other table's name gives."""
        if self.prefix is not None or self.join_type in {"semi", "anti"} or self.with_ not in names:
            return self
        return self.model_copy(update={"prefix": default_prefix(names[self.with_])})

    @override
    def unpinned(self, names: Mapping[str, str]) -> Self:
        """Without a prefix that the other table's name gives."""
        if self.with_ not in names or self.prefix != default_prefix(names[self.with_]):
            return self
        fields = self.model_fields_set - {"prefix"}
        return type(self).model_construct(fields, **{name: getattr(self, name) for name in fields})

    @override
    def apply(self, frame: "Frame", scope: "Scope") -> "Frame":
        """The rows with their partners' columns behind their own."""
        from recipe.joining import joined

        return joined(self, frame, scope)
