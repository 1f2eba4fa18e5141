"""What each rule of the grammar makes of its parts."""

from typing import TYPE_CHECKING

from recipe.errors import Misfit, misfit
from recipe.formula.tree import Call, Literal, Named, Node
from recipe.values import read_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lark import Token

MAX_DEPTH = 32
"""Of calls and operators in one another; `a + b + c` is one."""

_ASSOCIATIVE = frozenset({"+", "*", "&"})
_TRUTHS = {"TRUE": True, "FALSE": False}
NEGATIVE = "-x"
"""The name of a minus sign before its operand."""


def place(token: "Token") -> int:
    """Where a token begins, counted from 1."""
    return (token.start_pos or 0) + 1


class Building:
    """The callbacks of the parser, by the rules' names."""

    def whole(self, parts: "Sequence[Node | Token]") -> Node:
        """The formula, with or without its equals sign."""
        return _node(parts[-1])

    def binary(self, parts: "Sequence[Node | Token]") -> Node:
        """Two operands; a run of one associative operator is one call of many."""
        left, right = _node(parts[0]), _node(parts[2])
        sign = _token(parts[1])
        name = str(sign)
        if name in _ASSOCIATIVE and isinstance(left, Call) and left.name == name:
            depth = max(left.depth, 1 + right.depth)
            return _call(name, (*left.arguments, right), left.position, depth)
        return _call(name, (left, right), place(sign))

    def signed(self, parts: "Sequence[Node | Token]") -> Node:
        """A sign before an operand."""
        sign, operand = _token(parts[0]), _node(parts[1])
        if sign == "+":
            return operand
        if isinstance(operand, Literal) and _is_number(operand):
            return Literal(-operand.value, place(sign))  # pyright: ignore[reportOperatorIssue]
        return _call(NEGATIVE, (operand,), place(sign))

    def number(self, parts: "Sequence[Token]") -> Node:
        """A number; not one that PostgreSQL would choke on."""
        (token,) = parts
        value = read_number(str(token))
        if value is None:
            raise misfit("bad_value", f"The number at {place(token)} is too long.")
        return Literal(value, place(token))

    def text(self, parts: "Sequence[Token]") -> Node:
        """A text between quotes; two quotes stand for one."""
        (token,) = parts
        return Literal(token[1:-1].replace('""', '"'), place(token))

    def column(self, parts: "Sequence[Token]") -> Node:
        """A column's name between brackets; two closing ones stand for one."""
        (token,) = parts
        return Named(token[1:-1].replace("]]", "]"), place(token))

    def word(self, parts: "Sequence[Token]") -> Node:
        """TRUE or FALSE; any other bare word is a column without its brackets."""
        (token,) = parts
        if token.upper() in _TRUTHS:
            return Literal(_TRUTHS[token.upper()], place(token))
        raise misfit(
            "formula_syntax",
            f"'{token}' at {place(token)} is neither a column nor a text: a column stands in"
            f' brackets, [{token}], a text in quotes, "{token}".',
            "",
            [f"[{token}]", f'"{token}"'],
        )

    def call(self, parts: "Sequence[Node | Token]") -> Node:
        """A function with its arguments."""
        name = _token(parts[0])
        if name.upper() in _TRUTHS and len(parts) == 1:
            return Literal(_TRUTHS[name.upper()], place(name))
        return _call(name.upper(), tuple(_node(part) for part in parts[1:]), place(name))


def _call(name: str, arguments: tuple[Node, ...], position: int, depth: int = 0) -> Call:
    depth = depth or 1 + max((argument.depth for argument in arguments), default=0)
    if depth > MAX_DEPTH:
        raise _too_deep(position)
    return Call(name, arguments, position, depth)


def _too_deep(position: int) -> Misfit:
    return misfit(
        "formula_syntax",
        f"The formula is nested more than {MAX_DEPTH} levels deep at {position}; compute a part of"
        " it in a column of its own.",
    )


def _is_number(literal: Literal) -> bool:
    return not isinstance(literal.value, str | bool)


def _node(part: "Node | Token") -> Node:
    assert not isinstance(part, str)
    return part


def _token(part: "Node | Token") -> "Token":
    assert isinstance(part, str)
    return part
