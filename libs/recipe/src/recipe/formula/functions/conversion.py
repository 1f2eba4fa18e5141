"""Functions that make one type of another; what cannot be read is empty."""

from typing import TYPE_CHECKING

from recipe.formula.function import ANY, TEXT, Argument, function

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from recipe.formula.call import Call, Cell

_NUMBER = r"^([+-]?(?:[0-9]{1,200}(?:\.[0-9]{0,200})?|\.[0-9]{1,200})(?:[eE][+-]?[0-9]{1,3})?)$"
"""A number that `numeric` holds, whatever its digits are."""
_DIGITS = 1_200
_DATE = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"


@function(
    "TEXT",
    Argument(name="value", types=ANY),
    group="conversion",
    returns="text",
    help="A value as text: numbers plainly, dates as 2024-02-29.",
    example="TEXT([house number])",
)
def _text(call: "Call") -> "Cell":
    from recipe.formula.joining import as_text

    return as_text(call.cells[0])


@function(
    "VALUE",
    Argument(name="text", types=TEXT),
    group="conversion",
    returns="decimal",
    help="The number that a text is; empty if it is none.",
    example="VALUE([amount])",
)
def _value(call: "Call") -> "Cell":
    from recipe import semantics
    from recipe.formula.call import Cell

    found = call.sql(
        "regexp_match", "unknown", semantics.trimmed(call.value(0)), semantics.literal(_NUMBER)
    )
    number = semantics.as_number(call.sql("rx_item", "string", found))
    return Cell("decimal", number, _DIGITS, numeric=True)


@function(
    "DATEVALUE",
    Argument(name="text", types=TEXT),
    group="conversion",
    returns="date",
    help="The date that a text like 2024-02-29 is; empty if it is none.",
    example="DATEVALUE([interview day])",
)
def _date_value(call: "Call") -> "ir.Value":
    import ibis

    from recipe import semantics

    call.reused(0)
    text = semantics.trimmed(call.value(0))
    valid = call.sql("pg_input_is_valid", "boolean", text, semantics.literal("date"))
    looks = semantics.truth(text.re_search(_DATE) & semantics.truth(valid))
    return looks.ifelse(text, ibis.null()).cast("date")
