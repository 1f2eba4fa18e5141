"""Take fields out of JSON."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Discriminator, Field, StringConstraints, Tag
from typing_extensions import override

from recipe.hints import TYPE_LABELS, hint
from recipe.items import name_or_part
from recipe.part import Part
from recipe.step import Step
from recipe.tables import ColumnType

if TYPE_CHECKING:
    from recipe.frame import Frame
    from recipe.scope import Scope

Path = Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class JsonField(Part):
    """A field of JSON, as a column of that name and type."""

    path: Path = Field(json_schema_extra=hint("value", "Field"), examples=["household.head"])
    name: str | None = Field(
        default=None,
        min_length=1,
        max_length=300,
        json_schema_extra=hint("new_column", "Name"),
        examples=["head"],
    )
    type: ColumnType = Field(
        default="text", json_schema_extra=hint("choice", "Type", labels=TYPE_LABELS)
    )

    def column_name(self) -> str:
        """The name given, else the last part of the path."""
        return self.name or self.path.replace("/", ".").rpartition(".")[2] or self.path


JsonPath = Annotated[
    Annotated[Path, Tag("name")] | Annotated[JsonField, Tag("item")], Discriminator(name_or_part)
]
"""A path, or a path that says its column's name and type."""


class FlattenJson(Step):
    """Make columns of fields of a JSON column, which stays; a field that is absent is empty.

    A path is first looked for as one name (household/size), then followed by its dots
    (household.size; in a list, 0 is its first item). Without a type a field becomes text, objects
    and lists too; with one, what does not fit is empty.
    """

    label: ClassVar[str] = "Flatten JSON"

    type: Literal["flatten_json"]
    column: str = Field(
        json_schema_extra=hint("column", "Column", types=("json",)), examples=["answers"]
    )
    fields: tuple[JsonPath, ...] = Field(
        min_length=1,
        max_length=1000,
        json_schema_extra=hint("list", "Fields"),
        examples=[["name", {"path": "household.size", "name": "people", "type": "integer"}]],
    )
    replace: bool = Field(
        default=False, json_schema_extra=hint("choice", "Replace columns if they exist")
    )

    @override
    def apply(self, frame: "Frame", scope: "Scope") -> "Frame":
        """The same rows, with a column for each field after the JSON."""
        from recipe.json_fields import flattened

        return flattened(self, frame, scope)

    def each(self) -> tuple[JsonField, ...]:
        """The fields, those that are only a path too."""
        return tuple(JsonField(path=f) if isinstance(f, str) else f for f in self.fields)
