"""One cell of a sheet as text: exact by its value, or as seen where the value would lose something."""

import re
from datetime import datetime, timedelta
from decimal import Decimal

EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001
"""Day 0: https://developers.google.com/workspace/sheets/api/guides/formats#about_date_time_values"""
ERRORS = frozenset(
    [
        *("#REF!", "#N/A", "#DIV/0!", "#VALUE!", "#NAME?", "#NUM!", "#NULL!", "#ERROR!"),
        *("#SPILL!", "#CALC!", "Loading..."),
    ]
)
"""What a formula gives that failed, or has not been computed yet."""
_DAYS_OF_1900 = 367
_CLOCK = re.compile(r"-?\d+:\d\d(:\d\d)?([.,]\d+)?(\s*\D{1,12})?")
_AS_SEEN = re.compile(r"0\d+|\+\d[\d ().-]{6,}")
"""Leading zeros, and phone numbers with their plus."""

Number = int | Decimal
Scalar = str | bool | Number
Rows = list[list[Scalar]]


def is_number(value: object) -> bool:
    """A number, and not a truth value."""
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def spelt(seen: str, value: Number) -> bool:
    """Whether the text has the digits of the number, whatever stands between them.

    A date never has those of its serial number.
    """
    return _digits(seen) == _digits(plain(value))


def number(seen: str, value: Number) -> str:
    """A number that is no date: exact, but as seen when it is shown as a code or a phone."""
    return seen if _AS_SEEN.fullmatch(seen) else plain(value)


def plain(value: Number) -> str:
    """All digits and no exponent."""
    if isinstance(value, int):
        return str(value)
    if value == value.to_integral_value():
        return str(int(value))
    return f"{value:f}"


def moment(seen: str, value: Number) -> datetime | None:
    """The date, with its time, that a cell shown as date or time holds; None for a time alone.

    Durations have serial numbers too: days of the year 1900 are dates only if the year is seen.
    """
    if _CLOCK.fullmatch(seen.strip()):
        return None
    try:
        # To the millisecond, as Sheets keeps times: a double has noise beyond.
        found = EPOCH + timedelta(milliseconds=round(Decimal(value) * 86_400_000))
    except OverflowError:
        return None
    if value < _DAYS_OF_1900 and str(found.year) not in seen:
        return None
    return found


def iso(found: datetime, *, with_time: bool) -> str:
    """Without a zone, as the sheet has it."""
    if not with_time:
        return found.date().isoformat()
    return found.isoformat(" ", "milliseconds" if found.microsecond else "seconds")


def _digits(text: str) -> str:
    return "".join(re.findall(r"\d", text)).strip("0")
