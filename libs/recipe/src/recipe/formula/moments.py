"""Arithmetic with dates and timestamps, over all that PostgreSQL has of them.

A result that lies beyond its calendar is null.
"""

from decimal import Decimal
from typing import TYPE_CHECKING

import ibis

from recipe import semantics
from recipe.dialect import scalar
from recipe.formula.call import Call, Cell, as_numeric, between, day, whole
from recipe.semantics import literal, moment, number, truth

if TYPE_CHECKING:
    import ibis.expr.types as ir

DAYS = {"day": 1, "week": 7}
MONTHS = {"month": 1, "quarter": 3, "year": 12}
UNITS = ("day", "week", "month", "quarter", "year")

_FIRST_TIMESTAMP, _LAST_TIMESTAMP = "4713-01-01 BC", "294276-12-30"

# Months are added by way of timestamps; a margin of centuries keeps the test on them simple.
_FIRST_BY_MONTHS, _LAST_BY_MONTHS = "4000-01-01 BC", "290000-01-01"
_FIRST_MONTH, _LAST_MONTH = -48_000, 3_480_000
_MOST_MONTHS = 4_000_000
_MOST_DAYS = 200_000_000


def plus_days(call: Call, place: int, days: Cell) -> "ir.Value":
    """A date some days later; of a timestamp the time of day stays."""
    if call.cells[place].type == "date":
        return scalar("rx_plus_days", "date", call.value(place), as_numeric(days))
    return _plus_times(call, place, _truncated(days))


def plus_units(call: Call, place: int, count: int, unit: str) -> "ir.Value":
    """The moment at `place`, the `count`th argument of units later."""
    if unit in MONTHS:
        call.reused(place, numeric=[count])
        return plus_months(call, place, _times(call, count, MONTHS[unit]))
    if call.cells[place].type == "date":
        days = _times(call, count, DAYS[unit])
        return scalar("rx_plus_days", "date", call.value(place), semantics.as_number(days))
    call.reused(place, numeric=[count])
    return _plus_times(call, place, _times(call, count, DAYS[unit]))


def plus_months(call: Call, place: int, months: "ir.Value") -> "ir.Value":
    """The moment some months later; a day that its month lacks becomes the last there is."""
    later = scalar("rx_plus_months", "timestamp", call.value(place), months)
    if call.type == "date":
        later = later.cast("date")
    return months_fit(call, place, months).ifelse(later, ibis.null())


def month_end(call: Call, place: int, count: int) -> "ir.Value":
    """The last day of the month some months later."""
    call.reused(place, numeric=[count])
    value = call.value(place)
    months = _times(call, count, 1) if count < len(call) else whole(0)
    after = months + whole(1)
    if isinstance(known := call.constant(count), int | Decimal):
        after = whole(int(known) + 1)
    later = scalar("rx_plus_months", "timestamp", value, after)
    end = scalar("rx_before", "timestamp", scalar("rx_month", "timestamp", later)).cast("date")
    return months_fit(call, place, after).ifelse(end, ibis.null())


def months_fit(call: Call, place: int, months: "ir.Value") -> "ir.BooleanValue":
    """Whether a moment some months later is sure to be one of PostgreSQL's."""
    value = call.value(place)
    year = number(semantics.date_part(value, "year"))
    reached = year * whole(12) + number(months)
    return semantics.all_of(
        [
            between(months, whole(-_MOST_MONTHS), whole(_MOST_MONTHS)),
            between(value, day(_FIRST_BY_MONTHS), day(_LAST_BY_MONTHS)),
            between(reached, whole(_FIRST_MONTH), whole(_LAST_MONTH)),
        ]
    )


def whole_units(call: Call, start: int, end: int, unit: str) -> "ir.Value":
    """How many whole units lie between two moments; negative when the end is the earlier.

    Not by subtracting timestamps: PostgreSQL cannot hold the longest intervals between them.
    """
    call.reused(start, end)
    first, last = call.value(start), call.value(end)
    if unit in DAYS:
        units, size = _days(first, last), DAYS[unit]
        later, earlier = _by_time(call, start, end)
    else:
        units, size = _months(first, last), MONTHS[unit]
        later, earlier = _by_day_and_time(call, start, end)
    zero, one = whole(0), whole(1)
    counted = ibis.cases(
        (truth((units > zero) & earlier), units - one),
        (truth((units < zero) & later), units + one),
        else_=units,
    )
    if size == 1:
        return counted
    return scalar("div", "int64", counted, whole(size))


def _days(first: "ir.Value", last: "ir.Value") -> "ir.NumericValue":
    return number(scalar("rx_minus", "int64", last.cast("date"), first.cast("date")))


def _months(first: "ir.Value", last: "ir.Value") -> "ir.NumericValue":
    years = number(_part(last, "year")) - number(_part(first, "year"))
    months = number(_part(last, "month")) - number(_part(first, "month"))
    return years * whole(12) + months


def _part(value: "ir.Value", part: str) -> "ir.Value":
    """A part of a date; years before the first are counted so that none is missing."""
    if part == "year":
        year = number(semantics.date_part(value, "year"))
        return truth(year < whole(0)).ifelse(year + whole(1), year)
    return semantics.date_part(value, part)  # pyright: ignore[reportArgumentType]


def _by_time(call: Call, start: int, end: int) -> "tuple[ir.BooleanValue, ir.BooleanValue]":
    """Whether the end's time of day is later than the start's, and whether it is earlier."""
    if call.cells[start].type == call.cells[end].type == "date":
        never = truth(literal(value=False))
        return never, never
    first, last = _time(call, start), _time(call, end)
    return truth(last > first), truth(last < first)


def _by_day_and_time(call: Call, start: int, end: int) -> "tuple[ir.BooleanValue, ir.BooleanValue]":
    """The same for the day of the month, and then the time."""
    first = number(semantics.date_part(call.value(start), "day"))
    last = number(semantics.date_part(call.value(end), "day"))
    if call.cells[start].type == call.cells[end].type == "date":
        return truth(last > first), truth(last < first)
    later, earlier = _by_time(call, start, end)
    same = truth(last == first)
    return truth((last > first) | (same & later)), truth((last < first) | (same & earlier))


def _time(call: Call, place: int) -> "ir.Value":
    if call.cells[place].type == "date":
        return ibis.literal("00:00").cast("time")
    return moment(call.value(place)).time()


def _plus_times(call: Call, place: int, days: "ir.Value") -> "ir.Value":
    call.reused(place)
    value = call.value(place)
    date = value.cast("date")
    known = semantics.all_of(
        [
            between(days, whole(-_MOST_DAYS), whole(_MOST_DAYS)),
            between(
                days,
                scalar("rx_minus", "int64", day(_FIRST_TIMESTAMP), date),
                scalar("rx_minus", "int64", day(_LAST_TIMESTAMP), date),
            ),
        ]
    )
    return known.ifelse(scalar("rx_plus_times", "timestamp", value, days), ibis.null())


def _times(call: Call, count: int, size: int) -> "ir.NumericValue":
    """A count of units as whole days or months."""
    known = call.constant(count)
    if isinstance(known, int | Decimal):
        return whole(int(known) * size)
    given: ir.NumericValue = call.number(count)
    if call.cells[count].type == "decimal":
        given = number(scalar("trunc", "decimal", given))
    return given if size == 1 else number(given * whole(size))


def _truncated(days: Cell) -> "ir.Value":
    if isinstance(days.constant, int | Decimal):
        return whole(int(days.constant))
    return scalar("trunc", "decimal", as_numeric(days))
