"""Text joined, replaced and filled without ever growing beyond what PostgreSQL holds."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import ibis

from recipe import semantics
from recipe.dialect import scalar
from recipe.formula.call import MOST_CHARACTERS, STORED_CHARACTERS, Call, Cell, whole
from recipe.semantics import literal, number, text, truth
from recipe.tables import NUMBERS

if TYPE_CHECKING:
    import ibis.expr.types as ir

_MOST_ARGUMENTS = 90
"""PostgreSQL calls functions with at most a hundred."""

_DECIMALS = 16_400
"""What a number can have behind its point, with the point and a sign."""

_OTHERS = 40
"""Characters of a date, of true and false."""


def as_text(cell: Cell) -> Cell:
    """A value of any type as text."""
    if cell.type == "text":
        return cell
    size = cell.size + _DECIMALS if cell.type in NUMBERS else _OTHERS
    if cell.type == "json":
        size = STORED_CHARACTERS
    return Cell("text", semantics.as_text(cell.value, cell.type), size)


def joined(cells: Sequence[Cell]) -> Cell:
    """All values as one text; nulls add nothing."""
    texts = [as_text(cell) for cell in cells]
    size = sum(cell.size for cell in texts)
    if size > MOST_CHARACTERS:
        most = MOST_CHARACTERS // len(texts)
        texts = [cell if cell.size <= most else _cut(cell, most) for cell in texts]
    values: list[ir.Value] = [cell.value for cell in texts]
    while True:
        starts = range(0, len(values), _MOST_ARGUMENTS)
        values = [_together(values[start : start + _MOST_ARGUMENTS]) for start in starts]
        if len(values) == 1:
            return Cell("text", values[0], min(size, MOST_CHARACTERS))


def replaced(call: Call, value: "ir.Value", by: int) -> Cell:
    """The result of putting argument `by` into the text of argument 0; null where it is huge."""
    source, new = call.cells[0], call.cells[by]
    most = (source.size + 1) * (new.size + 1)
    if most <= MOST_CHARACTERS:
        return Cell("text", value, most)
    call.reused(0, by)
    length = semantics.as_number(text(source.value).length() + whole(1))
    times = semantics.as_number(text(new.value).length() + whole(1))
    short = truth(length * times <= literal(MOST_CHARACTERS))
    return Cell("text", short.ifelse(value, ibis.null()), MOST_CHARACTERS)


def padded(call: Call, length: "ir.Value", fill: "ir.Value", function: str) -> "ir.Value":
    """The text of argument 0 filled up to a length; a longer one stays."""
    value = call.text(0)
    wide = number(length)
    return ibis.cases(
        (truth(wide > value.length()), scalar(function, "string", value, length, fill)),
        (truth(wide <= value.length()), value),
    )


def _cut(cell: Cell, most: int) -> Cell:
    return Cell("text", scalar("left", "string", cell.value, literal(most)), most)


def _together(values: "Sequence[ir.Value]") -> "ir.Value":
    # CONCAT would become ||, of which a null makes null.
    return scalar("concat_ws", "string", ibis.literal(""), *values)
