"""Formats of dates as people write them (`DD/MM/YYYY`), read into ISO 8601."""

import re
from dataclasses import dataclass
from typing import Literal, get_args

from recipe.errors import misfit

Token = Literal["YYYY", "YY", "MONTH", "MON", "MM", "DD", "DAY", "DY", "HH24", "MI", "SS"]
"""The words of a format; a longer one comes before those it begins with."""

TOKENS: tuple[Token, ...] = get_args(Token)
_TOKEN = re.compile("|".join(TOKENS), re.IGNORECASE)
_MAX_LENGTH = 60

MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july", "august"),
    *("september", "october", "november", "december"),
)
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

MEANS: dict[Token, str] = {
    "YYYY": "year",
    "YY": "year",
    "MONTH": "month",
    "MON": "month",
    "MM": "month",
    "DD": "day",
    "DAY": "weekday",
    "DY": "weekday",
    "HH24": "hour",
    "MI": "minute",
    "SS": "second",
}

_SHAPES: dict[Token, str] = {
    "YYYY": "[0-9]{4}",
    "YY": "[0-9]{2}",
    "MONTH": "|".join(MONTHS),
    "MON": "|".join(month[:3] for month in MONTHS),
    "MM": "0?[1-9]|1[0-2]",
    "DD": "0?[1-9]|[12][0-9]|3[01]",
    "DAY": "|".join(_WEEKDAYS),
    "DY": "|".join(day[:3] for day in _WEEKDAYS),
    "HH24": "[01]?[0-9]|2[0-3]",
    "MI": "[0-5]?[0-9]",
    "SS": "[0-5]?[0-9]",
}
_NUMBERS: frozenset[Token] = frozenset({"YYYY", "YY", "MM", "DD", "HH24", "MI", "SS"})

ISO = (("year", ""), ("month", "-"), ("day", "-"), ("hour", " "), ("minute", ":"), ("second", ":"))
"""The parts of ISO 8601, each with the sign before it."""
ABSENT = {"month": "01", "day": "01", "hour": "00", "minute": "00", "second": "00"}
"""What stands for a part that a format does not name."""
OLD_DECADES = "3456789"
"""First digits of years of two that lie in the 20th century, as in spreadsheets: 29 is 2029."""


@dataclass(frozen=True)
class DateFormat:
    """A format that was understood: what text must look like, and where its parts stand in it."""

    shape: str
    """An anchored regular expression with a group for each token; it ignores case."""
    tokens: tuple[Token, ...]
    signs: tuple[str, ...]
    """What stands before the first token, between each two, and after the last."""
    widths: tuple[int | None, ...]
    """The characters of each token, None where that varies."""

    @property
    def has_time(self) -> bool:
        """Whether it names an hour, a minute or a second."""
        return any(MEANS[token] in {"hour", "minute", "second"} for token in self.tokens)

    def read(self, cell: str) -> str | None:
        """The text in the order of ISO 8601 (`2024-2-29 0:00:00`), None where it does not fit.

        The day need not exist.
        """
        found = re.fullmatch(self.shape, cell, re.ASCII)
        if found is None:
            return None
        parts = {
            MEANS[token]: _iso(token, group)
            for token, group in zip(self.tokens, found.groups(), strict=True)
        }
        return "".join(sign + parts.get(part, ABSENT.get(part, "")) for part, sign in ISO)


def _iso(token: Token, found: str) -> str:
    """A part of a date as ISO 8601 writes it."""
    if token in {"MON", "MONTH"}:
        numbers = {month[:3]: number for number, month in enumerate(MONTHS, start=1)}
        return f"{numbers[found[:3].lower()]:02}"
    if token == "YY":  # noqa: S105  a word of a format
        return ("19" if found[0] in OLD_DECADES else "20") + found
    return found


def date_format(written: str, field: str = "format") -> DateFormat:
    """A format that can be read.

    Raises:
        Misfit: `bad_value`, for a letter that means nothing, a part twice, or no year.
    """
    written = written.strip()
    if len(written) > _MAX_LENGTH:
        raise misfit("bad_value", f"A format has at most {_MAX_LENGTH} characters.", field)
    tokens: list[Token] = []
    shapes: list[str] = []
    signs = [""]
    place = 0
    while place < len(written):
        found = _TOKEN.match(written, place)
        if found is None:
            signs[-1] += _sign(written[place], written, field)
            place += 1
            continue
        token: Token = found.group().upper()  # pyright: ignore[reportAssignmentType]
        if MEANS[token] in {MEANS[other] for other in tokens}:
            raise misfit("bad_value", f"'{written}' names the {MEANS[token]} twice.", field)
        place = found.end()
        tokens.append(token)
        shapes.append(_shape(token, written, found.start(), place))
        signs.append("")
    if "year" not in {MEANS[token] for token in tokens}:
        raise misfit("bad_value", f"'{written}' has no year: YYYY or YY.", field, TOKENS)
    groups = [f"({shape}){re.escape(sign)}" for shape, sign in zip(shapes, signs[1:], strict=True)]
    whole = f"(?i)^{re.escape(signs[0])}{''.join(groups)}$"
    widths = [_width(token, shape) for token, shape in zip(tokens, shapes, strict=True)]
    return DateFormat(whole, tuple(tokens), tuple(signs), tuple(widths))


def _width(word: Token, shape: str) -> int | None:
    if word in _NUMBERS:
        digits = 4 if word == "YYYY" else 2
        return None if "?" in shape else digits
    lengths = {len(name) for name in shape.split("|")}
    return lengths.pop() if len(lengths) == 1 else None


def _shape(token: Token, written: str, start: int, end: int) -> str:
    """What a token matches: beside another number, a number has all its digits."""
    before = re.search(f"({'|'.join(_NUMBERS)})$", written[:start], re.IGNORECASE)
    after = _TOKEN.match(written, end)
    beside = before or (after and after.group().upper() in _NUMBERS)
    return _SHAPES[token].replace("?", "") if beside and token in _NUMBERS else _SHAPES[token]


def _sign(sign: str, written: str, field: str) -> str:
    if sign.isalnum() and sign not in "TZ":
        raise misfit(
            "bad_value",
            f"'{sign}' in '{written}' means nothing; a date is made of {', '.join(TOKENS)}.",
            field,
            TOKENS,
        )
    return sign
