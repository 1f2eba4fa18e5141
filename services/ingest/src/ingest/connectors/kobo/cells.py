"""Answers as cells: text as given, and the same for PostgreSQL where the question has a type."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from ingest.connectors import ColumnType
from recipe.date_format import DateFormat

_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)([.][0-9]+)?([eE][+-]?[0-9]{1,3})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIMESTAMP = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6})?)?"
    r"(Z|[+-][0-9]{2}(:?[0-9]{2})?)?"
)
_BIGINT = 1 << 63
_WHOLE = re.compile(r"[+-]?[0-9]{1,30}")
_NUMBER = re.compile(r"[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]{1,3})?")
_TRUE, _FALSE = {"true", "t", "yes", "y", "1"}, {"false", "f", "no", "n", "0"}


def as_text(value: Any) -> str | None:
    """An answer as text: strings as they are, other JSON as it is written; absent is None."""
    if value is None or isinstance(value, str):
        return None if value is None else _storable(value)
    if isinstance(value, Decimal):
        return str(value)
    return json.dumps(_cleaned(value), ensure_ascii=False, default=float)


def fitting(type: ColumnType, cell: str) -> str | None:
    """The cell as PostgreSQL reads it in a column of the type; None when that would lose something.

    A number keeps its digits: `007` and `+1` are no integers. Times with a zone are turned to UTC.
    """
    return _READERS[type](cell.strip()) if type in _READERS else cell


def forced(type: ColumnType, cell: str, dates: DateFormat | None) -> str | None:
    """The cell as PostgreSQL reads it, where a person said the type; None when it is nothing such.

    As for files: `007` and `+1` are integers then, `yes` is a boolean.
    """
    if type == "text":
        return cell
    cell = cell.strip()
    match type:
        case "integer":
            fits = _WHOLE.fullmatch(cell) and -_BIGINT <= int(cell) < _BIGINT
            return str(int(cell)) if fits else None
        case "decimal":
            return cell if _NUMBER.fullmatch(cell) else None
        case "boolean":
            word = cell.lower()
            return "true" if word in _TRUE else "false" if word in _FALSE else None
        case "date" | "timestamp" if dates is not None:
            return _dated(type, dates.read(cell))
        case _:
            return fitting(type, cell)


def is_zoned(cell: str) -> bool:
    """Whether a time says its zone."""
    match = _TIMESTAMP.fullmatch(cell.strip())
    return match is not None and match[3] is not None


def validation(value: Any) -> Any:
    """The word of a `_validation_status`, an object that is empty until somebody decides."""
    if not isinstance(value, Mapping):
        return value
    return value.get("label") or value.get("uid")


def _dated(type: ColumnType, iso: str | None) -> str | None:
    if iso is None:
        return None
    year, month, day, hour, minute, second = map(int, re.findall("[0-9]+", iso))
    try:
        found = date(year, month, day)
    except ValueError:
        return None
    return str(found) if type == "date" else f"{found} {time(hour, minute, second)}"


def _integer(cell: str) -> str | None:
    return cell if _INTEGER.fullmatch(cell) and -_BIGINT <= int(cell) < _BIGINT else None


def _decimal(cell: str) -> str | None:
    return cell if _DECIMAL.fullmatch(cell) else None


def _date(cell: str) -> str | None:
    try:
        return str(date.fromisoformat(cell)) if _DATE.fullmatch(cell) else None
    except ValueError:
        return None


def _timestamp(cell: str) -> str | None:
    if not _TIMESTAMP.fullmatch(cell):
        return None
    try:
        read = datetime.fromisoformat(cell)
        if read.tzinfo is not None:
            read = read.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None
    return read.isoformat(" ")


def _json(cell: str) -> str | None:
    try:
        json.loads(cell)
    except (ValueError, RecursionError):
        return None
    return cell


_READERS: Mapping[ColumnType, Callable[[str], str | None]] = {
    "integer": _integer,
    "decimal": _decimal,
    "date": _date,
    "timestamp": _timestamp,
    "json": _json,
}


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return _storable(value)
    if isinstance(value, Mapping):
        return {_storable(str(key)): _cleaned(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_cleaned(one) for one in value]
    return value


def _storable(text: str) -> str:
    """Without NUL, which PostgreSQL cannot hold; half characters become U+FFFD."""
    if text.isascii():
        return text.replace("\0", "")
    return text.replace("\0", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
