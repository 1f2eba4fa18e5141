"""Functions that decide: IF and its kin, AND, OR, NOT, what is blank."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from recipe.errors import misfit
from recipe.formula.comparing import equal_type, same
from recipe.formula.function import ANY, BOOLEAN, Argument, function
from recipe.formula.typed import Typed, common_type
from recipe.tables import ColumnType

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from recipe.formula.call import Call

_CONDITION = Argument(name="condition", types=BOOLEAN)
_CONDITIONS = Argument(name="condition", types=BOOLEAN, repeats=True)


@function(
    "IF",
    _CONDITION,
    Argument(name="then", types=ANY),
    Argument(name="else", types=ANY, optional=True, default='""'),
    group="logic",
    returns=lambda arguments: common_type(arguments[1:]),
    types=ANY,
    help="One value where a condition holds, another where it does not or cannot be told.",
    example='IF([age] >= 18, "adult", "child")',
)
def _if(call: "Call") -> "ir.Value":
    import ibis

    other = call.branch(2) if len(call) > 2 else ibis.null()
    return call.truth(0).ifelse(call.branch(1), other)


@function(
    "IFS",
    _CONDITIONS,
    Argument(name="value", types=ANY, repeats=True),
    group="logic",
    returns=lambda arguments: common_type(arguments[1::2]),
    types=ANY,
    help="The value after the first condition that holds; empty where none does.",
    example='IFS([age] < 5, "infant", [age] < 18, "child", TRUE, "adult")',
)
def _ifs(call: "Call") -> "ir.Value":
    import ibis

    pairs = [(call.truth(place), call.branch(place + 1)) for place in range(0, len(call), 2)]
    return ibis.cases(*pairs)


def _switch_type(arguments: Sequence[Typed]) -> ColumnType:
    paired = len(arguments) - (len(arguments) - 1) % 2
    for case in arguments[1:paired:2]:
        equal_type([arguments[0], case])
    branches = list(arguments[2:paired:2])
    return common_type([*branches, *arguments[paired:]])


@function(
    "SWITCH",
    Argument(name="value", types=ANY),
    Argument(name="case", types=ANY, repeats=True),
    Argument(name="result", types=ANY, repeats=True),
    Argument(name="default", types=ANY, optional=True, default='""'),
    group="logic",
    returns=_switch_type,
    types=ANY,
    help="The result of the first case that equals a value; else the default.",
    example='SWITCH([sex], "F", "female", "M", "male", "not stated")',
)
def _switch(call: "Call") -> "ir.Value":
    import ibis

    paired = len(call) - (len(call) - 1) % 2
    if paired > 3:
        call.reused(0)
    pairs = [(same(call, 0, place), call.branch(place + 1)) for place in range(1, paired, 2)]
    default = call.branch(paired) if paired < len(call) else ibis.null()
    return ibis.cases(*pairs, else_=default)


@function(
    "AND",
    _CONDITIONS,
    group="logic",
    returns="boolean",
    help="Whether all conditions hold.",
    example='AND([age] >= 18, [status] = "Active")',
)
def _and(call: "Call") -> "ir.Value":
    from recipe import semantics

    return semantics.all_of([call.truth(place) for place in range(len(call))])


@function(
    "OR",
    _CONDITIONS,
    group="logic",
    returns="boolean",
    help="Whether any of the conditions holds.",
    example='OR([age] < 5, [status] = "Pregnant")',
)
def _or(call: "Call") -> "ir.Value":
    from recipe import semantics

    return semantics.any_of([call.truth(place) for place in range(len(call))])


@function(
    "NOT",
    _CONDITION,
    group="logic",
    returns="boolean",
    help="Whether a condition does not hold.",
    example='NOT([status] = "Left")',
)
def _not(call: "Call") -> "ir.Value":
    return ~call.truth(0)


def _known_type(arguments: Sequence[Typed]) -> ColumnType:
    found = common_type(arguments)
    if found == "json":
        raise misfit(
            "wrong_type",
            f"{arguments[0].shown()} at {arguments[0].position} is json; TEXT(…) makes it text.",
        )
    return found


@function(
    "COALESCE",
    Argument(name="value", types=ANY, repeats=True),
    group="logic",
    returns=_known_type,
    types=ANY,
    help="The first value that is not blank.",
    example='COALESCE([mobile], [landline], "none")',
)
def _coalesce(call: "Call") -> "ir.Value":
    import ibis

    from recipe import semantics

    if call.type == "text":
        call.reused(*range(len(call)))
    values: list[ir.Value] = []
    for place, cell in enumerate(call.cells):
        if isinstance(cell.constant, str) and cell.constant.strip():
            values.append(cell.value)
        else:
            values.append(semantics.without_blank(call.branch(place), call.type))
    return ibis.coalesce(*values)


@function(
    "ISBLANK",
    Argument(name="value", types=ANY),
    group="logic",
    returns="boolean",
    help="Whether a value is empty, or text of nothing but white space.",
    example="ISBLANK([phone])",
)
def _is_blank(call: "Call") -> "ir.Value":
    from recipe import semantics

    call.reused(0)
    return semantics.is_blank(call.value(0), call.cells[0].type)
