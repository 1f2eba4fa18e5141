"""The closed tree a formula is parsed to: values, columns, calls, and nothing else.

Operators are calls too, under their sign. Positions count from 1, in the formula as it was written.
"""

from dataclasses import dataclass
from decimal import Decimal

Value = str | int | Decimal | bool


@dataclass(frozen=True, slots=True)
class Literal:
    """A text, a number, true or false."""

    value: Value
    position: int
    depth: int = 1


@dataclass(frozen=True, slots=True)
class Named:
    """A column by its name."""

    name: str
    position: int
    depth: int = 1


@dataclass(frozen=True, slots=True)
class Call:
    """A function or an operator with what it is given; `name` is in capitals."""

    name: str
    arguments: "tuple[Node, ...]"
    position: int
    depth: int


Node = Literal | Named | Call
