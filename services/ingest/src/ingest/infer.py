"""Lossless typing: which SQL expressions tell whether every value of a column fits a type.

Normal forms (what a typed value is shown as; anything else keeps the column text):
* integer: `0` or `-?[1-9]` and up to 14 digits more. No leading zero, no plus, no separators.
* decimal: an integer part as above, optionally `.` and digits. Whole numbers have 15 digits at
  most (longer ones are account numbers), fractions 17, as doubles are printed (gapminder's
  `40300.619960000004`): PostgreSQL's unscaled `numeric` keeps every digit as given (`1.50` stays
  `1.50`), sums exactly, and no double stands between. `.5`, `5.`, `1e5`, `-0`, `NaN` are text.
* boolean: `true` and `false` in any case, shown in lower case. Yes/no and 1/0 are not.
* date: one format for the whole column, shown as ISO 8601. Zero padding is not kept.
* timestamp: ISO without a zone, or one date format with `HH:MM` or `HH:MM:SS`. Shown as ISO.
A blank cell is null; in a text column, blank space is kept as it is.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from ingest.connectors import ColumnType

BLANKS = "' \t\r\n\v\f\u00a0\ufeff'"
POSTGRES = {
    "text": "text",
    "integer": "bigint",
    "decimal": "numeric",
    "date": "date",
    "timestamp": "timestamp",
    "boolean": "boolean",
    "json": "jsonb",
}
_DAY, _YEAR, _NAME = "[0-9]{1,2}", "[0-9]{4}", "[A-Za-z]+"
_DATES = {
    "%Y/%m/%d": f"{_YEAR}/{_DAY}/{_DAY}",
    "%d/%m/%Y": f"{_DAY}/{_DAY}/{_YEAR}",
    "%m/%d/%Y": f"{_DAY}/{_DAY}/{_YEAR}",
    "%d-%m-%Y": f"{_DAY}-{_DAY}-{_YEAR}",
    "%m-%d-%Y": f"{_DAY}-{_DAY}-{_YEAR}",
    "%d.%m.%Y": f"{_DAY}[.]{_DAY}[.]{_YEAR}",
    "%d %b %Y": f"{_DAY} {_NAME} {_YEAR}",
    "%d %B %Y": f"{_DAY} {_NAME} {_YEAR}",
    "%d-%b-%Y": f"{_DAY}-{_NAME}-{_YEAR}",
    "%b %d, %Y": f"{_NAME} {_DAY}, {_YEAR}",
    "%B %d, %Y": f"{_NAME} {_DAY}, {_YEAR}",
}
_TIMES = {" %H:%M": " [0-9]{1,2}:[0-9]{2}", " %H:%M:%S": " [0-9]{1,2}:[0-9]{2}:[0-9]{2}"}
_ISO_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_ISO_TIME = "[T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{1,6})?)?"
_ID_WORDS = frozenset(
    [
        "id",
        "ids",
        "uid",
        "guid",
        "codes",
        "pin",
        "zip",
        "zipcode",
        "postal",
        "tel",
        "mobile",
        "cell",
        "contact",
        "fax",
        "whatsapp",
        "aadhaar",
        "aadhar",
        "pan",
        "ssn",
        "nin",
        "iban",
        "account",
        "passport",
        "barcode",
        "imei",
        "isbn",
    ]
)
_ID_ENDS = ("code", "phone", "uuid")


def filled(column: str) -> str:
    """SQL: the cell holds more than blank space. Most cells are told by their first byte."""
    trimmed = f"coalesce(trim({column}, {BLANKS}) <> '', false)"
    return f"CASE WHEN {column} >= '!' AND {column} < '~' THEN true ELSE {trimmed} END"


@dataclass(frozen=True)
class Reading:
    """One way to read a column. `rest` and `value` are SQL over `{v}`, the cell."""

    type: ColumnType
    shape: str
    """What the whole cell looks like: a regular expression that RE2 and Python read alike."""
    rest: str = "true"
    """What its shape does not tell."""
    value: str = "{v}"
    format: str = ""
    quick: str = ""
    """True only of cells that fit, and cheaper to ask: what it leaves open, `shape` and `rest` tell."""

    def fits_sql(self, column: str) -> str:
        """Whether one cell fits, over a quoted column name."""
        rest = self.rest.replace("{v}", column)
        fits = f"coalesce(regexp_full_match({column}, '{self.shape}', 's') AND {rest}, false)"
        quick = self.quick.replace("{v}", column)
        return f"CASE WHEN {quick} THEN true ELSE {fits} END" if quick else fits

    def value_sql(self, column: str) -> str:
        """The cell as PostgreSQL reads it."""
        return self.value.replace("{v}", column)

    def may_fit(self, cell: str) -> bool:
        """Whether the cell has the shape; cheap, and never too strict."""
        return self._pattern.fullmatch(cell) is not None

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(self.shape, re.DOTALL | re.ASCII)

    @property
    def native(self) -> bool:
        """PostgreSQL reads the cells as they stand."""
        return self.value == "{v}"


def _formatted(type: ColumnType, shape: str, format: str) -> Reading:
    parsed = f"try_strptime({{v}}, '{format}')"
    target = "%Y-%m-%d" if type == "date" else "%Y-%m-%d %H:%M:%S"
    return Reading(
        type,
        shape,
        f"{parsed} >= TIMESTAMP '0001-01-01'",
        f"strftime({parsed}, '{target}')",
        format,
    )


TEXT = Reading("text", ".*")
# A cell that a type prints again as it was given has the type's one form; the length leaves out
# forms of its own, such as years of five digits.
_WHOLE = "strlen({v}) <= 15 AND try_cast({v} AS BIGINT)::VARCHAR = {v}"
_CENTS = "strlen({v}) <= 16 AND try_cast({v} AS DECIMAL(18, 2))::VARCHAR = {v}"
READINGS: tuple[Reading, ...] = (
    Reading("boolean", "[Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]", quick="{v} IN ('true', 'false')"),
    Reading("integer", "0|-?[1-9][0-9]{0,14}", quick=_WHOLE),
    Reading(
        "decimal",
        "-?(0|[1-9][0-9]{0,14})([.][0-9]+)?",
        "NOT regexp_full_match({v}, '-0([.]0*)?')"
        " AND length(ltrim(replace({v}, '.', ''), '-0')) <= 17",
        quick=f"({_WHOLE}) OR ({_CENTS})",
    ),
    Reading(
        "date",
        _ISO_DATE,
        "try_cast({v} AS DATE) >= DATE '0001-01-01'",
        quick="strlen({v}) = 10 AND try_cast({v} AS DATE)::VARCHAR = {v}",
    ),
    Reading(
        "timestamp",
        _ISO_DATE + _ISO_TIME,
        "try_cast(left({v}, 10) AS DATE) >= DATE '0001-01-01'",
        quick="strlen({v}) = 19 AND try_cast({v} AS TIMESTAMP)::VARCHAR = {v}",
    ),
    *(_formatted("date", shape, pattern) for pattern, shape in _DATES.items()),
    *(
        _formatted("timestamp", shape + tail, pattern + time)
        for pattern, shape in _DATES.items()
        for time, tail in _TIMES.items()
    ),
)
ZONED = Reading("timestamp", f"{_ISO_DATE}{_ISO_TIME} ?(Z|[+-][0-9]{{2}}(:?[0-9]{{2}})?)")
"""Times with a zone: no reading of its own, but a warning."""


def in_words(format: str) -> str:
    """A format as the recipe language writes it."""
    words = {"Y": "YYYY", "m": "MM", "d": "DD", "b": "MON", "B": "MONTH", "H": "HH24", "M": "MI"}
    return re.sub("%(.)", lambda found: words.get(found[1], "SS"), format)


def kept_as_text(header: str) -> bool:
    """Headers that name phones, codes or ids: their digits are no numbers."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", header)
    words = re.findall(r"[^\W_]+", spaced.casefold())
    return not _ID_WORDS.isdisjoint(words) or any(word.endswith(_ID_ENDS) for word in words)


def best(fitting: Iterable[Reading]) -> tuple[Reading | None, tuple[Reading, Reading] | None]:
    """The reading to use, and the two that exclude each other when day and month may be swapped."""
    fitting = tuple(fitting)
    by_format = {reading.format: reading for reading in fitting if reading.format}
    for pattern, reading in by_format.items():
        swapped = pattern.replace("%d", "%_").replace("%m", "%d").replace("%_", "%m")
        if swapped != pattern and swapped in by_format:
            return None, (reading, by_format[swapped])
    return next(iter(fitting), None), None
