"""Answers that hold several choices: words separated by spaces, or a JSON array."""

import json
from typing import TYPE_CHECKING

import ibis

from recipe import semantics
from recipe.dialect import scalar
from recipe.errors import misfit
from recipe.predicate import Operator
from recipe.semantics import truth
from recipe.tables import ColumnType
from recipe.values import read_number

if TYPE_CHECKING:
    import ibis.expr.types as ir


def has_each(
    operator: Operator, cells: "ir.Column", type: ColumnType, value: object
) -> "ir.BooleanValue":
    """Whether a cell's choices include one, any or all of the given ones; never a part of one."""
    choices = [value] if operator == "has" else value
    if not isinstance(choices, list | tuple):
        raise misfit("bad_value", f"'{operator}' takes a list of choices.", "value")
    for choice in choices:
        known = isinstance(choice, str | int | float) and not isinstance(choice, bool)
        if not known or not str(choice).strip():
            raise misfit("bad_value", f"'{operator}' takes choices as text.", "value")
    if type == "json":
        found = [_in_array(cells, choice) for choice in choices]
    else:
        # One space on each side of every word: then a word is found only as a whole.
        words = scalar("rx_words", "string", cells)
        found = [semantics.text(words).contains(f" {str(choice).strip()} ") for choice in choices]
    # Of no choices none is had.
    every = operator == "has_all" and found
    return semantics.all_of(found) if every else semantics.any_of(found)


def _in_array(cells: "ir.Column", choice: object) -> "ir.BooleanValue":
    """Whether the choice is an item, as a number or as text: forms write codes either way."""
    word = str(choice).strip()
    forms = [json.dumps([word], ensure_ascii=False)]
    # 01 is a code, and no way to write 1.
    if str(read_number(choice)) == word:
        forms.append(f"[{word}]")
    wanted = [scalar("rx_jsonb", "unknown", ibis.literal(form)) for form in forms]
    return semantics.any_of(
        [truth(scalar("rx_contains", "boolean", cells, form)) for form in wanted]
    )


def elements(cells: "ir.Column", type: ColumnType, separator: str | None) -> "ir.Value":
    """A row for each element, as text; a list without elements has one, which is null.

    PostgreSQL leaves rows with an empty list out, so no list may be empty.
    """
    if type == "json":
        return scalar("jsonb_array_elements_text", "string", _never_empty(cells))
    if separator in {None, " "}:
        words = semantics.trimmed(scalar("rx_words", "string", cells))
        parts = scalar("string_to_array", "unknown", words, ibis.literal(" "), ibis.literal(""))
    else:
        filled = semantics.without_blank(cells, "text")
        parts = scalar(
            "string_to_array", "unknown", filled, ibis.literal(separator), ibis.literal("")
        )
    return scalar("rx_unnest", "string", parts)


def _never_empty(cells: "ir.Column") -> "ir.Value":
    empty = scalar("rx_jsonb", "unknown", ibis.literal("[]"))
    filled = scalar("nullif", "unknown", cells, empty)
    kind = semantics.text(scalar("jsonb_typeof", "string", filled))
    alone = scalar("jsonb_build_array", "unknown", filled)
    return ibis.cases((truth(kind == "array"), filled), else_=alone)
