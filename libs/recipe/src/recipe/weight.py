"""Keeps a plan from exploding: PostgreSQL copies an expression into every place that uses it.

Twenty steps of `x = x + x` are a million additions once the steps are folded into one plan. Each
column's weight is how many stored cells its expression reads then; where a query would become too
heavy, the step before it is computed once (`MATERIALIZED`) and its columns weigh one again.
"""

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

if TYPE_CHECKING:
    from recipe.compile import Fragment

LIMIT = 1_000
"""Cells read per row; a thousand are planned in milliseconds."""


def weighed(fragments: "list[Fragment]") -> "list[Fragment]":
    """The same fragments, some of them to be computed once."""
    result: list[Fragment] = []
    weights: Counter[str] = Counter()
    for fragment in fragments:
        named, total = _measure(fragment.query, weights)
        if total > LIMIT and result:
            result[-1] = replace(result[-1], materialized=True)
            named, _ = _measure(fragment.query, Counter())
        weights = named
        result.append(fragment)
    return result


def _measure(query: exp.Expr, before: Counter[str]) -> tuple[Counter[str], int]:
    """Weight of each output column, and of the whole query; a star passes all weights on."""
    weights: Counter[str] = Counter(before)
    stacked = query.find(exp.SetOperation) is not None
    total = 0
    # Innermost first: an outer query of one step reads the inner one's columns.
    for select in reversed(list(query.find_all(exp.Select))):
        inner = Counter(weights)
        for output in select.expressions:
            weight = _reads(output, inner)
            if not isinstance(output, exp.Star):
                # A column of stacked tables weighs what it does in the heaviest of them.
                least = weights[output.alias_or_name] if stacked else 1
                weights[output.alias_or_name] = max(1, least, weight)
            total += weight
        others = (select.args.get(part) for part in ("where", "having", "group", "order"))
        total += sum(_reads(other, inner) for other in others if other is not None)
    return weights, total


def _reads(expression: exp.Expr, weights: Counter[str]) -> int:
    return sum(weights[column.name] or 1 for column in expression.find_all(exp.Column))
