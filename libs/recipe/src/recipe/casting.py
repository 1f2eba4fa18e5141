"""Cells of one type read as another: what does not fit becomes null, and nothing ever aborts.

The text of a cell must look like the type, then the database is asked whether it can read it; only
what passed both is converted. The test stands *inside* the conversion
(`CAST(CASE WHEN it fits THEN text END AS numeric)`): around it, PostgreSQL would convert constants
while it plans, before any test.
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis

from recipe import date_cells, semantics
from recipe.dialect import scalar
from recipe.semantics import number, text, truth
from recipe.tables import COLUMN_TYPES, ColumnType
from recipe.values import FALSE, TRUE

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from recipe.date_format import DateFormat

_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,9})?)?"
_DATE = rf"^{_DAY}([T ]00:00(:00(\.0+)?)?)?$"
_MOMENT = rf"^{_DAY}([T ]{_TIME})?$"
# At the ends of the calendar another zone's year may be one that few programs can read.
_ZONED_MOMENT = rf"^(?!0001|9999){_DAY}[T ]{_TIME} ?(Z|[+-][0-9]{{2}}(:?[0-9]{{2}})?)$"

_MOST_LISTS = 5000
"""PostgreSQL reads JSON that is deeper in one another only to end with an error."""


BECOMES: dict[ColumnType, tuple[ColumnType, ...]] = {
    "text": COLUMN_TYPES,
    "integer": ("text", "integer", "decimal", "boolean", "json"),
    "decimal": ("text", "integer", "decimal", "boolean", "json"),
    "date": ("text", "date", "timestamp", "json"),
    "timestamp": ("text", "date", "timestamp", "json"),
    "boolean": ("text", "integer", "decimal", "boolean", "json"),
    "json": COLUMN_TYPES,
}
"""What each type can be read as."""


@dataclass(frozen=True)
class Notation:
    """How text writes numbers and dates."""

    decimal: str = "."
    thousands: str = ""
    """Between groups of digits, if it is given; a group may be of two, as in 12,34,567."""
    dates: "DateFormat | None" = None
    """None is ISO 8601."""


ISO = Notation()


def prepared(cells: "ir.Value", source: ColumnType) -> "ir.Value":
    """Text as `converted` reads it: trimmed, null where blank, of JSON its scalars."""
    plain = scalar("rx_scalar", "string", cells) if source == "json" else cells
    return semantics.trimmed(plain).nullif(ibis.literal(""))


def converted(
    cells: "ir.Value", source: ColumnType, target: ColumnType, notation: Notation = ISO
) -> "ir.Value":
    """The cells as one of the types of `BECOMES`; JSON is text once it is `prepared`."""
    if source == target:
        return cells
    if target == "text":
        json = source == "json"
        return scalar("rx_scalar", "string", cells) if json else semantics.as_text(cells, source)
    if source == "text":
        return _read(text(cells), target, notation)
    if target == "json":
        return scalar("to_jsonb", "unknown", cells)
    match source, target:
        case ("integer", "decimal"):
            return semantics.as_number(cells)
        case ("decimal", "integer"):
            whole = scalar("trunc", "decimal", cells)
            return truth(whole == cells).ifelse(whole, ibis.null())
        case ("integer" | "decimal", "boolean"):
            return ibis.cases((cells == ibis.literal(1), True), (cells == ibis.literal(0), False))
        case ("boolean", "integer" | "decimal"):
            return semantics.as_number(
                ibis.cases((truth(cells), 1), (truth(~truth(cells)), 0), else_=ibis.null())
            )
        case ("date", "timestamp"):
            return scalar("rx_timestamp", "timestamp", cells)
        case _:
            return scalar("rx_date", "date", cells)


def _read(cell: "ir.StringValue", target: ColumnType, notation: Notation) -> "ir.Value":
    match target:
        case "integer":
            exact = scalar("rx_numeric", "decimal", _number(cell, notation, whole=True))
            return scalar("trunc", "decimal", exact)
        case "decimal":
            return scalar("rx_numeric", "decimal", _number(cell, notation, whole=False))
        case "boolean":
            word = cell.lower()
            return ibis.cases(
                (semantics.one_of(word, sorted(TRUE)), True),
                (semantics.one_of(word, sorted(FALSE)), False),
            )
        case "date":
            return scalar("rx_date", "date", _moment(cell, "date", _DATE, notation))
        case "timestamp":
            plain = scalar("rx_timestamp", "timestamp", _moment(cell, target, _MOMENT, notation))
            if notation.dates is not None:
                return plain
            zoned = _fitting(cell, cell.re_search(_ZONED_MOMENT), "timestamptz")
            # The session's time zone is the organisation's.
            local = scalar("rx_timestamp", "timestamp", scalar("rx_zoned", "timestamp", zoned))
            return ibis.coalesce(plain, local)
        case _:
            openers = cell.length() - _without(cell, "[{").length()
            shallow = truth(number(openers) <= ibis.literal(_MOST_LISTS))
            flat = shallow.ifelse(cell, ibis.null())
            return scalar("rx_jsonb", "unknown", _fitting(text(flat), None, "jsonb"))


def _fitting(
    cell: "ir.StringValue", shape: "ir.BooleanValue | None", type: str
) -> "ir.StringValue":
    """The text where PostgreSQL reads it as that type, else null."""
    valid = truth(scalar("pg_input_is_valid", "boolean", cell, ibis.literal(type)))
    return text((valid if shape is None else truth(shape & valid)).ifelse(cell, ibis.null()))


def _number(cell: "ir.StringValue", notation: Notation, *, whole: bool) -> "ir.StringValue":
    point, comma = (_quoted(sign) for sign in (notation.decimal, notation.thousands))
    digits = "[0-9]+"
    if comma:
        digits = f"([0-9]+|[0-9]{{1,3}}({comma}[0-9]{{2,3}})*{comma}[0-9]{{3}})"
    fraction = f"({point}0*)?" if whole else f"({point}[0-9]*)?"
    shape = f"{digits}{fraction}"
    if not whole:
        shape = f"({shape}|{point}[0-9]+)([eE][+-]?[0-9]{{1,3}})?"
    plain = cell
    if notation.decimal != "." or notation.thousands:
        signs = notation.decimal + _alike(notation.thousands)
        plain = text(scalar("translate", "string", cell, ibis.literal(signs), ibis.literal(".")))
    fits = cell.re_search(f"^[+-]?{shape}$")
    valid = truth(scalar("pg_input_is_valid", "boolean", plain, ibis.literal("numeric")))
    return text(truth(fits & valid).ifelse(plain, ibis.null()))


def _moment(cell: "ir.StringValue", type: str, shape: str, notation: Notation) -> "ir.StringValue":
    if notation.dates is None:
        return _fitting(cell, cell.re_search(shape), type)
    iso = date_cells.iso(notation.dates, cell)
    return _fitting(iso, date_cells.fits(notation.dates, cell), type)


def _without(cell: "ir.StringValue", signs: str) -> "ir.StringValue":
    return text(scalar("translate", "string", cell, ibis.literal(signs), ibis.literal("")))


def _alike(sign: str) -> str:
    """A separator and what is typed for it: spaces that do not break, curly apostrophes."""
    return {" ": " \u00a0\u202f\u2009", "'": "'\u2019"}.get(sign, sign)


def _quoted(sign: str) -> str:
    return f"[{''.join(re.escape(each) for each in _alike(sign))}]" if sign else ""
