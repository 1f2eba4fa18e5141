"""How `cast` changes columns in their place, and tells what did not fit."""

from typing import TYPE_CHECKING

from recipe.casting import BECOMES, Notation, converted, prepared
from recipe.checks import Requirement
from recipe.date_format import date_format
from recipe.errors import gathering, misfit
from recipe.frame import Frame, OrderKey, Output, fresh
from recipe.messages import CastMessage
from recipe.semantics import truth
from recipe.tables import TIMES, Column, ColumnType

if TYPE_CHECKING:
    from recipe.scope import Scope
    from recipe.steps.cast import Cast

_NOUNS: dict[ColumnType, str] = {
    "text": "text",
    "integer": "whole number",
    "decimal": "number",
    "date": "date (YYYY-MM-DD)",
    "timestamp": "date with time (YYYY-MM-DDTHH:MM:SS)",
    "boolean": "yes or no",
    "json": "JSON",
}

_WRITTEN: frozenset[ColumnType] = frozenset({"text", "json"})


def retyped(step: "Cast", frame: Frame, scope: "Scope") -> Frame:
    """The frame with the step's columns in their new types."""
    notation = _notation(step)
    wanted = _wanted(step, frame)
    frame = _as_text(wanted, frame, scope)
    old = {column.physical: column for column in frame.columns}
    changed: dict[str, Output] = {}
    for physical, (name, target) in wanted.items():
        column = old[physical]
        cells = converted(frame.value(column), column.type, target, notation)
        changed[physical] = (column.model_copy(update={"type": target}), cells)
        if step.on_error == "fail":
            unfit = truth(frame.value(column).notnull() & cells.isnull())
            noun = _noun(target, step.format)
            scope.require(_requirement(frame.filter(unfit), column, f"columns.{name}", noun))
    return frame.select([changed.get(c.physical, (c, cells)) for c, cells in frame.outputs()])


def _notation(step: "Cast") -> Notation:
    dates = date_format(step.format) if step.format is not None else None
    return Notation(step.decimal_separator, step.thousands_separator or "", dates)


def _wanted(step: "Cast", frame: Frame) -> dict[str, tuple[str, ColumnType]]:
    """By physical name: how the step calls the column, and its new type."""
    wanted: dict[str, tuple[str, ColumnType]] = {}
    with gathering() as parts:
        for name, target in step.columns.items():
            with parts.at("columns", name):
                column = frame.column(name)
                if column.physical in wanted:
                    raise misfit("bad_value", f"'{column.name}' is named twice.")
                if target not in BECOMES[column.type]:
                    raise misfit(
                        "wrong_type",
                        f"'{column.name}' is {column.type} and cannot become {target}.",
                        "",
                        BECOMES[column.type],
                    )
                wanted[column.physical] = (name, target)
    return wanted


def _as_text(wanted: dict[str, tuple[str, ColumnType]], frame: Frame, scope: "Scope") -> Frame:
    """The frame with the text that is to be read made ready, in a query of its own."""
    outputs: list[Output] = []
    for column, cells in frame.outputs():
        target = wanted.get(column.physical, ("", column.type))[1]
        if column.type in _WRITTEN and target not in {"text", column.type}:
            text_column = column.model_copy(update={"type": "text"})
            outputs.append((text_column, prepared(cells, column.type)))
        else:
            outputs.append((column, cells))
    return scope.settle(frame.select(outputs))


def _requirement(unfit: Frame, column: Column, field: str, noun: str) -> Requirement:
    rows = fresh("rows", "integer", [column])
    table = unfit.table
    counted = table.group_by(unfit.value(column)).aggregate(table.count().name(rows.physical))
    most = OrderKey(rows, descending=True, nulls_first=False)

    say = CastMessage(column.name, noun)
    return Requirement(Frame(counted, (column, rows), (most,)), "cast_failed", say, field)


def _noun(target: ColumnType, format: str | None) -> str:
    if target in TIMES and format is not None:
        return f"{target} like {format}"
    return _NOUNS[target]
