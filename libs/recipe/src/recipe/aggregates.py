"""What each aggregate function takes, gives and ignores."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import ibis

from recipe import semantics
from recipe.conditions import condition
from recipe.dialect import ReturnType, aggregate, scalar
from recipe.errors import gathering, within
from recipe.frame import Frame, OrderKey, order_keys, sort_keys
from recipe.items import sort_item
from recipe.semantics import number, truth
from recipe.steps.group import TAKES
from recipe.tables import Column, ColumnType

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from recipe.context import Context
    from recipe.steps.group import Aggregate

RETURNS: dict[ColumnType, ReturnType] = {
    "text": "string",
    "integer": "decimal",
    "decimal": "decimal",
    "date": "date",
    "timestamp": "timestamp",
    "boolean": "boolean",
    "json": "unknown",
}

Result = tuple[ColumnType, "ir.Value"]


def aggregated(
    asked: "Aggregate", frame: Frame, context: "Context", only: "ir.BooleanValue | None" = None
) -> Result:
    """The aggregate over one group, or over those of its rows that `only` says, with its type.

    Raises:
        Misfit: the column is unknown or of a type that the function does not take.
    """
    where: ir.BooleanValue | None = None
    column: Column | None = None
    with gathering() as parts:
        if asked.column is not None and asked.function != "count_rows":
            with parts.at("column"):
                types = TAKES[asked.function]
                column = frame.column(asked.column, types, f"'{asked.function}'")
        if asked.where is not None:
            with parts.at("where"):
                where = condition(asked.where, frame, context)
    if only is not None:
        where = _both(where, only)
    if column is None:
        return "integer", frame.table.count(where=where)
    cells = frame.value(column)
    match asked.function:
        case "count":
            return "integer", cells.count(where=where)
        case "count_distinct":
            return "integer", cells.nunique(where=where)
        case "count_blank":
            blank = semantics.is_blank(cells, column.type)
            return "integer", frame.table.count(where=_both(where, blank))
        case "min" | "max" | "mode":
            return column.type, _extreme(asked.function, cells, column, where)
        case "first" | "last":
            return column.type, _edge(asked, frame, column, where)
        case "concat" | "concat_distinct":
            return "text", _concat(asked, frame, column, where)
        case "any":
            return "boolean", cast("ir.BooleanColumn", cells).any(where=where)
        case "all":
            return "boolean", cast("ir.BooleanColumn", cells).all(where=where)
        case _:
            return _numeric(asked, cells, column, where)


def _numeric(
    asked: "Aggregate", cells: "ir.Column", column: Column, where: "ir.BooleanValue | None"
) -> Result:
    numbers = cast("ir.NumericColumn", cells)
    match asked.function:
        case "sum":
            # PostgreSQL adds up bigint as numeric: nothing wraps, nothing overflows.
            return column.type, numbers.sum(where=where)
        case "avg" | "average":
            return "decimal", numbers.mean(where=where)
        case "stddev":
            return "decimal", numbers.std(how="sample", where=where)
        case "variance":
            return "decimal", numbers.var(how="sample", where=where)
        case "percent_true":
            share = ibis.cases((truth(cells == True), 100), (truth(cells == False), 0))  # noqa: E712
            return "decimal", number(share).mean(where=where)  # pyright: ignore[reportAttributeAccessIssue]
        case _:
            share = asked.p if asked.function == "percentile" and asked.p is not None else 0.5
            # PostgreSQL interpolates in double precision.
            between = numbers.quantile(share, where=where)
            return "decimal", semantics.as_number(between)


def _extreme(
    function: str, cells: "ir.Column", column: Column, where: "ir.BooleanValue | None"
) -> "ir.Value":
    if column.type == "text":
        return aggregate(f"rx_text_{function}", "string", cells, where=where)
    if function == "mode":
        return aggregate("rx_mode", RETURNS[column.type], cells, where=where)
    return cells.min(where=where) if function == "min" else cells.max(where=where)


def _edge(
    asked: "Aggregate", frame: Frame, column: Column, where: "ir.BooleanValue | None"
) -> "ir.Value":
    """The cell of the first or last row, null or not; a null in the order never comes first."""
    order = edge_order(frame, _order_of(asked, frame), last=asked.function == "last")
    cells = frame.value(column).collect(where=where, order_by=order, include_null=True)
    return scalar("rx_item", RETURNS[column.type], cells)


def first_of_value(
    asked: "Aggregate", frame: Frame, by: "list[ir.Value]", context: "Context"
) -> "ir.BooleanValue":
    """Whether a row is the first of its group, in the aggregate's order, to hold its value."""
    column = frame.column(asked.column or "")
    groups = [*by, semantics.as_text(frame.value(column), column.type)]
    if asked.where is not None:
        groups.append(semantics.known(condition(asked.where, frame, context)))
    order = frame.sorted_by(_order_of(asked, frame)).total_order()
    place = cast("ir.Column", ibis.row_number()).over(group_by=groups, order_by=order)
    return truth(place == semantics.literal(0))


def _order_of(asked: "Aggregate", frame: Frame) -> tuple[OrderKey, ...]:
    with within("order_by"):
        return order_keys(frame, [sort_item(item) for item in asked.order_by or ()])


def edge_order(frame: Frame, keys: Sequence[OrderKey], *, last: bool) -> "list[ir.Value]":
    """The order in which the row asked for comes first: never one whose key is null.

    Rows that tie come in the rows' own order, so that all first cells are of one row.
    """
    filled_first = [replace(key, nulls_first=last) for key in keys or frame.order]
    return frame.sorted_by(filled_first).total_order(backwards=last)


def _concat(
    asked: "Aggregate", frame: Frame, column: Column, where: "ir.BooleanValue | None"
) -> "ir.Value":
    """The cells that are not blank, joined; null if there is none."""
    cells = frame.value(column)
    text = semantics.as_text(cells, column.type)
    filled = _both(where, truth(~semantics.is_blank(cells, column.type)))
    keys = _order_of(asked, frame)
    if asked.function == "concat_distinct" and not keys:
        return _distinct_concat(asked.separator, cells, column, filled)
    order: list[ir.Value] = []
    for key in (*keys, OrderKey(column, False, False)):
        order += sort_keys(frame.table[key.column.physical], key.column.type, key)
    joined = cast("ir.StringColumn", text)
    return joined.group_concat(sep=asked.separator, where=filled, order_by=order)


def _distinct_concat(
    separator: str, cells: "ir.Column", column: Column, where: "ir.BooleanValue"
) -> "ir.Value":
    if column.type in {"text", "boolean"}:
        text = semantics.as_text(cells, column.type)
        return aggregate("rx_text_set", "string", text, ibis.literal(separator), where=where)
    plain = scalar("trim_scale", "decimal", cells) if column.type == "decimal" else cells
    return aggregate("rx_value_set", "string", plain, ibis.literal(separator), where=where)


def _both(one: "ir.BooleanValue | None", other: "ir.BooleanValue") -> "ir.BooleanValue":
    return other if one is None else truth(one & other)
