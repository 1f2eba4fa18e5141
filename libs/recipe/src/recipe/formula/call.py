"""What the compilation of a function sees: its arguments as Ibis values, made safe to compute with.

PostgreSQL computes with constants while it plans, in branches of CASE that no row would reach too.
So what a function cannot take is kept from it by a test on the same values, or made null before it
gets there. Then no formula fails, whatever its cells hold.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, TypeVar, cast

import ibis
import ibis.expr.operations as ops

from recipe import semantics
from recipe.context import Context
from recipe.dialect import ReturnType, scalar
from recipe.formula.tree import Value
from recipe.semantics import number, text, truth
from recipe.tables import NUMBERS, ColumnType

if TYPE_CHECKING:
    import ibis.expr.types as ir

STORED_DIGITS = 131_072
"""Digits before the point that a number of PostgreSQL can have."""
MOST_DIGITS = 1_000
"""Numbers from 10^1000 are null where they are computed with."""
SAFE_DIGITS = 20_000
"""No two numbers of so many digits make one that PostgreSQL cannot hold."""

STORED_CHARACTERS = 100_000
"""What a cell is taken to hold; longer ones are no mistake."""
MOST_CHARACTERS = 10_000_000
"""Of any result; PostgreSQL holds a gigabyte."""

_WIDE = 8

T = TypeVar("T")


@dataclass(frozen=True)
class Cell:
    """One value: its type, the expression, how large it can be, and what it is if written out.

    `size` counts digits before the point, or characters.
    """

    type: ColumnType
    value: "ir.Value"
    size: int
    constant: Value | None = None
    numeric: bool = False
    """Whether PostgreSQL has it as `numeric` for sure."""

    @property
    def simple(self) -> bool:
        """Whether it can be written several times at no cost."""
        return self.constant is not None or isinstance(self.value.op(), ops.Field | ops.Literal)


class Reused(Exception):
    """A function uses arguments several times: they are to be computed before, once."""

    def __init__(self, cells: dict[int, Cell]) -> None:
        self.cells = cells
        super().__init__()


@dataclass(frozen=True)
class Call:
    """One call of a function; arguments are counted from 0."""

    cells: tuple[Cell, ...]
    type: ColumnType
    context: Context

    def __len__(self) -> int:
        return len(self.cells)

    def value(self, place: int) -> "ir.Value":
        """An argument as it is."""
        return self.cells[place].value

    def text(self, place: int) -> "ir.StringValue":
        """An argument that is text."""
        return text(self.cells[place].value)

    def truth(self, place: int) -> "ir.BooleanValue":
        """An argument that is a condition."""
        return truth(self.cells[place].value)

    def number(self, place: int) -> "ir.DecimalValue":
        """An argument as a number of at most a thousand digits, null if it has more."""
        return as_numeric(self.cells[place])

    def result(self, value: "ir.Value", of: int = 0) -> Cell:
        """A number that is hardly larger than the one at `of`, after `number` made that safe."""
        return Cell(self.type, value, bounded(self.cells[of]).size + 1)

    def constant(self, place: int) -> Value | None:
        """What an argument is if it is written out; None too if it is left out."""
        return self.cells[place].constant if place < len(self.cells) else None

    def word(self, place: int, default: str = "") -> str:
        """An argument that is one of several words, in lower case."""
        found = self.constant(place)
        return default if found is None else str(found).lower()

    def sql(self, name: str, returns: ReturnType, *values: "ir.Value") -> "ir.Value":
        """A call of a function of PostgreSQL, or of a template of `dialect`."""
        return scalar(name, returns, *values)

    def reused(self, *places: int, numeric: Sequence[int] = ()) -> None:
        """Say that these arguments are written several times; `numeric` ones are computed with.

        Raises:
            Reused: some of them are to be computed before.
        """
        given = range(len(self.cells))
        costly = {p: self.cells[p] for p in places if p in given and not self.cells[p].simple}
        for place in numeric:
            if place in given and not _ready(self.cells[place]):
                costly[place] = bounded(self.cells[place])
        if costly:
            raise Reused(costly)

    def count(self, place: int, least: int, most: int, default: int) -> "ir.Value":
        """An argument as a whole number for a function of PostgreSQL, kept within bounds."""
        if place >= len(self.cells):
            return semantics.literal(default)
        known = self.constant(place)
        if isinstance(known, int | Decimal):
            return semantics.literal(int(min(max(known, least), most)))
        self.reused(place)
        given = number(self.value(place))
        return ibis.cases(
            (truth(given < semantics.literal(least)), semantics.literal(least)),
            (truth(given > semantics.literal(most)), semantics.literal(most)),
            else_=self.whole(place).cast("int32"),
        )

    def whole(self, place: int) -> "ir.NumericValue":
        """An argument without what stands behind its point."""
        cell = self.cells[place]
        if isinstance(cell.constant, int | Decimal):
            return number(semantics.literal(int(cell.constant)))
        if cell.type == "integer":
            return number(cell.value)
        return number(scalar("trunc", "decimal", cell.value))

    def branch(self, place: int) -> "ir.Value":
        """An argument as one of those the result is chosen from: of the result's type."""
        cell = self.cells[place]
        if cell.constant == "" and self.type != "text":
            return ibis.null()
        if self.type == "timestamp":
            return self.timestamp(place)
        return cell.value

    def timestamp(self, place: int) -> "ir.Value":
        """A date as its midnight, null where there is none; a timestamp as it is."""
        cell = self.cells[place]
        if cell.type == "timestamp":
            return cell.value
        self.reused(place)
        known = truth(cell.value < day("294277-01-01"))  # pyright: ignore[reportOperatorIssue]
        return known.ifelse(cell.value, ibis.null()).cast("timestamp")


def as_numeric(cell: Cell) -> "ir.DecimalValue":
    """A number as PostgreSQL's `numeric`, of fewer digits than make its arithmetic overflow."""
    if cell.size > SAFE_DIGITS:
        # What is costly must not be written twice.
        template = "rx_bounded" if cell.simple else "rx_bounded_once"
        return cast("ir.DecimalValue", scalar(template, "decimal", cell.value))
    if cell.numeric:
        return cast("ir.DecimalValue", cell.value)
    return semantics.as_number(cell.value)


def bounded(cell: Cell) -> Cell:
    """A number that arithmetic can be done with."""
    size = MOST_DIGITS if cell.size > SAFE_DIGITS else cell.size
    return replace(cell, value=as_numeric(cell), size=size, numeric=True)


def day(written: str) -> "ir.Value":
    """A date that Python may not know, as PostgreSQL writes it."""
    return scalar("rx_date", "date", ibis.literal(written))


def whole(value: int) -> "ir.NumericValue":
    """A whole number that is written out."""
    return number(semantics.literal(value))


def between(value: "ir.Value", low: "ir.Value | int", high: "ir.Value | int") -> "ir.BooleanValue":
    """Whether a value lies between two others, or is one of them."""
    return truth((value >= low) & (value <= high))  # pyright: ignore[reportOperatorIssue]


def balanced(values: Sequence[T], join: Callable[[T, T], T]) -> T:
    """All joined by an operation whose order does not matter: a long list is no deep tree."""
    if len(values) > _WIDE:
        middle = len(values) // 2
        return join(balanced(values[:middle], join), balanced(values[middle:], join))
    joined = values[0]
    for value in values[1:]:
        joined = join(joined, value)
    return joined


def _ready(cell: Cell) -> bool:
    if cell.constant is not None:
        return True
    return cell.simple and cell.type in NUMBERS and cell.numeric and cell.size <= SAFE_DIGITS
