"""What each window function gives, over which rows, in which order."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import ibis

from recipe import semantics
from recipe.aggregates import RETURNS, edge_order
from recipe.dialect import aggregate, scalar
from recipe.errors import gathering
from recipe.frame import Frame, OrderKey, order_keys, sort_keys
from recipe.items import sort_item
from recipe.semantics import literal, number
from recipe.steps.window import TAKES
from recipe.tables import Column, ColumnType

if TYPE_CHECKING:
    from collections.abc import Sequence

    import ibis.expr.types as ir

    from recipe.steps.window import Window

Result = tuple[ColumnType, "ir.Value"]


@dataclass(frozen=True)
class _Rows:
    """The groups of the rows and the order within them."""

    frame: Frame
    by: "list[ir.Column]"
    keys: tuple[OrderKey, ...]

    def one_by_one(self) -> "list[ir.Value]":
        """An order in which no two different rows tie."""
        return self.frame.sorted_by(self.keys).total_order()

    def named(self) -> "list[ir.Value]":
        """The order as it was asked for; rows may tie."""
        return [
            part
            for key in self.keys
            for part in sort_keys(self.frame.value(key.column), key.column.type, key)
        ]


def windowed(step: "Window", frame: Frame) -> Result:
    """The new column's type and cells.

    Raises:
        Misfit: a column is unknown, or of a type that the function or an order does not take.
    """
    column: Column | None = None
    by: list[ir.Column] = []
    keys: tuple[OrderKey, ...] = ()
    with gathering() as parts:
        if step.column is not None and TAKES[step.function]:
            with parts.at("column"):
                column = frame.column(step.column, TAKES[step.function], f"'{step.function}'")
        for index, name in enumerate(step.by):
            with parts.at("by", index):
                by.append(frame.value(frame.column(name)))
        with parts.at("order_by"):
            keys = order_keys(frame, [sort_item(item) for item in step.order_by or ()])
    rows = _Rows(frame, by, keys)
    if column is None:
        return "integer", _of_rows(step, rows)
    return _of_cells(step, rows, column)


def _of_rows(step: "Window", rows: _Rows) -> "ir.Value":
    match step.function:
        case "row_number":
            return _from_one(ibis.row_number(), rows, rows.one_by_one())
        case "rank":
            return _from_one(ibis.rank(), rows, rows.named())
        case "dense_rank":
            return _from_one(ibis.dense_rank(), rows, rows.named())
        case "ntile":
            return _from_one(ibis.ntile(step.buckets or 1), rows, rows.one_by_one())
        case "running_count":
            return rows.frame.table.count().over(_so_far(rows))
        case _:
            return rows.frame.table.count().over(_group_or_peers(rows))


def _of_cells(step: "Window", rows: _Rows, column: Column) -> Result:
    cells = rows.frame.value(column)
    numbers = cast("ir.NumericColumn", cells)
    match step.function:
        case "running_sum":
            return column.type, numbers.sum().over(_so_far(rows))
        case "running_count":
            return "integer", cells.count().over(_so_far(rows))
        case "running_avg":
            return "decimal", numbers.mean().over(_so_far(rows))
        case "moving_avg":
            back = _window(rows, rows.one_by_one(), preceding=(step.rows or 1) - 1, following=0)
            return "decimal", numbers.mean().over(back)
        case "lag" | "lead":
            moved = cells.lag if step.function == "lag" else cells.lead
            return column.type, moved(step.offset).over(_window(rows, rows.one_by_one()))
        case "first" | "last":
            # The last cell is the first one backwards: Ibis ignores what its own `last` is told
            # about nulls.
            order = edge_order(rows.frame, rows.keys, last=step.function == "last")
            return column.type, cells.first(include_null=True).over(_window(rows, order))
        case "percent_of_total":
            total = semantics.as_number(numbers.sum().over(_window(rows, ())))
            # A division of anything but a plain number would be one of floating point.
            hundredfold = semantics.as_number(semantics.as_number(cells) * number(literal(100)))
            return "decimal", hundredfold / total.nullif(literal(0))
        case "sum":
            return column.type, numbers.sum().over(_group_or_peers(rows))
        case "avg":
            return "decimal", numbers.mean().over(_group_or_peers(rows))
        case "count":
            return "integer", cells.count().over(_group_or_peers(rows))
        case _:
            return column.type, _extreme(step.function, cells, column, _group_or_peers(rows))


def _extreme(function: str, cells: "ir.Column", column: Column, over: object) -> "ir.Value":
    if column.type != "text":
        found = cells.min() if function == "min" else cells.max()
        return found.over(over)
    key = scalar("rx_text_key", "unknown", cells)
    extreme = cast("ir.Column", aggregate(function, "unknown", key, where=None))
    return scalar("rx_key_text", RETURNS["text"], extreme.over(over))


def _from_one(numbered: "ir.IntegerColumn", rows: _Rows, order: "Sequence[ir.Value]") -> "ir.Value":
    """Ibis counts from 0, people from 1."""
    return cast("ir.IntegerColumn", numbered.over(_window(rows, order))) + 1


def _so_far(rows: _Rows) -> object:
    """The rows up to this one, also among rows that tie."""
    return _window(rows, rows.one_by_one(), following=0)


def _group_or_peers(rows: _Rows) -> object:
    """The whole group; with an order, the rows up to this one and those that tie with it."""
    if not rows.keys:
        return _window(rows, ())
    return ibis.range_window(group_by=rows.by, order_by=rows.named(), preceding=None, following=0)


def _window(
    rows: _Rows,
    order: "Sequence[ir.Value]",
    *,
    preceding: int | None = None,
    following: int | None = None,
) -> object:
    return ibis.window(
        group_by=rows.by, order_by=list(order), preceding=preceding, following=following
    )
