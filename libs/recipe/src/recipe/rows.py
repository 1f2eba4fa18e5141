"""Which rows are kept: the first ones, one of each kind, a sample."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import takewhile
from typing import TYPE_CHECKING, cast

import ibis

from recipe import semantics
from recipe.dialect import scalar
from recipe.frame import Frame, OrderKey, comparable
from recipe.naming import physical_name
from recipe.semantics import as_number, number, truth
from recipe.tables import Column

if TYPE_CHECKING:
    import ibis.expr.types as ir


def first_rows(frame: Frame, count: int, offset: int) -> Frame:
    """At most `count` rows after `offset` others, in the rows' own order made total."""
    order = cast("list[ir.Column]", frame.total_order())
    return replace(frame, table=frame.table.order_by(order).limit(count, offset=offset))


def first_of_groups(frame: Frame, by: Sequence[Column], count: int) -> Frame:
    """At most `count` rows of each combination, in the rows' own order made total."""
    numbered, place = _numbered(frame, by)
    return replace(
        frame,
        table=numbered.filter(truth(number(numbered[place]) < semantics.literal(count))).drop(
            place
        ),
    )


def whole_rows(frame: Frame) -> Frame:
    """Each row once. What the rows were sorted by stays as far as people see those columns."""
    seen = {column.physical for column in frame.columns}
    order = takewhile(lambda key: key.column.physical in seen, frame.order)
    visible = frame.table.select([frame.value(column) for column in frame.columns])
    return replace(frame, table=visible.distinct(), order=tuple(order))


def one_of_each(
    frame: Frame, keys: Sequence[Column], order: Sequence[OrderKey] = (), *, last: bool = False
) -> Frame:
    """The first (or last) row of each combination; rows whose keys are all blank are all kept.

    A null in `order` never wins; ties and rows without an order go by the rows' own one.
    """
    # Backwards, nulls that come first are met last.
    chosen = [replace(key, nulls_first=last) for key in order]
    numbered, place = _numbered(frame.sorted_by(chosen), keys, backwards=last)
    no_key: ir.BooleanValue = semantics.all_of(
        [semantics.is_blank(numbered[column.physical], column.type) for column in keys]
    )
    kept = numbered.filter((numbered[place] == 0) | no_key).drop(place)
    return replace(frame, table=kept)


def sampled(frame: Frame, count: int | None, percent: float | None, seed: int) -> Frame:
    """So many rows, or so many of a hundred (rounded up), drawn by lot; the same lot every time.

    The lot is a hash of the row itself: a row that comes or goes hardly changes the rest of the
    sample. Equal rows draw one lot each, by their number among their equals.
    """
    numbered, place = _numbered(frame, frame.columns)
    cells = [numbered[column.physical] for column in frame.columns]
    row = scalar("row", "unknown", semantics.literal(seed), numbered[place], *cells)
    lot = physical_name("lot", 1, set(numbered.columns))
    drawn = replace(
        frame, table=numbered.mutate(scalar("md5", "string", row.cast("string")).name(lot))
    )
    order = [comparable(drawn.table[lot], "text"), *drawn.total_order()]
    if percent is None:
        kept = drawn.table.order_by(cast("list[ir.Column]", order)).limit(count)
        return replace(frame, table=kept.drop(place, lot))
    drawn_place = physical_name("drawn", 1, set(drawn.table.columns))
    size = physical_name("size", 1, {*drawn.table.columns, drawn_place})
    ranked = drawn.table.mutate(
        ibis.row_number().over(ibis.window(order_by=order)).name(drawn_place),
        drawn.table.count().over(ibis.window()).name(size),
    )
    hundredfold = as_number(ranked[drawn_place]) * as_number(semantics.literal(100))
    share = as_number(ranked[size]) * as_number(semantics.literal(Decimal(str(percent))))
    few = truth(hundredfold < share)
    return replace(frame, table=ranked.filter(few).drop(place, lot, drawn_place, size))


def _numbered(
    frame: Frame, by: Sequence[Column], *, backwards: bool = False
) -> "tuple[ir.Table, str]":
    """The rows with their place in each combination, from 0, and the name of its column."""
    place = physical_name("place", 1, set(frame.table.columns))
    within = ibis.window(
        group_by=[frame.value(column) for column in by],
        order_by=frame.total_order(backwards=backwards),
    )
    return frame.table.mutate(ibis.row_number().over(within).name(place)), place
