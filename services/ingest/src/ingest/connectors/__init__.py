"""What every connector says: the columns it found, what a person should know, and why it failed."""

from pydantic import BaseModel, ConfigDict

from contracts.tables import Column, Notice
from recipe.tables import ColumnType

__all__ = ["BadSource", "ColumnType", "Found", "InferredColumn", "Notice", "Unavailable"]


class Found(BaseModel):
    """Base of what connectors hand over: frozen, and JSON both ways."""

    model_config = ConfigDict(frozen=True)


class InferredColumn(Found):
    """One column as it will arrive; `display_name` is the header, `physical_name` the database's."""

    display_name: str
    physical_name: str
    type: ColumnType
    nullable: bool

    def as_column(self) -> Column:
        """The column in the words of the contracts."""
        return Column(name=self.display_name, physical=self.physical_name, type=self.type)


class BadSource(Exception):
    """The source cannot be read as it is; `message` says what a person can do. Permanent."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Unavailable(Exception):
    """Something was away for the moment (the database, a worker); worth another try. Transient."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
