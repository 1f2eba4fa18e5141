"""Stretches of time that end or begin now: the last 7 days, the next 2 quarters."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal, get_args

from recipe.errors import Misfit, misfit

Unit = Literal["day", "week", "month", "quarter", "year"]
UNITS: tuple[Unit, ...] = get_args(Unit)
_MONTHS: dict[Unit, int] = {"month": 1, "quarter": 3, "year": 12}


def period(operator: str, value: object, now: datetime) -> tuple[datetime, datetime]:
    """Start and end of `in_last` (up to now) and of `in_next` (the end itself excluded).

    `now` is the organisation's wall clock. `in_last` begins with the unit `count` - 1 before the
    current one, `in_next` ends with the unit `count` - 1 after it.

    Raises:
        Misfit: `bad_value`, unless the value is {"count": 7, "unit": "day"} and the like.
    """
    count, unit = _read(value)
    begin = _floor(now, unit)
    try:
        if operator == "in_last":
            return _shift(begin, unit, 1 - count), now
        return now, _shift(begin, unit, count)
    except (OverflowError, ValueError):
        raise misfit("bad_value", "The period reaches beyond the calendar.", "value") from None


def _read(value: object) -> tuple[int, Unit]:
    if not isinstance(value, Mapping) or set(value) != {"count", "unit"}:
        raise _bad()
    count, unit = value["count"], value["unit"]
    if isinstance(count, bool) or not isinstance(count, int) or count < 1 or unit not in UNITS:
        raise _bad()
    return count, unit


def _bad() -> Misfit:
    units = ", ".join(UNITS)
    return misfit(
        "bad_value",
        f'This comparison takes {{"count": 7, "unit": "day"}}; a count from 1, a unit of {units}.',
        "value",
        UNITS,
    )


def _floor(now: datetime, unit: Unit) -> datetime:
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    match unit:
        case "day":
            return day
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)
        case "quarter":
            return day.replace(day=1, month=(day.month - 1) // 3 * 3 + 1)
        case "year":
            return day.replace(day=1, month=1)


def _shift(start: datetime, unit: Unit, count: int) -> datetime:
    if unit in _MONTHS:
        months = start.year * 12 + start.month - 1 + count * _MONTHS[unit]
        return start.replace(year=months // 12, month=months % 12 + 1)
    return start + timedelta(days=count * (7 if unit == "week" else 1))
