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

    shape: str
    """An anchored regular expression with a group for each token; it ignores case."""
    tokens: tuple[Token, ...]
    signs: tuple[str, ...]
    """What stands before the first token, between each two, and after the last."""
    widths: tuple[int | None, ...]
    """The characters of each token, None where that varies."""

    def fits(self, cell: "ir.Value") -> "ir.BooleanValue":
        """Whether the text looks like the format; the day need not exist."""
        return text(cell).re_search(self.shape)

    def iso(self, cell: "ir.Value") -> "ir.StringValue":
        """Text that fits, in the order of ISO 8601: `2024-2-29 0:00:00`."""
        places = {_MEANS[token]: place for place, token in enumerate(self.tokens)}
        written = text(ibis.literal(""))
        constant = ""
        for part, sign in _ISO:
            constant += sign
            if part not in places:
                constant += _ABSENT[part]
                continue
            piece = self._piece(cell, places[part])
            written = written + text(ibis.literal(constant)) + piece if constant else piece
            constant = ""
        return written + text(ibis.literal(constant)) if constant else written

    def _piece(self, cell: "ir.Value", place: int) -> "ir.StringValue":
        """A part as ISO 8601 writes it."""
        found = self._found(cell, place)
        word = self.tokens[place]
        if word in {"MON", "MONTH"}:
            names = _SHAPES[word].split("|")
            numbers = [
                (ibis.literal(name), ibis.literal(f"{number:02}"))
                for number, name in enumerate(names, start=1)
            ]
            return text(found.lower().cases(*numbers))
        if word == "YY":
            # As spreadsheets do: 29 is 2029, 30 is 1930.
            old = truth(found.re_search("^[3-9]"))
            return text(old.ifelse(ibis.literal("19"), ibis.literal("20"))) + found
        return found

    def _found(self, cell: "ir.Value", place: int) -> "ir.StringValue":
        """What stands at a token. Regular expressions cost ten times what the other ways do."""
        left, right = self.signs[place], self.signs[place + 1]
        before = self.widths[:place]
        if self._is_separated(place):
            if left:
                count = sum(sign.count(left[-1]) for sign in self.signs[: place + 1])
                cell = _split(cell, left[-1], count + 1)
            cut = right and right[0] != left[-1:]
            return text(_split(cell, right[0], 1) if cut else cell)
        if None not in before and (width := self.widths[place]) is not None:
            start = 1 + sum(filter(None, before)) + sum(map(len, self.signs[: place + 1]))
            return text(scalar("substr", "string", cell, ibis.literal(start), ibis.literal(width)))
        group = ibis.literal(rf"\{place + 1}")
        return text(scalar("regexp_replace", "string", cell, ibis.literal(self.shape), group))

    def _is_separated(self, place: int) -> bool:
        """Whether the token ends, on both sides, at a sign that no token holds, or with the text."""
        left, right = self.signs[place][-1:], self.signs[place + 1][:1]
        if (not left and place > 0) or (not right and place + 1 < len(self.tokens)):
            return False
        return not left.isalnum() and not right.isalnum()


def _split(cell: "ir.Value", sign: str, number: int) -> "ir.Value":
    return scalar("split_part", "string", cell, ibis.literal(sign), ibis.literal(number))


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
        if _MEANS[token] in {_MEANS[other] for other in tokens}:
            raise misfit("bad_value", f"'{written}' names the {_MEANS[token]} twice.", field)
        place = found.end()
        tokens.append(token)
        shapes.append(_shape(token, written, found.start(), place))
        signs.append("")
    if "year" not in {_MEANS[token] for token in tokens}:
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
