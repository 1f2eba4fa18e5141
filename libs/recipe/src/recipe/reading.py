"""Tables of the warehouse as frames."""

from typing import TYPE_CHECKING

from recipe.dialect import scalar
from recipe.frame import Frame
from recipe.tables import Column, Table

if TYPE_CHECKING:
    import ibis.expr.types as ir


def read_table(table: Table) -> Frame:
    """The columns people see of a table, each in the one PostgreSQL type of its kind.

    Loaders keep decimals as `numeric` or `double precision`, moments with or without a zone and
    JSON in both forms; from here on they are `numeric`, `timestamp` (the wall clock in the
    session's time zone, which is the organisation's) and `jsonb`.
    """
    frame = Frame.of(table.relation, table.columns, schema_name=table.schema_name)
    return frame.select([(column, _canonical(frame, column)) for column in table.columns])


def _canonical(frame: Frame, column: Column) -> "ir.Value":
    cells = frame.value(column)
    match column.type:
        case "decimal":
            return scalar("rx_numeric", "decimal", cells)
        case "timestamp":
            return scalar("rx_timestamp", "timestamp", cells)
        case "json":
            return scalar("rx_jsonb", "unknown", cells)
        case _:
            return cells
