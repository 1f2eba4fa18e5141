"""Formats of dates as people write them (`DD/MM/YYYY`), read into ISO 8601."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import ibis

from recipe.dialect import scalar
from recipe.errors import misfit
from recipe.semantics import text, truth

if TYPE_CHECKING:
    import ibis.expr.types as ir

Token = Literal["YYYY", "YY", "MONTH", "MON", "MM", "DD", "DAY", "DY", "HH24", "MI", "SS"]
"""The words of a format; a longer one comes before those it begins with."""

TOKENS: tuple[Token, ...] = get_args(Token)
_TOKEN = re.compile("|".join(TOKENS), re.IGNORECASE)
_MAX_LENGTH = 60

_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july", "august"),
    *("september", "october", "november", "december"),
)
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_MEANS: dict[Token, str] = {
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
    "MONTH": "|".join(_MONTHS),
    "MON": "|".join(month[:3] for month in _MONTHS),
    "MM": "0?[1-9]|1[0-2]",
    "DD": "0?[1-9]|[12][0-9]|3[01]",
    "DAY": "|".join(_WEEKDAYS),
    "DY": "|".join(day[:3] for day in _WEEKDAYS),
    "HH24": "[01]?[0-9]|2[0-3]",
    "MI": "[0-5]?[0-9]",
    "SS": "[0-5]?[0-9]",
}
_NUMBERS: frozenset[Token] = frozenset({"YYYY", "YY", "MM", "DD", "HH24", "MI", "SS"})

_ISO = (("year", ""), ("month", "-"), ("day", "-"), ("hour", " "), ("minute", ":"), ("second", ":"))
_ABSENT = {"month": "01", "day": "01", "hour": "00", "minute": "00", "second": "00"}


@dataclass(frozen=True)
class DateFormat:
    """A format that was understood: what text must look like, and where its parts stand in it."""

    written: str
    shape: str
    """An anchored regular expression with a group for each token; it ignores case."""
    tokens: tuple[Token, ...]

    def fits(self, cell: "ir.Value") -> "ir.BooleanValue":
        """Whether the text looks like the format; the day need not exist."""
        return text(cell).re_search(self.shape)

    def iso(self, cell: "ir.Value") -> "ir.StringValue":
        """Text that fits, in the order of ISO 8601: `2024-2-29 0:00:00`."""
        places = {_MEANS[token]: n for n, token in enumerate(self.tokens, start=1)}
        pieces: list[str | ir.Value] = []
        for part, sign in _ISO:
            piece = self._piece(cell, places[part]) if part in places else _ABSENT[part]
            # What is written as it was found needs one replacement for all of it.
            for each in (sign, piece) if sign else (piece,):
                if pieces and isinstance(each, str) and isinstance(pieces[-1], str):
                    pieces[-1] += each
                else:
                    pieces.append(each)
        values = [text(self._take(cell, p) if isinstance(p, str) else p) for p in pieces]
        joined = values[0]
        for value in values[1:]:
            joined = joined + value
        return joined

    def _piece(self, cell: "ir.Value", place: int) -> "str | ir.Value":
        """A part as it goes into the replacement, or computed where its text is not yet ISO."""
        word = self.tokens[place - 1]
        if word in {"MON", "MONTH"}:
            names = _SHAPES[word].split("|")
            numbers = [
                (ibis.literal(name), ibis.literal(f"{number:02}"))
                for number, name in enumerate(names, start=1)
            ]
            return self._take(cell, rf"\{place}").lower().cases(*numbers)
        if word == "YY":
            # As spreadsheets do: 29 is 2029, 30 is 1930.
            year = self._take(cell, rf"\{place}")
            old = truth(year.re_search("^[3-9]"))
            return text(old.ifelse(ibis.literal("19"), ibis.literal("20"))) + year
        return rf"\{place}"

    def _take(self, cell: "ir.Value", template: str) -> "ir.StringValue":
        if "\\" not in template:
            return text(ibis.literal(template))
        pattern, by = ibis.literal(self.shape), ibis.literal(template)
        return text(scalar("regexp_replace", "string", cell, pattern, by))


def date_format(written: str, field: str = "format") -> DateFormat:
    """A format that can be read.

    Raises:
        Misfit: `bad_value`, for a letter that means nothing, a part twice, or no year.
    """
    if len(written) > _MAX_LENGTH:
        raise misfit("bad_value", f"A format has at most {_MAX_LENGTH} characters.", field)
    tokens: list[Token] = []
    shape: list[str] = []
    place = 0
    while place < len(written):
        found = _TOKEN.match(written, place)
        if found is None:
            shape.append(_sign(written[place], written, field))
            place += 1
            continue
        token: Token = found.group().upper()  # pyright: ignore[reportAssignmentType]
        if _MEANS[token] in {_MEANS[other] for other in tokens}:
            raise misfit("bad_value", f"'{written}' names the {_MEANS[token]} twice.", field)
        place = found.end()
        tokens.append(token)
        shape.append(f"({_shape(token, written, found.start(), place)})")
    if "year" not in {_MEANS[token] for token in tokens}:
        raise misfit("bad_value", f"'{written}' has no year: YYYY or YY.", field, TOKENS)
    return DateFormat(written, f"(?i)^{''.join(shape)}$", tuple(tokens))


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
    return re.escape(sign)
