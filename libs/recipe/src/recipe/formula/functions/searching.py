"""Functions that search text: for a part of it, by a regular expression."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from recipe.errors import Misfit, misfit
from recipe.formula.function import NUMBER, TEXT, Argument, function
from recipe.formula.typed import Typed
from recipe.regex import check_regex
from recipe.tables import ColumnType

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from recipe.formula.call import Call, Cell

_TEXT = Argument(name="text", types=TEXT)
_PART = Argument(name="part", types=TEXT)
_PATTERN = Argument(name="pattern", types=TEXT, constant=True)

_MOST = 1_000_000_000
"""Where to begin at most: no text is so long."""


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
