"""Numbers as the names of ranges: closed on the left, the last one on both sides."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING

import ibis

from recipe import semantics
from recipe.calculation import arithmetic
from recipe.dialect import scalar
from recipe.semantics import number, text, truth
from recipe.values import read_number

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from recipe.steps.bin import Bin


def binned(step: "Bin", cells: "ir.Column") -> "ir.Value":
    """The label of each cell's range; null outside."""
    if step.edges is not None:
        edges = [_exact(edge) for edge in step.edges]
        labels = step.labels or [
            f"{_plain(low)} to {_plain(high)}" for low, high in pairwise(edges)
        ]
        return _between(cells, edges, labels)
    if step.width is not None:
        return _wide(cells, _exact(step.width))
    count = step.quantiles or 1
    return _quantile(cells, step.labels or [f"Q{place}" for place in range(1, count + 1)])


def _between(
    cells: "ir.Column", edges: "Sequence[int | Decimal]", labels: Sequence[str]
) -> "ir.Value":
    """By upper edges, from the lowest: what is not below one is looked at by the next."""
    last = len(labels) - 1
    branches: list[tuple[ir.Value, ir.Value]] = [
        (truth(cells < semantics.literal(edges[0])), ibis.null())
    ]
    for place, label in enumerate(labels):
        edge = semantics.literal(edges[place + 1])
        inside = cells <= edge if place == last else cells < edge
        branches.append((truth(inside), ibis.literal(label)))
    return ibis.cases(*branches)


def _wide(cells: "ir.Column", width: "int | Decimal") -> "ir.Value":
    # Not by division, which PostgreSQL rounds.
    rest = arithmetic("%", cells, semantics.literal(width))
    low = semantics.as_number(cells) - number(rest)
    label = semantics.as_text(low, "decimal") + text(ibis.literal(" to "))
    return label + semantics.as_text(low + number(semantics.literal(width)), "decimal")


def _quantile(cells: "ir.Column", labels: Sequence[str]) -> "ir.Value":
    """By how many of the other numbers are not greater: equal numbers share a range.

    That is the range between the percentiles at 0, 1/n, … 1 that holds the number.
    """
    others = number(cells.count().over(ibis.window())) - 1
    greater = number(ibis.rank().over(ibis.window(order_by=cells.desc(nulls_first=False))))
    # `div` cuts the fraction off.
    place = scalar(
        *("div", "decimal", (others - greater) * len(labels), others.nullif(ibis.literal(0)))
    )
    branches = [(ibis.literal(n), ibis.literal(label)) for n, label in enumerate(labels[:-1])]
    label = place.cases(*branches, else_=ibis.literal(labels[-1]))
    return cells.isnull().ifelse(ibis.null(), label)


def _exact(value: float) -> int | Decimal:
    found = read_number(value)
    assert found is not None
    return found


def _plain(value: int | Decimal) -> str:
    if isinstance(value, Decimal) and value == value.to_integral_value():
        value = int(value)
    return format(value, "f") if isinstance(value, Decimal) else str(value)
