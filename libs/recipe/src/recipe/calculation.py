"""The kinds of computed column: arithmetic, joined text, parts of dates, constants."""

from decimal import Decimal
from typing import TYPE_CHECKING

import ibis

from recipe import semantics
from recipe.dates import date_column
from recipe.dialect import scalar
from recipe.errors import gathering, misfit, unknown, within
from recipe.frame import Frame
from recipe.grouping import date_value
from recipe.semantics import number, truth
from recipe.tables import NUMBERS, ColumnType
from recipe.values import read_number

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from recipe.context import Context
    from recipe.steps.add_column import AddColumn, AnyOperand, Sign

Typed = tuple[ColumnType, "ir.Value"]

_MOST_ARGUMENTS = 90
"""PostgreSQL calls functions with at most a hundred."""

MOST_DIGITS = 1000
"""A power longer than this is null: numeric could hold it, but nobody reads it."""


def calculated(step: "AddColumn", frame: Frame, context: "Context") -> Typed:
    """The new column's type and cells."""
    match step.expression_type:
        case "math":
            return _math(step, frame)
        case "concat":
            return "text", _concat(step, frame)
        case "extract":
            assert step.column is not None
            assert step.part is not None
            with within("column"):
                _, cells = date_value(frame, step.column, step.part)
            return "integer", semantics.date_part(cells, step.part)
        case "constant":
            return _constant(step)
        case "date_diff" | "date_add" | "age":
            return date_column(step, frame, context)
        case "formula":
            raise TypeError("recipe.formula computes formulas")


def _math(step: "AddColumn", frame: Frame) -> Typed:
    assert step.left is not None
    assert step.right is not None
    assert step.operator is not None
    with gathering() as parts:
        with parts.at("left"):
            left_type, left = _operand(step.left, frame)
        with parts.at("right"):
            right_type, right = _operand(step.right, frame)
    whole = left_type == right_type == "integer" and step.operator not in {"/", "^"}
    return "integer" if whole else "decimal", arithmetic(step.operator, left, right)


def arithmetic(sign: "Sign", left: "ir.Value", right: "ir.Value") -> "ir.Value":
    """Two numbers combined; what has no result (by zero, a root of a negative) is null."""
    a, b = semantics.as_number(left), semantics.as_number(right)
    match sign:
        case "+":
            return a + b
        case "-":
            return a - b
        case "*":
            return a * b
        case "/":
            return a / b.nullif(semantics.literal(0))
        case "%":
            # PostgreSQL's remainder takes the dividend's sign, a spreadsheet's the divisor's.
            divisor = b.nullif(semantics.literal(0))
            return _mod(number(_mod(a, divisor)) + divisor, divisor)
        case "^":
            return _power(a, b)


def _mod(a: "ir.Value", b: "ir.Value") -> "ir.Value":
    return scalar("mod", "decimal", a, b)


def _power(a: "ir.NumericValue", b: "ir.NumericValue") -> "ir.Value":
    zero = semantics.literal(0)
    undefined = truth((a == zero) & (b < zero))
    rooted = truth((a < zero) & (scalar("trunc", "decimal", b) != b))
    digits = number(number(scalar("log", "decimal", a.abs().nullif(zero))) * b)
    # Zero has no logarithm, and no power of it is long.
    too_long = semantics.known(truth(digits.abs() > semantics.literal(MOST_DIGITS)))
    # PostgreSQL computes with constants while it plans, in branches of CASE too: the base itself
    # must be null, not only the result.
    base = semantics.any_of([undefined, rooted, too_long]).ifelse(ibis.null(), a)
    return scalar("power", "decimal", base, b)


def _operand(operand: "AnyOperand", frame: Frame) -> Typed:
    """A column if one has that name, else a number; an object says which it is."""
    from recipe.steps.add_column import Operand

    name: str | None = None
    given: int | float | str | None
    if isinstance(operand, Operand):
        name, given = operand.column, operand.value
    else:
        given = operand
        if isinstance(operand, str) and any(operand in {c.name, c.physical} for c in frame.columns):
            name = operand
    if name is not None:
        column = frame.column(name, tuple(sorted(NUMBERS)), "Arithmetic")
        return column.type, frame.value(column)
    found = read_number(given)
    if found is None:
        if isinstance(given, str) and not isinstance(operand, Operand):
            raise unknown("unknown_column", "column or number", given, frame.names())
        raise misfit("bad_value", f"'{given}' is no number.", "value")
    return "decimal" if isinstance(found, Decimal) else "integer", semantics.literal(found)


def _concat(step: "AddColumn", frame: Frame) -> "ir.Value":
    """The cells that are not blank, joined; null if all are blank."""
    cells: list[ir.Value] = []
    with gathering() as parts:
        for index, name in enumerate(step.columns or ()):
            with parts.at("columns", index):
                column = frame.column(name)
                plain = semantics.as_text(frame.value(column), column.type)
                cells.append(semantics.without_blank(plain, "text"))
    while len(cells) > 1:
        cells = [
            _joined(step.separator, cells[start : start + _MOST_ARGUMENTS])
            for start in range(0, len(cells), _MOST_ARGUMENTS)
        ]
    return cells[0]


def _joined(separator: str, cells: "list[ir.Value]") -> "ir.Value":
    joined = scalar("concat_ws", "string", ibis.literal(separator), *cells)
    # Of nothing but nulls concat_ws makes an empty text.
    return scalar("nullif", "string", joined, ibis.literal(""))


def _constant(step: "AddColumn") -> Typed:
    value = step.value
    if isinstance(value, bool):
        return "boolean", ibis.literal(value)
    if isinstance(value, str):
        return "text", ibis.literal(value)
    if value is None:
        return "text", ibis.null("string")
    found = read_number(value)
    if found is None:
        raise misfit("bad_value", "A constant is a text, a number, true, false or null.", "value")
    number_value = semantics.literal(found)
    if isinstance(value, int):
        return "integer", number_value
    return "decimal", semantics.as_number(number_value)
