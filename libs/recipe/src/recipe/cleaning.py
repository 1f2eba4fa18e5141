"""What each cleaning operation does to a cell; a null stays null."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

import ibis

from recipe import semantics
from recipe.dialect import WHITE_SPACE, scalar
from recipe.errors import gathering, misfit, within
from recipe.frame import Frame, Output
from recipe.semantics import text
from recipe.tables import Column, ColumnType

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from recipe.scope import Scope
    from recipe.steps.clean import Operation

PLACEHOLDERS = ("n/a", "-", "none", "nil", "null", "#n/a")

YES = ("yes", "y", "true", "1", "हाँ", "हां", "oui", "sí", "si", "ndiyo", "ndio", "sim")
NO = ("no", "n", "false", "0", "नहीं", "non", "hapana", "não", "nao")

_ZEROS = "٠۰०০੦૦୦௦౦೦൦๐໐༠၀០᠐０"
"""The zeros of the scripts whose digits are read; nine more digits follow each."""

_FOREIGN = "".join(chr(ord(zero) + digit) for zero in _ZEROS for digit in range(10))
_DIGITS = "0-9" + "".join(f"{zero}-{chr(ord(zero) + 9)}" for zero in _ZEROS)
_PUNCTUATION = (
    r"!-/:-@\[-`{-~\u00a1\u00a7\u00ab\u00b6\u00b7\u00bb\u00bf\u055a-\u055f\u05be\u060c\u061b\u061f"
    r"\u066a-\u066d\u06d4\u0964\u0965\u0970\u1361-\u1368\u2010-\u2027\u2030-\u205e\u3001-\u3003"
    r"\u3008-\u3011\u3014-\u301f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"
)
"""ASCII's and the other scripts' commonest, as in a bracket of a regular expression."""

_APOSTROPHES = "'\u2019"

_INSIDE = "ꜗꜘ"
"""Letters without case that no one writes: they stand for apostrophes inside a word, for a moment."""

_BREAK = "\ue000"
"""A private character that ends a word, for the same moment."""

_READ_TWICE: "frozenset[Operation]" = frozenset(
    {"sentence", "blank_to_null", "placeholders_to_null", "boolean"}
)
"""Operations whose expression names the cell several times."""

Change = Callable[["ir.StringValue"], "ir.Value"]


def cleaned(
    frame: Frame, names: Sequence[str], operations: "Sequence[Operation]", scope: "Scope"
) -> Frame:
    """The frame with the operations run on the named columns, one after the other."""
    with gathering() as parts:
        for index, name in enumerate(names):
            with parts.at("columns", index):
                frame.column(name, ("text",), "Cleaning")
    columns = dict.fromkeys(frame.column(name) for name in names)
    changed: dict[str, Output] = {c.physical: (c, frame.value(c)) for c in columns}
    for index, operation in enumerate(operations):
        if operation == "remove_duplicates":
            continue
        if operation in _READ_TWICE and index:
            frame = scope.settle(_with(frame, changed))
            changed = {
                c.physical: (c, frame.value(c)) for c in frame.columns if c.physical in changed
            }
        with within("operations", index):
            changed = {name: _changed(operation, *output) for name, output in changed.items()}
    return _with(frame, changed)


def _with(frame: Frame, changed: dict[str, Output]) -> Frame:
    return frame.select([changed.get(output[0].physical, output) for output in frame.outputs()])


def _changed(operation: "Operation", column: Column, value: "ir.Value") -> Output:
    if column.type != "text":
        raise misfit("wrong_type", f"'{operation}' takes text, but boolean came before it.")
    result: ColumnType = "boolean" if operation == "boolean" else "text"
    return column.model_copy(update={"type": result}), _CHANGES[operation](text(value))


def _replaced(value: "ir.Value", pattern: str, by: str) -> "ir.StringValue":
    return text(
        scalar(
            "regexp_replace",
            "string",
            value,
            ibis.literal(pattern),
            ibis.literal(by),
            ibis.literal("g"),
        )
    )


def _translated(value: "ir.Value", old: str, new: str) -> "ir.StringValue":
    return text(scalar("translate", "string", value, ibis.literal(old), ibis.literal(new)))


def single_spaced(value: "ir.StringValue") -> "ir.StringValue":
    """Every run of white space as one space."""
    return _replaced(value, f"[{WHITE_SPACE}]+", " ")


def title(value: "ir.StringValue") -> "ir.Value":
    """Each word capitalised; after an apostrophe only when two letters or more follow.

    PostgreSQL's initcap begins a word after every character that is no letter or digit, or, with
    an ICU collation, not after an apostrophe. So that both do the same, apostrophes before a single
    letter are made letters, and a break is put behind the others.
    """
    for apostrophe, letter in zip(_APOSTROPHES, _INSIDE, strict=True):
        single = rf"(?<=[[:alpha:]]){apostrophe}(?=[[:alpha:]]([^[:alpha:]]|$))"
        value = _replaced(value, single, letter)
    value = _replaced(value, f"([{_APOSTROPHES}])", rf"\1{_BREAK}")
    value = text(scalar("initcap", "string", value))
    return _translated(value, _INSIDE + _BREAK, _APOSTROPHES)


def _sentence(value: "ir.StringValue") -> "ir.Value":
    start = text(scalar("ltrim", "string", value, scalar("rx_white", "string")))
    first = cast("ir.IntegerValue", value.length() - start.length() + 1)
    return value.left(first).upper() + value.substr(first).lower()


def _digits_only(value: "ir.StringValue") -> "ir.Value":
    return _replaced(value, f"[^{_DIGITS}]", "").nullif(ibis.literal(""))


def _without_accents(value: "ir.StringValue") -> "ir.Value":
    # Only the combining marks of Latin, Greek and Cyrillic: vowel signs are letters.
    plain = _replaced(scalar("rx_nfd", "string", value), r"[\u0300-\u036f]", "")
    return scalar("rx_nfc", "string", plain)


def _placeholder_to_null(value: "ir.StringValue") -> "ir.Value":
    word = semantics.trimmed(value).lower()
    return semantics.one_of(word, PLACEHOLDERS).ifelse(ibis.null(), value)


def _boolean(value: "ir.StringValue") -> "ir.Value":
    word = text(scalar("rx_nfc", "string", semantics.trimmed(value))).lower()
    return ibis.cases((semantics.one_of(word, YES), True), (semantics.one_of(word, NO), False))


_CHANGES: "dict[Operation, Change]" = {
    "trim": semantics.trimmed,
    "collapse_spaces": single_spaced,
    "upper": lambda value: value.upper(),
    "lower": lambda value: value.lower(),
    "title": title,
    "sentence": _sentence,
    "remove_punctuation": lambda value: _replaced(value, f"[{_PUNCTUATION}]", ""),
    "remove_digits": lambda value: _replaced(value, f"[{_DIGITS}]", ""),
    "digits_only": _digits_only,
    "remove_accents": _without_accents,
    "normalize_unicode": lambda value: scalar("rx_nfc", "string", value),
    "ascii_digits": lambda value: _translated(value, _FOREIGN, "0123456789" * len(_ZEROS)),
    "remove_line_breaks": lambda value: _replaced(
        value, r"\r\n?|[\n\u000b\f\u0085\u2028\u2029]", " "
    ),
    "blank_to_null": lambda value: semantics.without_blank(value, "text"),
    "placeholders_to_null": _placeholder_to_null,
    "boolean": _boolean,
}
