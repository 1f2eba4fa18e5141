"""Parts of text: what stands between separators, after so many characters, in a match."""

import re
from typing import TYPE_CHECKING, assert_never

import ibis

from recipe.dialect import scalar
from recipe.errors import misfit
from recipe.regex import check_regex
from recipe.semantics import number, text, truth

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from recipe.steps.extract_text import ExtractText
    from recipe.steps.split import Split


_NO_GROUP = re.compile(r"\\.|\[\^?\]?([^\]\[]|\[:\w+:\])*\]", re.DOTALL)
"""Where a parenthesis is only a sign: after a backslash, in brackets."""


def split_text(step: "Split", cells: "ir.Value") -> "list[ir.Value]":
    """The parts of each cell, null where there is none; the last holds all that is left.

    Raises:
        Misfit: `bad_value` at `regex`.
    """
    count = len(step.into)
    if step.separator is not None:
        parts = _separated(text(cells), step.separator, count)
    elif step.regex is not None:
        check_regex(step.regex, "regex")
        parts = _matched(text(cells), step.regex, count)
    else:
        parts = _cut(text(cells), step.lengths or ())
    return [_filled(part) for part in parts]


def extracted(step: "ExtractText", cells: "ir.Value") -> "ir.Value":
    """The part of each cell that the step names, null where there is none.

    Raises:
        Misfit: `bad_value` at `regex` or `group`.
    """
    cell = text(cells)
    if step.part is None:
        return _filled(_found(cell, step.regex or "", step.group))
    match step.part:
        case "before":
            return _filled(_before(cell, step.delimiter or ""))
        case "after":
            return _filled(_after(cell, step.delimiter or ""))
        case "between":
            return _filled(_before(_after(cell, step.start or ""), step.end or ""))
        case "first":
            return _filled(_left(cell, ibis.literal(step.count)))
        case "last":
            return _filled(text(scalar("right", "string", cell, ibis.literal(step.count))))
        case _:
            assert_never(step.part)


def _separated(cell: "ir.StringValue", separator: str, count: int) -> "list[ir.StringValue]":
    sign = ibis.literal(separator)
    parts = [
        text(scalar("split_part", "string", cell, sign, ibis.literal(place)))
        for place in range(1, count)
    ]
    # Beyond the end, if there are fewer parts.
    start = number(ibis.literal(1 + len(separator) * (count - 1)))
    for part in parts:
        start = start + part.length()
    return [*parts, _from(cell, start)]


def _matched(cell: "ir.StringValue", pattern: str, count: int) -> "list[ir.StringValue]":
    parts: list[ir.StringValue] = []
    start: ir.Value = ibis.literal(1)
    for place in range(1, count):
        begins, ends = (_place(cell, pattern, place, end=end) for end in (False, True))
        found = truth(begins > ibis.literal(0))
        to_match = _left(_from(cell, start), begins - number(start))
        parts.append(text(found.ifelse(to_match, _from(cell, start))))
        # After the last match nothing follows: the next part begins beyond the end.
        start = found.ifelse(ends, cell.length() + 1)
    return [*parts, _from(cell, start)]


def _cut(cell: "ir.StringValue", lengths: tuple[int, ...]) -> "list[ir.StringValue]":
    parts: list[ir.StringValue] = []
    start = 1
    for length in lengths[:-1]:
        part = scalar("substr", "string", cell, ibis.literal(start), ibis.literal(length))
        parts.append(text(part))
        start += length
    return [*parts, _from(cell, ibis.literal(start))]


def _found(cell: "ir.StringValue", pattern: str, group: int | None) -> "ir.StringValue":
    check_regex(pattern, "regex")
    groups = _groups(pattern)
    if group is None:
        group = min(1, groups)
    if group > groups:
        raise misfit("bad_value", f"The expression has {groups} groups, none is {group}.", "group")
    one = ibis.literal(1)
    return text(
        scalar(
            *("regexp_substr", "string", cell, ibis.literal(pattern), one, one, ibis.literal("")),
            ibis.literal(group),
        )
    )


def _groups(pattern: str) -> int:
    return len(re.findall(r"\((?!\?)", _NO_GROUP.sub("", pattern)))


def _before(cell: "ir.StringValue", sign: str) -> "ir.StringValue":
    place = _position(cell, sign)
    return text(truth(place > ibis.literal(0)).ifelse(_left(cell, place - 1), ibis.null()))


def _after(cell: "ir.StringValue", sign: str) -> "ir.StringValue":
    place = _position(cell, sign)
    rest = _from(cell, place + len(sign))
    return text(truth(place > ibis.literal(0)).ifelse(rest, ibis.null()))


def _position(cell: "ir.StringValue", sign: str) -> "ir.NumericValue":
    """Where the text stands first, from 1; 0 if it does not."""
    return number(scalar("strpos", "int64", cell, ibis.literal(sign)))


def _place(cell: "ir.StringValue", pattern: str, place: int, *, end: bool) -> "ir.NumericValue":
    """Where the match of that number begins, or where what follows it begins; 0 if none."""
    arguments = (ibis.literal(pattern), *(ibis.literal(n) for n in (1, place, int(end))))
    return number(scalar("regexp_instr", "int64", cell, *arguments))


def _from(cell: "ir.StringValue", start: "ir.Value") -> "ir.StringValue":
    return text(scalar("substr", "string", cell, start))


def _left(cell: "ir.StringValue", count: "ir.Value") -> "ir.StringValue":
    return text(scalar("left", "string", cell, count))


def _filled(part: "ir.StringValue") -> "ir.Value":
    return part.nullif(ibis.literal(""))
