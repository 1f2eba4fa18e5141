"""From a formula with its types to an Ibis value, computed in as many layers as it needs.

A part that a function uses several times, or that lies deep, is computed first, in a query of its
own: so no statement grows with every use of every use, and none is too deep for its parsers.
Nothing in a formula can fail, so nothing is lost when a part is computed that no row needs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING

import ibis.expr.operations as ops

from recipe import semantics
from recipe.formula.call import STORED_CHARACTERS, STORED_DIGITS, Call, Cell, Reused
from recipe.formula.checking import check_types
from recipe.formula.parser import parse_formula
from recipe.formula.typed import Typed
from recipe.frame import Frame, Output
from recipe.scope import Scope
from recipe.tables import NUMBERS, Column, ColumnType

if TYPE_CHECKING:
    import ibis.expr.types as ir

MAX_LAYER = 8
"""How many operations may be nested in one query."""

_SMALL = 20
"""Digits of counts, years and the like."""


def computed(formula: str, frame: Frame, scope: Scope) -> "tuple[Frame, ColumnType, ir.Value]":
    """The formula on every row: the table with what was computed before, the type, the cells.

    Raises:
        Misfit: with every problem of the formula.
    """
    typed = check_types(parse_formula(formula), frame.columns)
    layers = _Layers(frame, scope)
    while (cell := layers.cell(typed)) is None:
        layers.settle()
    visible = replace(layers.frame, columns=frame.columns)
    return visible, typed.type, cell.value


@dataclass
class _Layers:
    frame: Frame
    scope: Scope
    settled: dict[Typed, tuple[Column, Cell]] = field(default_factory=dict)
    wanted: dict[Typed, Cell] = field(default_factory=dict)

    def settle(self) -> None:
        """Compute in a query of their own what was found to be needed."""
        assert self.wanted
        outputs: list[Output] = []
        for typed, cell in self.wanted.items():
            before = [column for column, _ in outputs]
            name = self._name(before)
            column = self.frame.new_column(name, typed.type, before)
            outputs.append((column, cell.value))
            self.settled[typed] = (column, cell)
        self.wanted = {}
        self.frame = self.scope.settle(self.frame.select([*self.frame.outputs(), *outputs]))

    def cell(self, typed: Typed) -> Cell | None:
        """The part as a cell of the present table; None if something is to be settled before."""
        if typed in self.settled:
            column, cell = self.settled[typed]
            return replace(cell, value=self.frame.value(column))
        if typed.value is not None:
            return _literal(typed)
        if typed.column is not None:
            number = typed.type in NUMBERS
            size = STORED_DIGITS if number else STORED_CHARACTERS
            return Cell(typed.type, self.frame.value(typed.column), size)
        cells = [self._argument(argument) for argument in typed.arguments]
        known = [cell for cell in cells if cell is not None]
        return self._call(typed, known) if len(known) == len(cells) else None

    def _argument(self, typed: Typed) -> Cell | None:
        cell = self.cell(typed)
        if cell is not None and _deep(cell.value.op(), MAX_LAYER):
            self.wanted[typed] = cell
            return None
        return cell

    def _call(self, typed: Typed, cells: Sequence[Cell]) -> Cell | None:
        assert typed.function is not None
        call = Call(tuple(cells), typed.type, self.scope.context)
        try:
            value = typed.function.compile(call)
        except Reused as reused:
            for place, cell in reused.cells.items():
                self.wanted[typed.arguments[place]] = cell
            return None
        if isinstance(value, Cell):
            return replace(value, type=typed.type, constant=None)
        alike = [cell.size for cell in cells if (cell.type in NUMBERS) == (typed.type in NUMBERS)]
        return Cell(typed.type, value, max([_SMALL, *alike]) + 1)

    def _name(self, taken: Sequence[Column]) -> str:
        names = {*self.frame.names(), *(column.name for column in taken)}
        number = 1
        while f"part {number}" in names:
            number += 1
        return f"part {number}"


def _literal(typed: Typed) -> Cell:
    value = typed.value
    assert value is not None
    if isinstance(value, bool):
        return Cell("boolean", semantics.literal(value), 1, value)
    if isinstance(value, str):
        return Cell("text", semantics.literal(value), len(value), value)
    size = max(1, Decimal(value).adjusted() + 1)
    numeric = isinstance(value, Decimal) or abs(value) >= 2**31
    return Cell(typed.type, semantics.literal(value), size, value, numeric)


def _deep(op: ops.Node, limit: int) -> bool:
    """Whether more than so many operations are nested in an expression."""
    level = [op]
    for _ in range(limit):
        level = [
            child
            for node in level
            if not isinstance(node, ops.Field)
            for child in node.__children__
        ]
        if not level:
            return False
    return True
