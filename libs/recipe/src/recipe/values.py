"""Values that users write, read as the type of the column they are compared with."""

import re
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from recipe.errors import Misfit, misfit
from recipe.tables import ColumnType

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
TRUE = frozenset({"true", "yes", "y", "1"})
FALSE = frozenset({"false", "no", "n", "0"})
_MAX_EXPONENT = 1000
"""Numbers further from 1 than 10^1000 are mistakes, and slow to compute with."""

Scalar = str | int | Decimal | bool | date | datetime | None

NAMES: dict[ColumnType, str] = {
    "text": "text",
    "integer": "whole numbers",
    "decimal": "numbers",
    "date": "dates (YYYY-MM-DD)",
    "timestamp": "dates with times (YYYY-MM-DDTHH:MM:SS)",
    "boolean": "true or false",
    "json": "JSON",
}


@dataclass(frozen=True)
class Day:
    """A date without a time beside a timestamp column: it stands for the whole day."""

    date: date


Value = Scalar | Day


def read_value(value: object, type: ColumnType, zone: ZoneInfo) -> Value:
    """The value as the column's type; None stays None.

    Raises:
        Misfit: `bad_value`, naming the column's type.
    """
    if value is None:
        return None
    try:
        return _READERS[type](value, zone)
    except (ValueError, TypeError, KeyError, InvalidOperation, OverflowError):
        raise _unreadable(value, type) from None


def read_list(value: object, type: ColumnType, zone: ZoneInfo) -> list[Value]:
    """Every item of a list as the column's type."""
    if not isinstance(value, list | tuple):
        raise misfit("bad_value", "This comparison takes a list of values.", "value")
    return [read_value(item, type, zone) for item in value]


def read_number(value: object) -> int | Decimal | None:
    """The number that a JSON number or a text is; None if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    text = str(value).strip()
    if not _NUMBER.fullmatch(text):
        return None
    number = Decimal(text)
    if number and abs(number.adjusted()) > _MAX_EXPONENT:
        return None
    plain = re.fullmatch(r"[+-]?\d+", text)
    return int(number) if plain else number


def _unreadable(value: object, type: ColumnType) -> Misfit:
    shown = value if isinstance(value, str) else repr(value)
    return misfit("bad_value", f"'{shown}' does not fit: the column holds {NAMES[type]}.", "value")


def _text(value: object, _zone: ZoneInfo) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    raise ValueError


def _integer(value: object, _zone: ZoneInfo) -> int:
    number = read_number(value)
    if number is None or number != int(number):
        raise ValueError
    return int(number)


def _decimal(value: object, _zone: ZoneInfo) -> int | Decimal:
    number = read_number(value)
    if number is None:
        raise ValueError
    return number


def _boolean(value: object, _zone: ZoneInfo) -> bool:
    word = str(value).strip().lower()
    if word in TRUE:
        return True
    if word in FALSE:
        return False
    raise ValueError


def _moment(value: object, zone: ZoneInfo) -> datetime:
    if not isinstance(value, str):
        raise TypeError
    moment = datetime.fromisoformat(value.strip())
    return moment.astimezone(zone).replace(tzinfo=None) if moment.tzinfo else moment


def _date(value: object, zone: ZoneInfo) -> date:
    if isinstance(value, str) and _DATE.fullmatch(value.strip()):
        return date.fromisoformat(value.strip())
    moment = _moment(value, zone)
    if not _looks_like_moment(value) or moment.time() != time():
        raise ValueError
    return moment.date()


def _timestamp(value: object, zone: ZoneInfo) -> datetime | Day:
    if isinstance(value, str) and _DATE.fullmatch(value.strip()):
        return Day(date.fromisoformat(value.strip()))
    if not _looks_like_moment(value):
        raise ValueError
    return _moment(value, zone)


def _looks_like_moment(value: object) -> bool:
    # fromisoformat also reads 20240229 and 2024-W09-4, which nobody means in a cell.
    return isinstance(value, str) and bool(_DATE.match(value.strip()))


def _json(_value: object, _zone: ZoneInfo) -> str:
    raise ValueError


_READERS = {
    "text": _text,
    "integer": _integer,
    "decimal": _decimal,
    "boolean": _boolean,
    "date": _date,
    "timestamp": _timestamp,
    "json": _json,
}
