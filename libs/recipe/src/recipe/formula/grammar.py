"""The grammar of formulas, and its parser, built when the first formula is read.

From the loosest to the tightest: comparison, `&`, sum, product, power, sign. As in Excel a sign
binds before the power, and powers go from the left.
"""

from functools import cache
from typing import TYPE_CHECKING

from recipe.formula.building import Building

if TYPE_CHECKING:
    from lark import Lark

_GRAMMAR = r"""
?start: EQUAL? comparison -> whole

?comparison: joined | comparison (EQUAL | ORDER) joined -> binary
?joined: sum | joined AMPERSAND sum -> binary
?sum: product | sum (PLUS | MINUS) product -> binary
?product: power | product (STAR | SLASH | PERCENT) power -> binary
?power: signed | power CARET signed -> binary
?signed: atom | (PLUS | MINUS) signed -> signed
?atom: NUMBER -> number
    | TEXT -> text
    | COLUMN -> column
    | WORD -> word
    | WORD "(" [comparison ("," comparison)*] ")" -> call
    | "(" comparison ")"

EQUAL: "="
ORDER: "<>" | "<=" | ">=" | "<" | ">"
AMPERSAND: "&"
PLUS: "+"
MINUS: "-"
STAR: "*"
SLASH: "/"
PERCENT: "%"
CARET: "^"
NUMBER: /([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?/
TEXT: /"([^"]|"")*"/
COLUMN: /\[([^\]]|\]\])+\]/
WORD: /[^\W\d]\w*/

%ignore /\s+/
"""


@cache
def parser() -> "Lark":
    """The parser; trees are built while it reads, so that no formula is too deep for it."""
    from lark import Lark

    return Lark(_GRAMMAR, parser="lalr", transformer=Building(), maybe_placeholders=False)
