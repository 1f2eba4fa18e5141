"""What people expect of cells, where SQL means something else: blanks, plain numbers, parts of dates.

Rules as numbered in the language's specification ("Semantics people expect").
"""

from dataclasses import replace
from datetime import datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, cast

import ibis
import ibis.expr.operations as ops

from recipe.dialect import scalar
from recipe.errors import Misfit
from recipe.values import Day, read_value

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date
    from zoneinfo import ZoneInfo

    import ibis.expr.types as ir

    from recipe.items import DatePart
    from recipe.tables import ColumnType


def text(value: "ir.Value") -> "ir.StringValue":
    """A value that is known to be text."""
    return cast("ir.StringValue", value)


def number(value: "ir.Value") -> "ir.NumericValue":
    """A value that is known to be a number."""
    return cast("ir.NumericValue", value)


def moment(value: "ir.Value") -> "ir.TimestampValue":
    """A value that is known to be a date or a timestamp."""
    return cast("ir.TimestampValue", value)


def truth(value: object) -> "ir.BooleanValue":
    """A value that is known to be a condition."""
    return cast("ir.BooleanValue", value)


def trimmed(value: "ir.Value") -> "ir.StringValue":
    """Text without white space of any kind at its ends, zero-width characters included."""
    return text(scalar("btrim", "string", value, scalar("rx_white", "string")))


def is_blank(value: "ir.Value", type: "ColumnType") -> "ir.BooleanValue":
    """Rule 1: null, or text of only white space; never null itself."""
    if type != "text":
        return value.isnull()
    return truth(value.isnull() | (trimmed(value) == ""))


def without_blank(value: "ir.Value", type: "ColumnType") -> "ir.Value":
    """The value, null where it is blank."""
    if type != "text":
        return value
    return truth(trimmed(value) != "").ifelse(value, ibis.null())


def literal(value: "str | int | Decimal | bool | date | datetime") -> "ir.Value":
    """A value as SQL writes it; numbers keep every digit."""
    if isinstance(value, bool | str):
        return ibis.literal(value)
    if isinstance(value, int):
        small = abs(value) < 2**31
        return ibis.literal(value) if small else as_number(ibis.literal(str(value)))
    if isinstance(value, Decimal):
        # As a literal Ibis would round it to 28 digits.
        return as_number(ibis.literal(str(value)))
    return ibis.literal(value)


def cell(value: object, type: "ColumnType", zone: "ZoneInfo", field: str) -> "ir.Value":
    """What a user wrote in `field` as a cell of that type; a date among timestamps is its midnight.

    Raises:
        Misfit: `bad_value`, naming the type.
    """
    try:
        found = read_value(value, type, zone)
    except Misfit as wrong:
        raise Misfit(*(replace(finding, field=field) for finding in wrong.findings)) from None
    if isinstance(found, Day):
        found = datetime.combine(found.date, time())
    return ibis.null() if found is None else literal(found)


def as_text(value: "ir.Value", type: "ColumnType") -> "ir.StringValue":
    """Rule 7: numbers plainly (`3`, not `3.0`), times as ISO 8601 with a space."""
    if type == "text":
        return text(value)
    if type == "decimal":
        value = scalar("trim_scale", "decimal", value)
    return text(value.cast("string"))


def as_number(value: "ir.Value") -> "ir.DecimalValue":
    """A number in arithmetic that never overflows (`numeric`)."""
    return cast("ir.DecimalValue", scalar("rx_numeric", "decimal", value))


def date_part(value: "ir.Value", part: "DatePart") -> "ir.IntegerValue":
    """A part of a date or timestamp as an integer; week is ISO 8601, weekday from Monday = 1."""
    time = moment(value)
    if part == "week":
        found = time.week_of_year()
    elif part == "weekday":
        found = scalar("rx_isodow", "int64", value)
    else:
        found = getattr(time, part)()
    return cast("ir.IntegerValue", found.cast("int64"))


def all_of(conditions: "list[ir.BooleanValue]") -> "ir.BooleanValue":
    """All of them; none gives true. Balanced, so that a long list is not a deep tree."""
    if not conditions:
        return truth(ibis.literal(value=True))
    if len(conditions) == 1:
        return conditions[0]
    middle = len(conditions) // 2
    return truth(all_of(conditions[:middle]) & all_of(conditions[middle:]))


def any_of(conditions: "list[ir.BooleanValue]") -> "ir.BooleanValue":
    """Any of them; none gives false."""
    if not conditions:
        return truth(ibis.literal(value=False))
    if len(conditions) == 1:
        return conditions[0]
    middle = len(conditions) // 2
    return truth(any_of(conditions[:middle]) | any_of(conditions[middle:]))


def holds_not(condition: "ir.BooleanValue") -> "ir.BooleanValue":
    """Rule 2: where the condition is false or null."""
    return truth(~known(condition))


def known(condition: "ir.BooleanValue") -> "ir.BooleanValue":
    """The condition, false where it is null."""
    if isinstance(condition.op(), ops.Coalesce | ops.Not):
        # It is one of these already.
        return condition
    return truth(condition.fill_null(cast("ir.Scalar", ibis.literal(value=False))))


def one_of(value: "ir.Value", values: "Iterable[str]") -> "ir.BooleanValue":
    """Whether the value is one of these."""
    return value.isin([literal(each) for each in values])
