"""Steps whose new columns are named in the data: by the values of one of their columns."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from recipe.part import Part
from recipe.step import Step

if TYPE_CHECKING:
    from recipe.frame import Frame
    from recipe.scope import Scope

MOST_NAMES = 200
"""Columns that a step makes of values it has read."""
MOST_CHARACTERS = 200
"""Of a value that becomes the name of a column, or a part of one."""


class ReadNames(Part):
    """The names of a step's new columns as they were found in the data."""

    column: str
    """Where they were read: of a step that takes its names from another column they say nothing."""
    names: tuple[str, ...] = Field(max_length=MOST_NAMES)


class NamedByData(Step):
    """The base of these steps. `apply` gives an incomplete frame while `read` is None."""

    names_field: ClassVar[str]
    """The field that says which column holds the names."""
    blank_name: ClassVar[str | None] = None
    """What a blank cell is called; without it blank cells name nothing."""

    read_names: ReadNames | None = Field(default=None, json_schema_extra={"hidden": True})

    @property
    def read(self) -> tuple[str, ...] | None:
        """The names that were read from the column that the step takes them from now."""
        if self.read_names is not None and self.read_names.column == self.named_by:
            return self.read_names.names
        return None

    @property
    def named_by(self) -> str:
        """The column that holds the names."""
        return getattr(self, self.names_field)

    def is_open(self) -> bool:
        """Whether the names have to be read before the step's columns are known."""
        raise NotImplementedError

    def found(self, frame: "Frame", scope: "Scope", most: int) -> "Frame":
        """The values that name columns: one column of text, a null for blank cells, at most so many."""
        raise NotImplementedError
