"""The signs of formulas: arithmetic, joining, comparison."""

import operator
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from recipe.errors import misfit
from recipe.formula.building import NEGATIVE
from recipe.formula.comparing import alike, equal_type, order_type, same
from recipe.formula.function import ANY, BOOLEAN, DATE, NUMBER, Argument, Compile, function
from recipe.formula.typed import Typed
from recipe.tables import NUMBERS, TIMES, ColumnType

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from recipe.formula.call import Call, Cell

_MOMENTS: tuple[ColumnType, ...] = (*NUMBER, *DATE)
_NUMBER = Argument(name="number", types=NUMBER)
_NUMBERS = Argument(name="number", types=NUMBER, repeats=True)


def number_type(arguments: Sequence[Typed]) -> ColumnType:
    """Whole numbers give a whole number."""
    whole = all(argument.type == "integer" for argument in arguments)
    return "integer" if whole else "decimal"


def _sum(arguments: Sequence[Typed]) -> ColumnType:
    dates = [argument for argument in arguments if argument.type in TIMES]
    if len(dates) > 1:
        raise misfit(
            "wrong_type",
            f"{dates[0].shown()} at {dates[0].position} and {dates[1].shown()} at"
            f" {dates[1].position} are both dates; only days can be added to a date.",
        )
    return dates[0].type if dates else number_type(arguments)


def _difference(arguments: Sequence[Typed]) -> ColumnType:
    left, right = arguments
    if left.type in NUMBERS and right.type in NUMBERS:
        return number_type(arguments)
    if left.type in TIMES and right.type in NUMBERS:
        return left.type
    if left.type == right.type == "date":
        return "integer"
    raise misfit(
        "wrong_type",
        f"'-' takes no {right.type} (at {right.position}) from {left.type} (at {left.position});"
        " DATEDIF counts the time between two moments.",
    )


@function(
    "+",
    Argument(name="value", types=_MOMENTS, repeats=True),
    group="operators",
    returns=_sum,
    types=_MOMENTS,
    help="Adds numbers, or days to a date.",
    example="[price] + 1",
)
def _plus(call: "Call") -> "ir.Value | Cell":
    from recipe.formula.arithmetic import total
    from recipe.formula.moments import plus_days

    if call.type not in TIMES:
        return total(call.cells)
    date = next(place for place, cell in enumerate(call.cells) if cell.type in TIMES)
    days = 1 - date
    if call.type == "timestamp":
        call.reused(date, numeric=[days])
    return plus_days(call, date, call.cells[days])


@function(
    "-",
    Argument(name="value", types=_MOMENTS),
    Argument(name="value", types=_MOMENTS),
    group="operators",
    returns=_difference,
    types=_MOMENTS,
    help="Subtracts numbers, days from a date, or a date from a date.",
    example="[price] - 1",
)
def _minus(call: "Call") -> "ir.Value | Cell":
    from recipe.formula.arithmetic import difference, negated
    from recipe.formula.moments import plus_days

    left, right = call.cells
    if left.type in TIMES and right.type in TIMES:
        return call.sql("rx_minus", "int64", left.value, right.value)
    if left.type in TIMES:
        if left.type == "timestamp":
            call.reused(0, numeric=[1])
        return plus_days(call, 0, negated(right))
    return difference(left, right)


@function(
    NEGATIVE,
    _NUMBER,
    group="operators",
    returns=number_type,
    types=NUMBER,
    help="The opposite number.",
    example="-[price]",
)
def _negative(call: "Call") -> "Cell":
    from recipe.formula.arithmetic import negated

    return negated(call.cells[0])


@function(
    "*",
    _NUMBERS,
    group="operators",
    returns=number_type,
    types=NUMBER,
    help="Multiplies numbers.",
    example="[price] * 2",
)
def _times(call: "Call") -> "Cell":
    from recipe.formula.arithmetic import product

    return product(call.cells)


@function(
    "/",
    _NUMBER,
    _NUMBER,
    group="operators",
    returns="decimal",
    help="Divides numbers; empty where the divisor is zero.",
    example="[price] / 2",
)
def _over(call: "Call") -> "Cell":
    from recipe.formula.arithmetic import quotient

    return quotient(*call.cells)


@function(
    "%",
    _NUMBER,
    _NUMBER,
    group="operators",
    returns=number_type,
    types=NUMBER,
    help="What is left of a division, with the divisor's sign; empty where that is zero.",
    example="[price] % 2",
)
def remainder(call: "Call") -> "ir.Value":
    """The remainder."""
    from recipe.calculation import arithmetic

    call.reused(numeric=[0, 1])
    return arithmetic("%", call.number(0), call.number(1))


@function(
    "^",
    _NUMBER,
    _NUMBER,
    group="operators",
    returns="decimal",
    help="A power; empty where there is none, or where it has more than a thousand digits.",
    example="[side] ^ 2",
)
def _power(call: "Call") -> "Cell":
    from recipe.formula.arithmetic import power

    return power(call)


@function(
    "&",
    Argument(name="value", types=ANY, repeats=True),
    group="operators",
    returns="text",
    help="Joins values to one text; empty cells add nothing.",
    example='[first name] & " " & [last name]',
)
def joined(call: "Call") -> "Cell":
    """All values as one text."""
    from recipe.formula import joining

    return joining.joined(call.cells)


_SAME = (
    ("=", False, "Whether two values are equal: upper and lower case matter, empty equals empty."),
    ("<>", True, "Whether two values differ: upper and lower case matter, empty equals empty."),
)

_ORDERS: "tuple[tuple[str, Callable[[ir.Value, ir.Value], ir.Value], str], ...]" = (
    ("<", operator.lt, "Whether a number is less, or a date earlier."),
    ("<=", operator.le, "Whether a number is not greater, or a date not later."),
    (">", operator.gt, "Whether a number is greater, or a date later."),
    (">=", operator.ge, "Whether a number is not less, or a date not earlier."),
)


def _equality(negative: bool) -> Compile:
    def compared(call: "Call") -> "ir.Value":
        found = same(call, 0, 1)
        return ~found if negative else found

    return compared


def _order(test: "Callable[[ir.Value, ir.Value], ir.Value]") -> Compile:
    return lambda call: test(*alike(call, 0, 1))


for _sign, _negative_test, _help in _SAME:
    function(
        _sign,
        Argument(name="value", types=ANY),
        Argument(name="value", types=ANY),
        group="operators",
        returns=equal_type,
        types=BOOLEAN,
        help=_help,
        example=f'[status] {_sign} "Active"',
    )(_equality(_negative_test))

for _sign, _test, _help in _ORDERS:
    function(
        _sign,
        Argument(name="value", types=ANY),
        Argument(name="value", types=ANY),
        group="operators",
        returns=order_type,
        types=BOOLEAN,
        help=_help,
        example=f"[age] {_sign} 18",
    )(_order(_test))
