"""Comparison in formulas: which types go together, and what is equal.

Null and `""` are equal; a date beside a timestamp means its whole day; a text that is written out
is read as the type it is compared with.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from recipe.errors import Misfit, misfit
from recipe.formula.typed import Typed
from recipe.tables import NUMBERS, TIMES, ColumnType
from recipe.values import Day, read_value

if TYPE_CHECKING:
    from datetime import date, datetime

    import ibis.expr.types as ir

    from recipe.formula.call import Call

_EQUAL = frozenset({"text", "boolean"})
_ANY_ZONE = ZoneInfo("UTC")


def equal_type(arguments: Sequence[Typed]) -> ColumnType:
    """The type of `=`: true or false.

    Raises:
        Misfit: the two cannot be compared.
    """
    left, right = arguments
    if not (left.empty or right.empty or left.type == right.type in _EQUAL):
        order_type(arguments)
    return "boolean"


def order_type(arguments: Sequence[Typed]) -> ColumnType:
    """The type of `<`: true or false.

    Raises:
        Misfit: the two are not both numbers or both dates.
    """
    left, right = arguments
    types = {left.type, right.type}
    if types <= NUMBERS or types <= TIMES:
        return "boolean"
    for written, other in ((left, right), (right, left)):
        readable = written.type == "text" and other.type not in {"text", "json"}
        if readable and isinstance(written.value, str) and not written.empty:
            try:
                read_value(written.value, other.type, _ANY_ZONE)
            except Misfit as wrong:
                at = f" (at {written.position})"
                raise misfit("bad_value", f"{wrong.findings[0].message[:-1]}{at}.") from None
            return "boolean"
    raise misfit(
        "wrong_type",
        f"{left.shown()} at {left.position} is {left.type} and cannot be compared so with"
        f" {right.shown()} at {right.position}, which is {right.type}; numbers compare with numbers,"
        " dates with dates, and text only with = and <>.",
    )


def same(call: "Call", left: int, right: int) -> "ir.BooleanValue":
    """Whether two arguments are equal; never null."""
    import ibis

    from recipe.semantics import truth

    a, b = call.cells[left], call.cells[right]
    for cell, other in ((a, b), (b, a)):
        if cell.constant == "" and other.type != "text":
            return other.value.isnull()
    if a.type == b.type == "text":
        empty = ibis.literal("")
        texts = [
            cell.value if cell.constant is not None else cell.value.fill_null(empty)
            for cell in (a, b)
        ]
        return truth(texts[0] == texts[1])
    first, second = alike(call, left, right)
    return truth(call.sql("rx_same", "boolean", first, second))


def alike(call: "Call", left: int, right: int) -> "tuple[ir.Value, ir.Value]":
    """Two arguments as values of one type."""
    a, b = call.cells[left], call.cells[right]
    types = [a.type, b.type]
    values = [a.value, b.value]
    for place, cell, other in ((0, a, b), (1, b, a)):
        if cell.type == "text" and other.type != "text":
            types[place], values[place] = _read(call, str(cell.constant), other.type)
    if set(types) == TIMES:
        # A date beside a timestamp means the whole day.
        values = [value.cast("date") for value in values]
    return values[0], values[1]


def _read(call: "Call", written: str, type: ColumnType) -> "tuple[ColumnType, ir.Value]":
    from recipe import semantics

    found = read_value(written, type, call.context.zone)
    if isinstance(found, Day):
        return "date", semantics.literal(found.date)
    assert found is not None
    value: str | int | date | datetime = found  # pyright: ignore[reportAssignmentType]
    return type, semantics.literal(value)
