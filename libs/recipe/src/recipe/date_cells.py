"""Cells read by a format of dates, as SQL: whether they fit, and what they say in ISO 8601."""

from typing import TYPE_CHECKING

import ibis

from recipe.date_format import ABSENT, ISO, MEANS, MONTHS, OLD_DECADES, DateFormat
from recipe.dialect import scalar
from recipe.semantics import text, truth

if TYPE_CHECKING:
    import ibis.expr.types as ir


def fits(dates: DateFormat, cell: "ir.Value") -> "ir.BooleanValue":
    """Whether the text looks like the format; the day need not exist."""
    return text(cell).re_search(dates.shape)


def iso(dates: DateFormat, cell: "ir.Value") -> "ir.StringValue":
    """Text that fits, in the order of ISO 8601: `2024-2-29 0:00:00`."""
    places = {MEANS[token]: place for place, token in enumerate(dates.tokens)}
    written = text(ibis.literal(""))
    constant = ""
    for part, sign in ISO:
        constant += sign
        if part not in places:
            constant += ABSENT[part]
            continue
        piece = _piece(dates, cell, places[part])
        written = written + text(ibis.literal(constant)) + piece if constant else piece
        constant = ""
    return written + text(ibis.literal(constant)) if constant else written


def _piece(dates: DateFormat, cell: "ir.Value", place: int) -> "ir.StringValue":
    """A part as ISO 8601 writes it."""
    found = _found(dates, cell, place)
    word = dates.tokens[place]
    if word in {"MON", "MONTH"}:
        numbers = [
            (ibis.literal(name if word == "MONTH" else name[:3]), ibis.literal(f"{number:02}"))
            for number, name in enumerate(MONTHS, start=1)
        ]
        return text(found.lower().cases(*numbers))
    if word == "YY":
        old = truth(found.re_search(f"^[{OLD_DECADES[0]}-{OLD_DECADES[-1]}]"))
        return text(old.ifelse(ibis.literal("19"), ibis.literal("20"))) + found
    return found


def _found(dates: DateFormat, cell: "ir.Value", place: int) -> "ir.StringValue":
    """What stands at a token. Regular expressions cost ten times what the other ways do."""
    left, right = dates.signs[place], dates.signs[place + 1]
    before = dates.widths[:place]
    if _is_separated(dates, place):
        if left:
            count = sum(sign.count(left[-1]) for sign in dates.signs[: place + 1])
            cell = _split(cell, left[-1], count + 1)
        cut = right and right[0] != left[-1:]
        return text(_split(cell, right[0], 1) if cut else cell)
    if None not in before and (width := dates.widths[place]) is not None:
        start = 1 + sum(filter(None, before)) + sum(map(len, dates.signs[: place + 1]))
        return text(scalar("substr", "string", cell, ibis.literal(start), ibis.literal(width)))
    group = ibis.literal(rf"\{place + 1}")
    return text(scalar("regexp_replace", "string", cell, ibis.literal(dates.shape), group))


def _is_separated(dates: DateFormat, place: int) -> bool:
    """Whether the token ends, on both sides, at a sign that no token holds, or with the text."""
    left, right = dates.signs[place][-1:], dates.signs[place + 1][:1]
    if (not left and place > 0) or (not right and place + 1 < len(dates.tokens)):
        return False
    return not left.isalnum() and not right.isalnum()


def _split(cell: "ir.Value", sign: str, number: int) -> "ir.Value":
    return scalar("split_part", "string", cell, ibis.literal(sign), ibis.literal(number))
