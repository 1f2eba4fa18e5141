"""What blank cells are filled with: a value, a neighbour's cell, or what is usual in the column."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import ibis

from recipe import semantics
from recipe.errors import gathering
from recipe.frame import Frame, OrderKey, Output, order_keys, sort_keys
from recipe.items import sort_item
from recipe.naming import physical_name
from recipe.semantics import number, truth
from recipe.tables import COLUMN_TYPES, Column, ColumnType

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from recipe.context import Context
    from recipe.steps.fill import Fill, FillMethod

_NUMBERS: tuple[ColumnType, ...] = ("integer", "decimal")

_TAKES: "dict[FillMethod, tuple[ColumnType, ...]]" = {
    "mean": _NUMBERS,
    "median": _NUMBERS,
    "mode": tuple(kind for kind in COLUMN_TYPES if kind != "json"),
}


Helped = tuple[Frame, "list[ir.Value]"]
"""A frame with columns that nobody sees, and what they help to find for each column."""


def filled(step: "Fill", frame: Frame, context: "Context") -> Frame:
    """The rows with the blank cells of the named columns filled, where there is something to."""
    order: tuple[OrderKey, ...] = ()
    constants: list[ir.Value] = []
    with gathering() as parts:
        types = _TAKES.get(step.method, COLUMN_TYPES)
        named = frame.named(parts, "columns", step.columns, types, f"'{step.method}'")
        columns = list(dict.fromkeys(named))
        by = frame.named(parts, "by", step.by)
        with parts.at("order_by"):
            order = order_keys(frame, [sort_item(item) for item in step.order_by])
        if step.method == "constant":
            for column in columns:
                with parts.at():
                    constants.append(semantics.cell(step.value, column.type, context.zone, "value"))
    found: Sequence[ir.Value]
    match step.method:
        case "constant":
            helped, found = frame, constants
        case "down" | "up":
            ordered = frame.sorted_by(order)
            helped, found = _carried(ordered, columns, by, backwards=step.method == "up")
        case "mean":
            group = ibis.window(group_by=_cells(frame, by))
            means = [number(frame.value(column)).mean() for column in columns]  # pyright: ignore[reportAttributeAccessIssue]
            helped, found = frame, [mean.over(group) for mean in means]
        case "median":
            helped, found = _medians(frame, columns, by)
        case "mode":
            helped, found = _modes(frame, columns, by)
    fillings = dict(zip(columns, found, strict=True))
    outputs = [
        _filled(step.method, output, fillings[output[0]]) if output[0] in fillings else output
        for output in helped.outputs()
    ]
    return replace(helped, order=frame.order).select(outputs)


def _filled(method: "FillMethod", output: Output, found: "ir.Value") -> Output:
    column, cells = output
    decimal = method in {"mean", "median"}
    given = column.model_copy(update={"type": "decimal"}) if decimal else column
    if column.type != "text":
        return given, ibis.coalesce(cells, found)
    return given, ibis.coalesce(semantics.without_blank(cells, "text"), found, cells)


def _carried(
    frame: Frame, columns: Sequence[Column], by: Sequence[Column], *, backwards: bool
) -> Helped:
    """The last cell that is not blank, of the rows up to this one.

    The number of such cells so far is the same for a cell and for the blank ones after it: within
    each number there is one cell to take. (PostgreSQL's window functions cannot ignore nulls.)
    """
    order = ibis.window(order_by=frame.total_order(backwards=backwards))
    frame, clean = _beside(frame, "clean", columns, _clean(frame, columns))
    # The order may be long: it is written once, not for each of the columns.
    frame, place = _beside(frame, "place", columns[:1], [ibis.row_number().over(order)])
    table = frame.table
    so_far = ibis.cumulative_window(group_by=_cells(frame, by), order_by=table[place[0]])
    counts = [table[name].count().over(so_far) for name in clean]
    frame, marks = _beside(frame, "mark", columns, counts)
    found: list[ir.Value] = []
    for name, mark in zip(clean, marks, strict=True):
        cells = frame.table[name]
        stretch = [*_cells(frame, by), frame.table[mark]]
        within = ibis.window(group_by=stretch, order_by=cells.isnull())
        found.append(cells.first(include_null=True).over(within))
    return frame, found


def _medians(frame: Frame, columns: Sequence[Column], by: Sequence[Column]) -> Helped:
    """The middle cell, of two the mean: PostgreSQL's own median is not one of a window's."""
    group = _cells(frame, by)
    places: list[ir.Value] = []
    for column in columns:
        cells = frame.value(column)
        ranks = ibis.window(group_by=group, order_by=cells.asc(nulls_first=False))
        twice = ibis.row_number().over(ranks) * 2
        # The middle of n, counted from 0: twice its place lies between n - 2 and n.
        places.append(twice - cells.count().over(ibis.window(group_by=group)))
    frame, names = _beside(frame, "place", columns, places)
    within = ibis.window(group_by=_cells(frame, by))
    found: list[ir.Value] = []
    for column, name in zip(columns, names, strict=True):
        place = frame.table[name]
        near = truth((place >= semantics.literal(-2)) & (place <= semantics.literal(0)))
        middle = number(near.ifelse(frame.value(column), ibis.null()))
        found.append(middle.mean().over(within))  # pyright: ignore[reportAttributeAccessIssue]
    return frame, found


def _modes(frame: Frame, columns: Sequence[Column], by: Sequence[Column]) -> Helped:
    """The commonest cell, of several the smallest."""
    frame, clean = _beside(frame, "clean", columns, _clean(frame, columns))
    counted: list[ir.Value] = []
    for name in clean:
        cells = frame.table[name]
        counted.append(cells.count().over(ibis.window(group_by=[*_cells(frame, by), cells])))
    frame, counts = _beside(frame, "count", columns, counted)
    found: list[ir.Value] = []
    for column, name, count in zip(columns, clean, counts, strict=True):
        cells = frame.table[name]
        smallest = sort_keys(cells, column.type, OrderKey(column, False, False))
        order = [frame.table[count].desc(nulls_first=False), *smallest]
        within = ibis.window(group_by=_cells(frame, by), order_by=order)
        found.append(cells.first(include_null=True).over(within))
    return frame, found


def _beside(
    frame: Frame, what: str, columns: Sequence[Column], values: "Sequence[ir.Value]"
) -> "tuple[Frame, list[str]]":
    """The frame with a value for each of the columns, and how the table calls those values."""
    taken = set(frame.table.columns)
    names: list[str] = []
    for column in columns:
        names.append(physical_name(f"{what} of {column.physical}", 1, taken))
        taken.add(names[-1])
    named = [value.name(name) for value, name in zip(values, names, strict=True)]
    return replace(frame, table=frame.table.mutate(*named)), names


def _cells(frame: Frame, columns: Sequence[Column]) -> "list[ir.Column]":
    return [frame.value(column) for column in columns]


def _clean(frame: Frame, columns: Sequence[Column]) -> "list[ir.Value]":
    """The cells, null where they are blank."""
    return [semantics.without_blank(frame.value(column), column.type) for column in columns]
