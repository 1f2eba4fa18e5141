"""Arithmetic with dates: whole units between two of them, a date some units later."""

from datetime import date
from typing import TYPE_CHECKING

import ibis

from recipe import semantics
from recipe.dialect import scalar
from recipe.errors import gathering, unknown, within
from recipe.frame import Frame
from recipe.periods import Unit
from recipe.semantics import number, truth
from recipe.tables import TIMES, ColumnType

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from recipe.context import Context
    from recipe.steps.add_column import AddColumn

Typed = tuple[ColumnType, "ir.Value"]

_DATES: tuple[ColumnType, ...] = tuple(sorted(TIMES))

_MONTHS: dict[Unit, int] = {"month": 1, "quarter": 3, "year": 12}
_DAYS: dict[Unit, int] = {"day": 1, "week": 7}

_FIRST = date.min
_LAST_DAY = (date.max - date.min).days
"""Years have four digits: later dates no program reads."""


def date_column(step: "AddColumn", frame: Frame, context: "Context") -> Typed:
    """The type and cells of a column that is computed from dates."""
    match step.expression_type:
        case "date_diff":
            assert step.unit is not None
            with gathering() as parts:
                with parts.at("start"):
                    start = _day(step.start or "", frame)
                with parts.at("end"):
                    end = _day(step.end or "", frame)
            return "integer", difference(start, end, step.unit)
        case "date_add":
            assert step.unit is not None
            with within("column"):
                column = frame.column(step.column or "", _DATES, "Adding to a date")
            count = semantics.literal(step.count or 0)
            return column.type, later(frame.value(column), column.type, count, step.unit)
        case _:
            with gathering() as parts:
                with parts.at("column"):
                    born = frame.column(step.column or "", _DATES, "Age")
                with parts.at("on"):
                    today = semantics.literal(context.now.date())
                    on = today if step.on is None else _day(step.on, frame)
            return "integer", difference(frame.value(born), on, "year")


def difference(start: "ir.Value", end: "ir.Value", unit: Unit) -> "ir.Value":
    """Whole units from one date to another, negative when the end is earlier.

    Times of day do not count. A month is whole on the same day of the month.
    """
    days = number(scalar("rx_days", "int64", end, start))
    if unit in _DAYS:
        return _whole(days, _DAYS[unit])
    years, months, monthdays = (
        number(semantics.date_part(end, part)) - number(semantics.date_part(start, part))
        for part in ("year", "month", "day")
    )
    zero = ibis.literal(0)
    short = ibis.cases(
        (truth(truth(days > zero) & truth(monthdays < zero)), 1),
        (truth(truth(days < zero) & truth(monthdays > zero)), -1),
        else_=0,
    )
    return _whole(years * 12 + months - number(short), _MONTHS[unit])


def later(value: "ir.Value", type: ColumnType, count: "ir.Value", unit: Unit) -> "ir.Value":
    """The date or moment a whole number of units later; a month later stays inside the month.

    Null where that lies outside the years 1 to 9999.
    """
    if unit in _DAYS:
        steps = number(count) * _DAYS[unit]
        first = semantics.literal(_FIRST)
        place = number(scalar("rx_days", "int64", value, first)) + steps
        reachable = _between(place, 0, _LAST_DAY)
        moved = scalar("rx_days_later", "timestamp", value, steps)
    else:
        steps = number(count) * _MONTHS[unit]
        year, month = (number(semantics.date_part(value, part)) for part in ("year", "month"))
        reachable = _between(year * 12 + month + steps, 13, 12 * 10_000)
        moved = scalar("rx_months_later", "timestamp", value, steps)
    if type == "date":
        moved = scalar("rx_date", "date", moved)
    return reachable.ifelse(moved, ibis.null())


def _between(value: "ir.NumericValue", low: int, high: int) -> "ir.BooleanValue":
    return truth(truth(value >= ibis.literal(low)) & truth(value <= ibis.literal(high)))


def _whole(value: "ir.NumericValue", size: int) -> "ir.Value":
    """How often the size goes into the value, towards zero."""
    return value if size == 1 else scalar("div", "decimal", value, ibis.literal(size))


def _day(given: str, frame: Frame) -> "ir.Value":
    """The dates of a column, if one has that name, else the date that is written."""
    if any(given in {column.name, column.physical} for column in frame.columns):
        return frame.value(frame.column(given, _DATES, "A date"))
    try:
        return semantics.literal(date.fromisoformat(given))
    except ValueError:
        raise unknown("unknown_column", "column or date", given, frame.names()) from None
