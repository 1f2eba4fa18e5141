"""The columns of another system's table in our names and types, and the SQL that turns them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from contracts.ingest import ColumnOption
from ingest.connectors import BadSource, ColumnType, InferredColumn, Notice
from ingest.naming import names
from warehouse.names import quoted

_SHOWN = 5

_TYPES: dict[str, tuple[ColumnType, str]] = {
    "text": ("text", "{}"),
    "varchar": ("text", "{}::text"),
    "bpchar": ("text", "{}::text"),
    "name": ("text", "{}::text"),
    "uuid": ("text", "{}::text"),
    "int2": ("integer", "{}::bigint"),
    "int4": ("integer", "{}::bigint"),
    "int8": ("integer", "{}::bigint"),
    "numeric": ("decimal", "{}::numeric"),
    # A direct cast keeps 6 and 15 digits; the text has as many as it takes to read it back.
    "float4": ("decimal", "{}::text::numeric"),
    "float8": ("decimal", "{}::text::numeric"),
    "date": ("date", "{}"),
    "timestamp": ("timestamp", "{}::timestamp"),
    "timestamptz": ("timestamp", "({} AT TIME ZONE 'UTC')::timestamp"),
    "bool": ("boolean", "{}"),
    "json": ("json", "{}::jsonb"),
    "jsonb": ("json", "{}"),
}
"""By the name of a type of PostgreSQL's own: ours, and how its values become it."""

_SQL: dict[ColumnType, str] = {
    "text": "text",
    "integer": "bigint",
    "decimal": "numeric",
    "date": "date",
    "timestamp": "timestamp",
    "boolean": "boolean",
    "json": "jsonb",
}

_AS_TEXT = "CASE WHEN pg_catalog.num_nulls({0}) = 0 THEN pg_catalog.format('%s', {0}) END"
"""What a type writes of itself. `::text` would look for a cast, and a type's owner may bring one
that calls what they like with the organisation's rights."""


@dataclass(frozen=True)
class Held:
    """A column as the catalogue of the database has it, its domain resolved."""

    name: str
    type_name: str
    """Of the base type; `shown` is what people call it."""
    shown: str
    is_own: bool
    """Whether the type is PostgreSQL's own."""
    is_enum: bool


@dataclass(frozen=True)
class Shape:
    """Columns as they will arrive; `cells` are the expressions that give them, in order."""

    columns: tuple[InferredColumn, ...]
    cells: tuple[str, ...]
    held: tuple[str, ...]
    """The table's own columns that they are made of, quoted."""
    warnings: tuple[Notice, ...]

    def sql_columns(self) -> list[tuple[str, str]]:
        """Physical names, and what PostgreSQL calls their types."""
        return [(column.physical_name, _SQL[column.type]) for column in self.columns]

    def selected(self) -> str:
        """The list of a SELECT from the table, under physical names."""
        pairs = zip(self.cells, self.columns, strict=True)
        return ", ".join(f"{cell} AS {quoted(column.physical_name)}" for cell, column in pairs)


def shaped(held: Sequence[Held], options: Mapping[str, ColumnOption]) -> Shape:
    """How a table's columns arrive; a user's word on one wins, and may not fit its values.

    Raises BadSource for a table without any, and for a mask: nothing is masked here yet, and what
    is to be masked must not arrive in clear.
    """
    held = [each for each in held if each.name not in options or not options[each.name].skip]
    masked = [each.name for each in held if each.name in options and options[each.name].mask]
    if masked:
        raise BadSource(
            "mask_not_possible",
            f"The column '{masked[0]}' of an external source cannot be masked. Skip it, let the "
            "other system mask it, or mask it in a recipe.",
        )
    if not held:
        raise BadSource("no_columns", "The table has no columns yet.")
    named = names([column.name for column in held], len(held))
    columns: list[InferredColumn] = []
    cells: list[str] = []
    for place, column in enumerate(held):
        known = _TYPES.get(column.type_name) if column.is_own else None
        kind, expression = known or ("text", _AS_TEXT)
        cell = expression.format(quoted(column.name))
        wanted = options[column.name].type if column.name in options else None
        if wanted not in (None, kind):
            kind, cell = wanted, f"({cell})::text::{_SQL[wanted]}"
        cells.append(cell)
        columns.append(
            InferredColumn(
                display_name=named.display[place],
                physical_name=named.physical[place],
                type=kind,
                nullable=True,
            )
        )
    own = tuple(quoted(column.name) for column in held)
    return Shape(tuple(columns), tuple(cells), own, tuple(_warnings(held)))


def _warnings(held: Sequence[Held]) -> Iterable[Notice]:
    foreign = [c for c in held if not c.is_enum and not (c.is_own and c.type_name in _TYPES)]
    if foreign:
        listed = ", ".join(f"'{column.name}' ({column.shown})" for column in foreign[:_SHOWN])
        more = ", …" if len(foreign) > _SHOWN else ""
        yield Notice(
            code="kept_as_text",
            message=f"Columns of types that we do not have are kept as text: {listed}{more}.",
        )
    if any(column.is_own and column.type_name == "timestamptz" for column in held):
        yield Notice(code="times_in_utc", message="Times that say their zone are shown in UTC.")
