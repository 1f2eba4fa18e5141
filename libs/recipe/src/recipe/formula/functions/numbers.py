"""Functions of numbers: rounding, roots, the least and the greatest."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from recipe.errors import misfit
from recipe.formula.function import DATE, NUMBER, Argument, function
from recipe.formula.functions.operators import number_type, remainder
from recipe.formula.typed import Typed, common_type
from recipe.tables import NUMBERS, TIMES, ColumnType

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from recipe.formula.call import Call, Cell

_NUMBER = Argument(name="number", types=NUMBER)
_MULTIPLE = Argument(name="multiple", types=NUMBER, optional=True, default="1")

_MOST_DECIMALS = 1_000
_MOST_EXPONENT = 2_300
"""e to this power has a thousand digits."""
_BASE_DECIMALS = 100
"""A base nearer to 1 than that has a logarithm that takes seconds, or none."""


def _rounded_type(arguments: Sequence[Typed]) -> ColumnType:
    number, *digits = arguments
    to_whole = not digits or (isinstance(digits[0].value, int) and digits[0].value <= 0)
    return "integer" if to_whole or number.type == "integer" else "decimal"


@function(
    "ROUND",
    _NUMBER,
    Argument(name="digits", types=NUMBER, optional=True, default="0"),
    group="numbers",
    returns=_rounded_type,
    types=NUMBER,
    help="Rounds to a number of decimals, halves away from zero; -2 rounds to hundreds.",
    example="ROUND([weight], 1)",
)
def _round(call: "Call") -> "Cell":
    digits = call.count(1, -_MOST_DECIMALS, _MOST_DECIMALS, 0)
    rounded = call.sql("round", "decimal", call.number(0), digits)
    if call.type == "integer" or call.constant(1) is not None:
        return call.result(rounded)
    return call.result(call.sql("trim_scale", "decimal", rounded))


def _to_multiple(call: "Call", function: str) -> "Cell":
    from dataclasses import replace

    from recipe.formula.arithmetic import product, quotient

    if len(call) == 1:
        return call.result(call.sql(function, "decimal", call.number(0)))
    call.reused(numeric=[1])
    times = quotient(*call.cells)
    whole = replace(times, value=call.sql(function, "decimal", times.value))
    return product([whole, call.cells[1]])


def _multiple_type(arguments: Sequence[Typed]) -> ColumnType:
    return number_type(arguments[1:])


@function(
    "CEILING",
    _NUMBER,
    _MULTIPLE,
    group="numbers",
    returns=_multiple_type,
    types=NUMBER,
    help="The next whole number above, or the next multiple.",
    example="CEILING([weight])",
)
def _ceiling(call: "Call") -> "Cell":
    return _to_multiple(call, "ceil")


@function(
    "FLOOR",
    _NUMBER,
    _MULTIPLE,
    group="numbers",
    returns=_multiple_type,
    types=NUMBER,
    help="The next whole number below, or the next multiple.",
    example="FLOOR([age], 10)",
)
def _floor(call: "Call") -> "Cell":
    return _to_multiple(call, "floor")


@function(
    "ABS",
    _NUMBER,
    group="numbers",
    returns=number_type,
    types=NUMBER,
    help="A number without its sign.",
    example="ABS([change])",
)
def _abs(call: "Call") -> "Cell":
    return call.result(call.sql("abs", "decimal", call.number(0)))


def _extreme_type(arguments: Sequence[Typed]) -> ColumnType:
    types = {argument.type for argument in arguments}
    if types <= NUMBERS or types <= TIMES:
        return common_type(arguments)
    first = next(a for a in arguments if a.type in NUMBERS)
    second = next(a for a in arguments if a.type in TIMES)
    raise misfit(
        "wrong_type",
        f"{first.shown()} at {first.position} is a number, {second.shown()} at {second.position} a"
        " date; they cannot be compared.",
    )


@function(
    "MIN",
    Argument(name="value", types=(*NUMBER, *DATE), repeats=True),
    group="numbers",
    returns=_extreme_type,
    types=(*NUMBER, *DATE),
    help="The least number or the earliest date of a row; empty ones do not count.",
    example="MIN([first visit], [second visit])",
)
def _min(call: "Call") -> "ir.Value":
    return _extreme(call, "least")


@function(
    "MAX",
    Argument(name="value", types=(*NUMBER, *DATE), repeats=True),
    group="numbers",
    returns=_extreme_type,
    types=(*NUMBER, *DATE),
    help="The greatest number or the latest date of a row; empty ones do not count.",
    example="MAX([score 1], [score 2])",
)
def _max(call: "Call") -> "ir.Value":
    return _extreme(call, "greatest")


def _extreme(call: "Call", function: str) -> "ir.Value":
    returns = call.type if call.type in {"date", "timestamp"} else "decimal"
    return call.sql(function, returns, *(call.branch(place) for place in range(len(call))))  # pyright: ignore[reportArgumentType]


@function(
    "SQRT",
    _NUMBER,
    group="numbers",
    returns="decimal",
    help="The square root; empty for a negative number.",
    example="SQRT([area])",
)
def _sqrt(call: "Call") -> "ir.Value":
    import ibis

    from recipe.formula.call import whole

    call.reused(numeric=[0])
    number = call.number(0)
    return (number >= whole(0)).ifelse(call.sql("sqrt", "decimal", number), ibis.null())


@function(
    "LOG",
    _NUMBER,
    Argument(name="base", types=NUMBER, optional=True, default="10"),
    group="numbers",
    returns="decimal",
    help="The logarithm; empty where there is none.",
    example="LOG([population])",
)
def _log(call: "Call") -> "ir.Value":
    import ibis

    from recipe import semantics
    from recipe.formula.call import whole

    call.reused(numeric=[0, 1])
    number = call.number(0)
    positive = (number > whole(0)).ifelse(number, ibis.null())
    if len(call) == 1:
        return call.sql("log", "decimal", positive)
    rounded = call.sql("round", "decimal", call.number(1), semantics.literal(_BASE_DECIMALS))
    usable = semantics.truth((rounded > whole(0)) & (rounded != whole(1)))
    return call.sql("log", "decimal", usable.ifelse(rounded, ibis.null()), positive)


@function(
    "EXP",
    _NUMBER,
    group="numbers",
    returns="decimal",
    help="The number e to a power; empty where it has more than a thousand digits.",
    example="EXP([rate])",
)
def _exp(call: "Call") -> "Cell":
    import ibis

    from recipe.formula.call import MOST_DIGITS, Cell, whole

    call.reused(numeric=[0])
    number = call.number(0)
    small = (number <= whole(_MOST_EXPONENT)).ifelse(number, ibis.null())
    return Cell("decimal", call.sql("exp", "decimal", small), MOST_DIGITS, numeric=True)


function(
    "MOD",
    _NUMBER,
    Argument(name="divisor", types=NUMBER),
    group="numbers",
    returns=number_type,
    types=NUMBER,
    help="What is left of a division, with the divisor's sign; empty where that is zero.",
    example="MOD([id], 10)",
)(remainder)
