"""The readings that a person's word on a column admits: more forgiving than what is inferred."""

from collections.abc import Mapping

from ingest.connectors import ColumnType
from ingest.infer import BLANKS, READINGS, TEXT, Reading
from recipe.date_format import (
    ABSENT,
    ISO,
    MEANS,
    MONTHS,
    OLD_DECADES,
    DateFormat,
    Token,
    date_format,
)

_NUMBERS: Mapping[Token, str] = {
    "YYYY": "%Y",
    "MM": "%m",
    "DD": "%d",
    "HH24": "%H",
    "MI": "%M",
    "SS": "%S",
}
_SAID: Mapping[ColumnType, tuple[Reading, ...]] = {
    "text": (TEXT,),
    "integer": (
        Reading(
            "integer",
            " *[+-]?[0-9]+ *",
            "try_cast(trim({v}) AS BIGINT) IS NOT NULL",
            "try_cast(trim({v}) AS BIGINT)::VARCHAR",
        ),
    ),
    "decimal": (
        Reading(
            "decimal",
            " *[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]{1,3})? *",
            value="trim({v})",
        ),
    ),
    "boolean": (
        Reading(
            "boolean",
            ".{1,40}",
            "lower(trim({v})) IN ('true','false','t','f','yes','no','y','n','1','0')",
            "(lower(trim({v})) IN ('true','t','yes','y','1'))::VARCHAR",
        ),
    ),
    "date": tuple(reading for reading in READINGS if reading.type == "date"),
    "timestamp": (
        *(reading for reading in READINGS if reading.type == "timestamp"),
        Reading(
            "timestamp",
            ".*",
            "try_cast({v} AS TIMESTAMPTZ) IS NOT NULL",
            "strftime(try_cast({v} AS TIMESTAMPTZ) AT TIME ZONE 'UTC', '%Y-%m-%d %H:%M:%S.%f')",
        ),
    ),
    "json": (Reading("json", ".*", "json_valid({v})"),),
}


def said(type: ColumnType, format: str | None) -> tuple[Reading, ...]:
    """The readings that a user's word admits, best first; the format is that of recipes."""
    return (_worded(type, format),) if format else _SAID[type]


def _worded(type: ColumnType, format: str) -> Reading:
    """Dates in a format of recipes, which is put into the order of ISO 8601."""
    dates = date_format(format)
    cell, shape = f"trim({{v}}, {BLANKS})", dates.shape.replace("'", "''")
    if _NUMBERS.keys() >= set(dates.tokens):
        moment = f"try_strptime({cell}, '{_strptime(dates)}')"
    else:
        moment = f"try_cast({_iso(dates, cell, shape)} AS TIMESTAMP)"
    target = "%Y-%m-%d" if type == "date" else "%Y-%m-%d %H:%M:%S"
    return Reading(
        type,
        ".*",
        f"regexp_matches({cell}, '{shape}') AND {moment} >= TIMESTAMP '0001-01-01'",
        f"strftime({moment}, '{target}')",
    )


def _strptime(dates: DateFormat) -> str:
    """A format of numbers in DuckDB's words, which take some text more: the shape decides."""
    signs = [sign.replace("%", "%%").replace("'", "''") for sign in dates.signs]
    words = (_NUMBERS[token] + sign for token, sign in zip(dates.tokens, signs[1:], strict=True))
    return signs[0] + "".join(words)


def _iso(dates: DateFormat, cell: str, shape: str) -> str:
    """Any format, part by part; slower by far."""
    parts = {
        MEANS[token]: _iso_part(token, f"regexp_extract({cell}, '{shape}', {place})")
        for place, token in enumerate(dates.tokens, start=1)
    }
    return " || ".join(
        f"'{sign}' || {parts.get(part, repr(ABSENT.get(part)))}" for part, sign in ISO
    )


def _iso_part(token: Token, found: str) -> str:
    if token == "YY":  # noqa: S105  a word of a format
        return f"CASE WHEN {found} >= '{OLD_DECADES[0]}' THEN '19' ELSE '20' END || {found}"
    if token in {"MON", "MONTH"}:
        names = (f"WHEN '{name[:3]}' THEN '{n:02}'" for n, name in enumerate(MONTHS, start=1))
        return f"CASE lower(left({found}, 3)) {' '.join(names)} END"
    return f"lpad({found}, {4 if token == 'YYYY' else 2}, '0')"  # noqa: S105  another word
