"""Functions of text: parts of it, its case, what it holds, patterns."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from recipe.errors import Misfit, misfit
from recipe.formula.function import ANY, NUMBER, TEXT, Argument, function
from recipe.formula.functions.operators import joined
from recipe.formula.typed import Typed
from recipe.regex import check_regex
from recipe.tables import ColumnType

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from recipe.formula.call import Call, Cell

_TEXT = Argument(name="text", types=TEXT)
_PART = Argument(name="part", types=TEXT)
_COUNT = Argument(name="count", types=NUMBER, optional=True, default="1")
_PATTERN = Argument(name="pattern", types=TEXT, constant=True)

_MOST = 1_000_000_000
"""Counts beyond the longest text mean all of it."""
_MOST_PADDED = 10_000


@function(
    "CONCAT",
    Argument(name="value", types=ANY, repeats=True),
    group="text",
    returns="text",
    help="Joins values to one text; empty cells add nothing.",
    example='CONCAT([first name], " ", [last name])',
)
def _concat(call: "Call") -> "ir.Value | Cell":
    return joined(call)


@function(
    "LEFT",
    _TEXT,
    _COUNT,
    group="text",
    returns="text",
    help="The first characters of a text.",
    example="LEFT([code], 3)",
)
def _left(call: "Call") -> "ir.Value":
    return call.sql("left", "string", call.value(0), call.count(1, 0, _MOST, 1))


@function(
    "RIGHT",
    _TEXT,
    _COUNT,
    group="text",
    returns="text",
    help="The last characters of a text.",
    example="RIGHT([phone], 4)",
)
def _right(call: "Call") -> "ir.Value":
    return call.sql("right", "string", call.value(0), call.count(1, 0, _MOST, 1))


@function(
    "MID",
    _TEXT,
    Argument(name="start", types=NUMBER),
    Argument(name="count", types=NUMBER),
    group="text",
    returns="text",
    help="Characters of a text from a place on; the first is 1.",
    example="MID([code], 4, 2)",
)
def _mid(call: "Call") -> "ir.Value":
    start, count = call.count(1, 1, _MOST, 1), call.count(2, 0, _MOST, 0)
    return call.sql("substring", "string", call.value(0), start, count)


@function(
    "LEN",
    _TEXT,
    group="text",
    returns="integer",
    help="How many characters a text has.",
    example="LEN([phone])",
)
def _len(call: "Call") -> "ir.Value":
    return call.text(0).length()


@function(
    "UPPER", _TEXT, group="text", returns="text", help="In capitals.", example="UPPER([code])"
)
def _upper(call: "Call") -> "ir.Value":
    return call.text(0).upper()


@function(
    "LOWER", _TEXT, group="text", returns="text", help="In small letters.", example="LOWER([email])"
)
def _lower(call: "Call") -> "ir.Value":
    return call.text(0).lower()


@function(
    "PROPER",
    _TEXT,
    group="text",
    returns="text",
    help="Each word with a capital.",
    example="PROPER([name])",
)
def _proper(call: "Call") -> "ir.Value":
    from recipe.cleaning import title

    return title(call.text(0))


@function(
    "TRIM",
    _TEXT,
    group="text",
    returns="text",
    help="Without white space around it; inside, each run of it becomes one space.",
    example="TRIM([name])",
)
def _trim(call: "Call") -> "ir.Value":
    from recipe import semantics
    from recipe.cleaning import single_spaced

    return single_spaced(semantics.trimmed(call.value(0)))


@function(
    "SUBSTITUTE",
    _TEXT,
    Argument(name="old", types=TEXT),
    Argument(name="new", types=TEXT),
    group="text",
    returns="text",
    help="Puts one text for another wherever it occurs; upper and lower case matter.",
    example='SUBSTITUTE([phone], "-", "")',
)
def _substitute(call: "Call") -> "Cell":
    from recipe.formula.joining import replaced

    places = (call.value(place) for place in range(3))
    return replaced(call, call.sql("replace", "string", *places), 2)


@function(
    "FIND",
    _PART,
    _TEXT,
    Argument(name="start", types=NUMBER, optional=True, default="1"),
    group="text",
    returns="integer",
    help="Where a part first stands in a text, from 1; empty where it does not.",
    example='FIND("@", [email])',
)
def _find(call: "Call") -> "ir.Value":
    from recipe import semantics
    from recipe.formula.call import whole

    if len(call) == 2:
        found = call.sql("strpos", "int64", call.value(1), call.value(0))
        return found.nullif(semantics.literal(0))
    start = call.count(2, 1, _MOST, 1)
    rest = call.sql("substring", "string", call.value(1), start)
    found = call.sql("strpos", "int64", rest, call.value(0)).nullif(semantics.literal(0))
    return semantics.number(found) + semantics.number(start) - whole(1)


@function(
    "CONTAINS",
    _TEXT,
    _PART,
    group="text",
    returns="boolean",
    help="Whether a text holds a part; upper and lower case are alike.",
    example='CONTAINS([notes], "urgent")',
)
def _contains(call: "Call") -> "ir.Value":
    from recipe import semantics

    return semantics.known(call.text(0).lower().contains(call.text(1).lower()))


@function(
    "STARTSWITH",
    _TEXT,
    _PART,
    group="text",
    returns="boolean",
    help="Whether a text begins with a part; upper and lower case are alike.",
    example='STARTSWITH([code], "AB")',
)
def _starts_with(call: "Call") -> "ir.Value":
    from recipe import semantics

    return semantics.known(call.text(0).lower().startswith(call.text(1).lower()))


@function(
    "ENDSWITH",
    _TEXT,
    _PART,
    group="text",
    returns="boolean",
    help="Whether a text ends with a part; upper and lower case are alike.",
    example='ENDSWITH([file], ".pdf")',
)
def _ends_with(call: "Call") -> "ir.Value":
    from recipe import semantics

    call.reused(1)
    return semantics.known(call.text(0).lower().endswith(call.text(1).lower()))


def _pattern_type(arguments: Sequence[Typed]) -> ColumnType:
    pattern = arguments[1]
    try:
        check_regex(str(pattern.value), "")
    except Misfit as wrong:
        message = wrong.findings[0].message[:-1]
        raise misfit("bad_value", f"{message} (at {pattern.position}).") from None
    return "text"


@function(
    "REGEXEXTRACT",
    _TEXT,
    _PATTERN,
    group="text",
    returns=_pattern_type,
    types=TEXT,
    help="What a regular expression finds: its first group if it has one, else all; empty if nothing.",
    example='REGEXEXTRACT([code], "[0-9]+")',
)
def _regex_extract(call: "Call") -> "ir.Value":
    found = call.sql("regexp_match", "unknown", call.value(0), call.value(1))
    return call.sql("rx_item", "string", found)


@function(
    "REGEXREPLACE",
    _TEXT,
    _PATTERN,
    Argument(name="new", types=TEXT),
    group="text",
    returns=_pattern_type,
    types=TEXT,
    help=r"Puts a text for all that a regular expression finds; \1 stands for its first group.",
    example='REGEXREPLACE([phone], "[^0-9]", "")',
)
def _regex_replace(call: "Call") -> "Cell":
    from recipe import semantics
    from recipe.formula.joining import replaced

    places = (call.value(place) for place in range(3))
    every = semantics.literal("g")
    return replaced(call, call.sql("regexp_replace", "string", *places, every), 2)


@function(
    "SPLITPART",
    _TEXT,
    Argument(name="delimiter", types=TEXT),
    Argument(name="number", types=NUMBER),
    group="text",
    returns="text",
    help="One of the parts between delimiters; the first is 1, beyond the last is empty.",
    example='SPLITPART([full name], " ", 1)',
)
def _split_part(call: "Call") -> "ir.Value":
    import ibis

    call.reused(1)
    parts = call.sql("string_to_array", "unknown", call.value(0), call.value(1))
    part = call.sql("rx_nth", "string", parts, call.count(2, 0, _MOST, 0))
    if call.constant(1) is not None:
        return part
    # Without a delimiter PostgreSQL would split into characters.
    return call.value(1).notnull().ifelse(part, ibis.null())


@function(
    "PAD",
    _TEXT,
    Argument(name="length", types=NUMBER),
    Argument(name="fill", types=TEXT, optional=True, default='" "'),
    Argument(
        name="side",
        types=TEXT,
        optional=True,
        default='"left"',
        constant=True,
        choices=("left", "right"),
    ),
    group="text",
    returns="text",
    help="Fills a text up to a length; a longer one stays as it is.",
    example='PAD([id], 6, "0")',
)
def _pad(call: "Call") -> "Cell":
    from recipe import semantics
    from recipe.formula.call import Cell
    from recipe.formula.joining import padded

    call.reused(0, 1)
    length = call.count(1, 0, _MOST_PADDED, 0)
    fill = call.value(2) if len(call) > 2 else semantics.literal(" ")
    function = "rpad" if call.word(3, "left") == "right" else "lpad"
    size = max(call.cells[0].size, _MOST_PADDED)
    return Cell("text", padded(call, length, fill, function), size)
