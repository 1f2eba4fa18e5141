"""One type for cells of several: what columns stacked on or put behind one another become."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import ibis

from recipe import semantics
from recipe.dialect import scalar
from recipe.tables import NUMBERS, TIMES, ColumnType

if TYPE_CHECKING:
    import ibis.expr.types as ir


def widest(types: Iterable[ColumnType]) -> ColumnType:
    """The type that holds cells of all these: of numbers decimal, of times timestamp, else text."""
    held = set(types)
    if len(held) == 1:
        return held.pop()
    if held <= NUMBERS:
        return "decimal"
    return "timestamp" if held <= TIMES else "text"


def widened(value: "ir.Value", type: ColumnType, wide: ColumnType) -> "ir.Value":
    """A cell as one of a wider type."""
    if type == wide:
        return value
    if wide == "text":
        return semantics.as_text(value, type)
    if wide == "decimal":
        return semantics.as_number(value)
    return scalar("rx_timestamp", "timestamp", value)


def nothing(type: ColumnType) -> "ir.Value":
    """A null that PostgreSQL takes for a cell of that type, with nothing beside it."""
    empty = ibis.null()
    match type:
        case "text":
            return ibis.null("string")
        case "integer":
            return scalar("rx_bigint", "decimal", empty)
        case "decimal":
            return semantics.as_number(empty)
        case "date":
            return ibis.null("date")
        case "timestamp":
            return scalar("rx_timestamp", "timestamp", empty)
        case "boolean":
            return ibis.null("boolean")
        case "json":
            return scalar("rx_jsonb", "unknown", empty)
