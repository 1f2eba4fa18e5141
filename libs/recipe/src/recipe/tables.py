"""What a recipe reads and gives: tables and their typed columns."""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict

ColumnType = Literal["text", "integer", "decimal", "date", "timestamp", "boolean", "json"]
"""The types people see; `timestamp` is a wall clock in the organisation's time zone."""

COLUMN_TYPES: tuple[ColumnType, ...] = get_args(ColumnType)
NUMBERS: frozenset[ColumnType] = frozenset({"integer", "decimal"})
TIMES: frozenset[ColumnType] = frozenset({"date", "timestamp"})


class Column(BaseModel):
    """A column under the name people see, with its name and type in the database."""

    model_config = ConfigDict(frozen=True)

    name: str
    physical: str
    type: ColumnType


class Table(BaseModel):
    """A table of the warehouse as a recipe reads it.

    `schema_name`.`relation` is where the SQL reads (one version's table); there the columns carry
    their physical names. `physical_name` is the table's stable name (`source_<id>`).
    """

    model_config = ConfigDict(frozen=True)

    table_id: str
    display_name: str
    physical_name: str
    schema_name: str
    relation: str
    columns: tuple[Column, ...]


def folded(name: str) -> str:
    """A display name as it is looked up: compatible forms and cases are one name."""
    return unicodedata.normalize("NFKC", name).casefold().strip()


class Catalogue:
    """Finds tables by physical name, by the key they were given under, or by display name."""

    def __init__(self, tables: Mapping[str, Table]) -> None:
        self._exact = {**tables, **{table.physical_name: table for table in tables.values()}}
        self._folded = {folded(key): table for key, table in tables.items()}
        self._folded |= {folded(table.display_name): table for table in tables.values()}

    def find(self, name: str) -> Table | None:
        """The table of that name, or None."""
        return self._exact.get(name) or self._folded.get(folded(name))

    def names(self) -> list[str]:
        """Display names in alphabetical order, to offer as alternatives."""
        return sorted({table.display_name for table in self._exact.values()})


def names_of(columns: Iterable[Column]) -> Iterator[str]:
    """Display names, in order."""
    return (column.name for column in columns)
