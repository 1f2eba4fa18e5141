"""From the text of a formula to its tree, or to a message that says where it goes wrong."""

import re
from functools import lru_cache
from typing import TYPE_CHECKING, cast

from pydantic_core import PydanticCustomError

from recipe.errors import Misfit, misfit
from recipe.formula.tree import Call, Node

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lark import UnexpectedCharacters, UnexpectedToken

MAX_PARTS = 1_000
"""Values, columns and calls of one formula: more take seconds to compile."""

_READABLE = {
    "EQUAL": "=",
    "ORDER": "<",
    "AMPERSAND": "&",
    "PLUS": "+",
    "MINUS": "-",
    "STAR": "*",
    "SLASH": "/",
    "PERCENT": "%",
    "CARET": "^",
    "COMMA": ",",
    "LPAR": "(",
    "RPAR": ")",
    "NUMBER": "a number",
    "TEXT": "a text",
    "COLUMN": "[a column]",
    "WORD": "a function",
    "$END": "the end",
}

_HINTS = {
    '"': "the text that begins there has no closing quote",
    "[": "the column's name that begins there has no closing bracket ]",
    "]": "a closing bracket inside a column's name is written twice",
    ";": "a comma stands between the values of a function",
    "!": "not equal is written <>",
    "'": 'text stands in double quotes, "like this"',
    "\u201c": 'text stands in straight quotes, "like this"',
    "\u201d": 'text stands in straight quotes, "like this"',
    "\u2018": 'text stands in double quotes, "like this"',
    "\u2019": 'text stands in double quotes, "like this"',
    "{": "a column stands in square brackets, [like this]",
    "|": "OR is a function: OR(a, b)",
}

_BRACKETS = re.compile(r'"(?:[^"]|"")*"|\[(?:[^\]]|\]\])+\]|[()]')


@lru_cache(maxsize=256)
def parse_formula(formula: str) -> Node:
    """The tree of a formula, with or without its leading equals sign.

    Raises:
        Misfit: `formula_syntax` with the place; `bad_value` for a number that is too long.
    """
    from lark import UnexpectedCharacters, UnexpectedToken

    from recipe.formula.grammar import parser

    if not formula.strip().removeprefix("=").strip():
        raise misfit("formula_syntax", "The formula is empty.")
    try:
        tree = cast("Node", parser().parse(formula))
    except UnexpectedCharacters as wrong:
        raise _strange(wrong, formula) from None
    except UnexpectedToken as wrong:
        raise _misplaced(wrong, formula) from None
    if _parts(tree) > MAX_PARTS:
        raise misfit(
            "formula_syntax",
            f"A formula has at most {MAX_PARTS} values, columns and functions; compute a part of it"
            " in a column of its own.",
        )
    return tree


def _parts(node: Node) -> int:
    inner = node.arguments if isinstance(node, Call) else ()
    return 1 + sum(_parts(argument) for argument in inner)


def formula_parts(formula: str) -> int:
    """Values, columns and calls of a formula that can be parsed."""
    return _parts(parse_formula(formula))


def check_syntax(formula: str, field: str) -> None:
    """Raise a validation error if the formula in this field cannot be parsed."""
    try:
        parse_formula(formula)
    except Misfit as wrong:
        (finding,) = wrong.findings
        told = {
            "told": finding.message,
            "field": field,
            "alternatives": finding.alternatives,
        }
        raise PydanticCustomError(finding.code, "{told}", told) from None


def _strange(wrong: "UnexpectedCharacters", formula: str) -> Misfit:
    index = wrong.pos_in_stream
    character = formula[index]
    hint = _HINTS.get(character, "no formula holds this character outside text and names")
    return misfit("formula_syntax", f"'{character}' at {index + 1}: {hint}.")


def _misplaced(wrong: "UnexpectedToken", formula: str) -> Misfit:
    wanted = _wanted(wrong.expected)
    if wrong.token.type != "$END":
        position = (wrong.token.start_pos or 0) + 1
        return misfit(
            "formula_syntax",
            f"'{wrong.token}' at {position} does not fit there; expected: {', '.join(wanted)}.",
            "",
            wanted,
        )
    if (opened := _unclosed(formula)) is not None:
        return misfit(
            "formula_syntax",
            f"The bracket opened at {opened} is not closed; the formula ends at {len(formula)}.",
            "",
            [")"],
        )
    return misfit(
        "formula_syntax",
        f"The formula ends too early, at {len(formula)}; expected: {', '.join(wanted)}.",
        "",
        wanted,
    )


def _wanted(terminals: "Iterable[str]") -> list[str]:
    expected = set(terminals)
    return [words for name, words in _READABLE.items() if name in expected]


def _unclosed(formula: str) -> int | None:
    """Where the last bracket that is not closed stands, counted from 1."""
    opened: list[int] = []
    for found in _BRACKETS.finditer(formula):
        if found[0] == "(":
            opened.append(found.start() + 1)
        elif found[0] == ")" and opened:
            opened.pop()
    return opened[-1] if opened else None
