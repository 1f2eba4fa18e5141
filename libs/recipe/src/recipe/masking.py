"""What is left of a cell that is masked."""

from typing import TYPE_CHECKING, assert_never

import ibis

from recipe import semantics
from recipe.casting import converted, prepared
from recipe.dialect import scalar
from recipe.errors import gathering
from recipe.frame import Frame, Output
from recipe.semantics import text, truth
from recipe.tables import COLUMN_TYPES, Column, ColumnType

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from recipe.steps.mask import Mask, MaskMethod

_SCALARS: tuple[ColumnType, ...] = ("text", "integer", "decimal", "date", "timestamp", "boolean")

_TAKES: "dict[MaskMethod, tuple[ColumnType, ...]]" = {
    "hash": _SCALARS,
    "redact": COLUMN_TYPES,
    "partial": _SCALARS,
    "year_only": ("date", "timestamp", "text"),
    "round_location": ("integer", "decimal", "text"),
}

_SHOWN = 4
"""Characters that a partial mask leaves."""


def masked(step: "Mask", frame: Frame) -> Frame:
    """The frame with the step's columns masked, in their places."""
    chosen: set[Column] = set()
    with gathering() as parts:
        for index, name in enumerate(step.columns):
            with parts.at("columns", index):
                chosen.add(frame.column(name, _TAKES[step.method], f"'{step.method}'"))
    return frame.select(
        [
            _masked(step.method, column, cells) if column in chosen else (column, cells)
            for column, cells in frame.outputs()
        ]
    )


def _masked(method: "MaskMethod", column: Column, cells: "ir.Value") -> Output:
    kind, value = _left_over(method, column.type, cells)
    return column.model_copy(update={"type": kind}), value


def _left_over(
    method: "MaskMethod", type: ColumnType, cells: "ir.Value"
) -> tuple[ColumnType, "ir.Value"]:
    match method:
        case "hash":
            return "text", scalar("rx_keyed_hash", "string", semantics.as_text(cells, type))
        case "redact":
            return "text", cells.isnull().ifelse(ibis.null(), ibis.literal("***"))
        case "partial":
            return "text", _partial(semantics.as_text(cells, type))
        case "year_only":
            moment = _read(cells, type, "timestamp")
            return "integer", semantics.date_part(moment, "year")
        case "round_location":
            place = _read(cells, type, "decimal")
            return "decimal", scalar("round", "decimal", place, ibis.literal(1))
        case _:
            assert_never(method)


def _read(cells: "ir.Value", type: ColumnType, target: ColumnType) -> "ir.Value":
    """Text as what it says; what says nothing of the kind is hidden altogether."""
    if type == "text":
        return converted(prepared(cells, type), type, target)
    return converted(cells, type, target)


def _partial(cell: "ir.StringValue") -> "ir.Value":
    seen = text(scalar("right", "string", cell, ibis.literal(_SHOWN)))
    left = truth(cell.length() > ibis.literal(_SHOWN)).ifelse(seen, ibis.literal(""))
    return scalar("lpad", "string", left, cell.length(), ibis.literal("*"))
