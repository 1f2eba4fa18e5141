"""Sums, products, quotients of numbers that never overflow."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from recipe import calculation, semantics
from recipe.dialect import scalar
from recipe.formula.call import Call, Cell, as_numeric, balanced, bounded

if TYPE_CHECKING:
    import ibis.expr.types as ir

_STORED_DECIMALS = 16_383
"""Digits behind the point that a number of PostgreSQL can have."""

_SMALL_POWER = 10
"""Up to here a power of any number we compute with is one we compute with."""


def total(cells: Sequence[Cell]) -> Cell:
    """The sum."""
    return balanced(cells, _plus)


def product(cells: Sequence[Cell]) -> Cell:
    """The product."""
    return balanced(cells, _times)


def difference(left: Cell, right: Cell) -> Cell:
    """The first without the second."""
    a, b = _pair(left, right)
    return _result(a - b, max(_size(left), _size(right)) + 1)


def quotient(left: Cell, right: Cell) -> Cell:
    """The first by the second; null where that is zero."""
    a, b = _pair(left, right)
    if not right.constant:
        b = b.nullif(semantics.literal(0))
    return _result(scalar("rx_over", "decimal", a, b), _size(left) + _STORED_DECIMALS + 1)


def power(call: Call) -> Cell:
    """The first argument to the power of the second."""
    base, exponent = call.cells
    known = exponent.constant
    if isinstance(known, int) and 0 < known <= _SMALL_POWER:
        raised = call.sql("power", "decimal", as_numeric(base), semantics.as_number(exponent.value))
        return _result(raised, _size(base) * known)
    call.reused(numeric=[0, 1])
    raised = calculation.arithmetic("^", base.value, exponent.value)
    return _result(raised, calculation.MOST_DIGITS + 1)


def negated(cell: Cell) -> Cell:
    """The opposite number."""
    if isinstance(cell.constant, int):
        return Cell(cell.type, semantics.literal(-cell.constant), cell.size, -cell.constant)
    return _result(-as_numeric(cell), _size(cell))


def _plus(left: Cell, right: Cell) -> Cell:
    a, b = _pair(left, right)
    return _result(a + b, max(_size(left), _size(right)) + 1)


def _times(left: Cell, right: Cell) -> Cell:
    a, b = _pair(left, right)
    return _result(a * b, _size(left) + _size(right))


def _pair(left: Cell, right: Cell) -> "tuple[ir.NumericValue, ir.NumericValue]":
    """Both, at least one of them `numeric`: then PostgreSQL makes the other so too."""
    a = semantics.number(left.value) if _plain(left) and not _plain(right) else as_numeric(left)
    return a, semantics.number(right.value) if _plain(right) else as_numeric(right)


def _plain(cell: Cell) -> bool:
    return isinstance(cell.constant, int) and abs(cell.constant) < 2**31


def _size(cell: Cell) -> int:
    return bounded(cell).size


def _result(value: "ir.Value", size: int) -> Cell:
    return Cell("decimal", value, size, numeric=True)
