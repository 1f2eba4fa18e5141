"""Cells as JSON that no browser misreads: wide numbers and times are text, NaN is null."""

import datetime as dt
import math
from decimal import Decimal
from uuid import UUID

_SAFE_INTEGER = 2**53
_SAFE_DIGITS = 15


def cell(value: object) -> object:
    """One cell of a preview.

    Integers beyond 2^53 and decimals with more than 15 digits become text, dates and times
    ISO 8601, NaN and the infinities null (api.md, PreviewResult).
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return value if abs(value) <= _SAFE_INTEGER else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return _decimal(value)
    if isinstance(value, (dt.datetime, dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(key): cell(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [cell(item) for item in value]
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


def decimal_cell(value: str | None) -> object:
    """A cell of a preview that was read as text; one that was cut stays text."""
    return value if value is None or value.endswith("…") else _decimal(Decimal(value))


def _decimal(value: Decimal) -> object:
    if not value.is_finite():
        return None
    if value == value.to_integral_value():
        return cell(int(value))
    digits = "".join(map(str, value.as_tuple().digits)).rstrip("0")
    return float(value) if len(digits) <= _SAFE_DIGITS else format(value, "f")
