"""Rows that occur more than once."""

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import ibis

from recipe import semantics
from recipe.frame import Frame
from recipe.naming import physical_name
from recipe.tables import Column

if TYPE_CHECKING:
    import ibis.expr.types as ir


def first_rows(frame: Frame, count: int, offset: int) -> Frame:
    """At most `count` rows after `offset` others, in the rows' own order made total."""
    order = cast("list[ir.Column]", frame.total_order())
    return replace(frame, table=frame.table.order_by(order).limit(count, offset=offset))


def whole_rows(frame: Frame) -> Frame:
    """Each row once. What the rows were sorted by stays as far as people see those columns."""
    seen = {column.physical for column in frame.columns}
    order = []
    for key in frame.order:
        if key.column.physical not in seen:
            break
        order.append(key)
    visible = frame.table.select([frame.value(column) for column in frame.columns])
    return replace(frame, table=visible.distinct(), order=tuple(order))


def first_of_each(frame: Frame, keys: list[Column]) -> Frame:
    """The first row of each combination, in the rows' own order; rows without a key are all kept."""
    place = physical_name("place", 1, set(frame.table.columns))
    within = ibis.window(
        group_by=[frame.value(column) for column in keys], order_by=frame.total_order()
    )
    numbered = frame.table.mutate(ibis.row_number().over(within).name(place))
    no_key: ir.BooleanValue = semantics.all_of(
        [semantics.is_blank(numbered[column.physical], column.type) for column in keys]
    )
    kept = numbered.filter((numbered[place] == 0) | no_key).drop(place)
    return replace(frame, table=kept)
