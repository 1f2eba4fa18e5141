"""How `replace` finds text and what it puts there."""

from typing import TYPE_CHECKING

import ibis

from recipe.dialect import scalar
from recipe.errors import gathering, misfit
from recipe.frame import Frame
from recipe.regex import check_regex
from recipe.semantics import text, truth

if TYPE_CHECKING:
    from collections.abc import Mapping

    import ibis.expr.types as ir

    from recipe.steps.replace import Replace

_LITERALLY = "***="
"""PostgreSQL's sign that the rest of a regular expression is plain text."""


def replaced(step: "Replace", frame: Frame) -> Frame:
    """The frame with the step's columns rewritten."""
    rewritten = set()
    with gathering() as parts:
        for index, name in enumerate(step.columns):
            with parts.at("columns", index):
                rewritten.add(frame.column(name, ("text",), "Replacing"))
    if step.mapping is None and step.match == "regex":
        check_regex(step.find or "", "find")
    if step.mapping is not None and not step.case_sensitive:
        _check_mapping(step.mapping)
    return frame.select(
        [
            (column, _rewritten(step, text(cells)) if column in rewritten else cells)
            for column, cells in frame.outputs()
        ]
    )


def _check_mapping(mapping: "Mapping[str, str | None]") -> None:
    folded: dict[str, str | None] = {}
    for old, new in mapping.items():
        if folded.setdefault(old.lower(), new) != new:
            raise misfit(
                "bad_value", f"'{old}' stands twice, where case does not matter.", "mapping"
            )


def _rewritten(step: "Replace", cell: "ir.StringValue") -> "ir.Value":
    def seen(value: "ir.Value") -> "ir.StringValue":
        return text(value) if step.case_sensitive else text(value).lower()

    if step.mapping is not None:
        pairs = [
            (seen(ibis.literal(old)), ibis.null() if new is None else ibis.literal(new))
            for old, new in step.mapping.items()
        ]
        return seen(cell).cases(*pairs, else_=cell)
    find, by = step.find or "", step.replace or ""
    match step.match:
        case "whole":
            same = truth(seen(cell) == seen(ibis.literal(find)))
            return same.ifelse(ibis.literal(by), cell)
        case "part" if step.case_sensitive:
            return scalar("replace", "string", cell, ibis.literal(find), ibis.literal(by))
        case "part":
            # In a replacement a backslash means a group.
            return _substituted(cell, _LITERALLY + find, by.replace("\\", "\\\\"), "gi")
        case "regex":
            return _substituted(cell, find, by, "g" if step.case_sensitive else "gi")


def _substituted(cell: "ir.Value", pattern: str, by: str, flags: str) -> "ir.Value":
    literals = [ibis.literal(each) for each in (pattern, by, flags)]
    return scalar("regexp_replace", "string", cell, *literals)
