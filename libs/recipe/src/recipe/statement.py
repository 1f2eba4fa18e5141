"""The statements made of a compiled recipe: all rows, one page, their number, a text to read."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import sqlglot
from sqlglot import exp

from recipe.checks import SHOWN
from recipe.errors import unknown
from recipe.items import SortItem
from recipe.places import PLACE, placed
from recipe.tables import Column

if TYPE_CHECKING:
    from recipe.compile import Compiled


def whole(compiled: "Compiled") -> str:
    """Every row, in the recipe's own order where it has one."""
    return rendered(tree(compiled))


def tree(compiled: "Compiled") -> exp.Select:
    """The same, as a syntax tree."""
    return _select(compiled, _own_order(compiled))


def page(
    compiled: "Compiled",
    sort: Sequence[SortItem],
    limit: int | None = None,
    offset: int | None = None,
    *,
    stored: bool = False,
) -> str:
    """One page of the rows: the reader's sort first, then the recipe's, then every column.

    The order is total (rows that tie are equal), so pages never overlap. Without `limit` and
    `offset` they are the parameters $1 and $2.

    `stored` is for a recipe that shows a table as it is. Then the place in the table breaks ties,
    and without a sort there is no ORDER BY: rows come as a scan finds them, which is an order for a
    session that scans from the beginning (`synchronize_seqscans` off) and alone
    (`max_parallel_workers_per_gather` 0), as a version never changes.

    Raises:
        Misfit: `unknown_column` for a column to sort by that is not among the recipe's.
    """
    keys: list[exp.Expr] = []
    for item in sort:
        column = _named(compiled, item.column)
        keys += _keys(compiled, column, item.descending, item.nulls == "first")
    placed_fragments = placed(compiled.fragments) if stored else None
    if placed_fragments is None:
        keys += _total_order(compiled)
    elif keys:
        compiled = replace(compiled, fragments=placed_fragments)
        place = exp.column(PLACE, table=placed_fragments[-1].name, quoted=True)
        keys.append(exp.Ordered(this=place, desc=False, nulls_first=False))
    query = _select(compiled, keys)
    query.set("limit", exp.Limit(expression=_number(limit, 1)))
    query.set("offset", exp.Offset(expression=_number(offset, 2)))
    return rendered(query)


def offences(compiled: "Compiled") -> str:
    """The first rows that a check finds, each led by how many there are."""
    query = _select(compiled, _total_order(compiled))
    count = exp.Window(this=exp.Count(this=exp.Star()))
    query.set("expressions", [exp.alias_(count, "count", quoted=True), *query.expressions])
    return rendered(query.limit(SHOWN, copy=False))


def _total_order(compiled: "Compiled") -> list[exp.Expr]:
    ties = [_tie_breaker(compiled, column) for column in compiled.source_columns]
    return [*_own_order(compiled), *ties]


def _own_order(compiled: "Compiled") -> list[exp.Expr]:
    return [
        part
        for key in compiled.order
        for part in _keys(compiled, key.column, key.descending, key.nulls_first)
    ]


def count_sql(compiled: "Compiled") -> str:
    """The number of rows."""
    counted = exp.select(exp.alias_(exp.Count(this=exp.Star()), "count", quoted=True))
    return rendered(with_fragments(compiled, counted.from_(last(compiled))))


def readable_sql(compiled: "Compiled") -> str:
    """The statement for people: indented, each step introduced by a comment."""
    tree = sqlglot.parse_one(compiled.sql, dialect="postgres")
    by_name = {fragment.name: fragment for fragment in compiled.fragments}
    for cte in tree.find_all(exp.CTE):
        if (fragment := by_name.get(cte.alias)) is None:
            continue
        title = f"{fragment.index}. {type(fragment.step).label}"
        note = " ".join((fragment.step.note or "").split())
        # A comment cannot end early: its end sign is taken apart.
        text = f"{title}: {note}" if note else title
        first = cte.this
        while isinstance(first, exp.SetOperation):
            first = first.this
        first.add_comments([f" {text.replace('*/', '* /').replace('/*', '/ *')} "])
    return tree.sql(dialect="postgres", pretty=True)


def _number(given: int | None, parameter: int) -> exp.Expr:
    if given is None:
        return exp.Parameter(this=exp.Literal.number(parameter))
    return exp.Literal.number(given)


def _named(compiled: "Compiled", name: str) -> Column:
    pairs = list(zip(compiled.columns, compiled.source_columns, strict=True))
    for seen, inner in pairs:
        if seen.name == name:
            return inner
    for seen, inner in pairs:
        if seen.physical == name:
            return inner
    raise unknown("unknown_column", "column", name, [column.name for column in compiled.columns])


def _keys(
    compiled: "Compiled", column: Column, descending: bool, nulls_first: bool
) -> list[exp.Expr]:
    cells = _cells(compiled, column)
    values: list[exp.Expr] = [cells]
    if column.type == "text":
        values = [_by_code_point(exp.Lower(this=cells.copy())), _by_code_point(cells)]
    elif column.type == "json":
        values = [_by_code_point(exp.cast(cells, "text"))]
    return [exp.Ordered(this=v, desc=descending, nulls_first=nulls_first) for v in values]


def _tie_breaker(compiled: "Compiled", column: Column) -> exp.Expr:
    """The order among equals by which `limit` and others choose: pages show what they keep."""
    value: exp.Expr = _cells(compiled, column)
    if column.type in {"text", "json"}:
        value = _by_code_point(value if column.type == "text" else exp.cast(value, "text"))
    return exp.Ordered(this=value, nulls_first=False)


def _cells(compiled: "Compiled", column: Column) -> exp.Column:
    # Qualified: a bare name in ORDER BY would mean the output of that name, if there is one.
    return exp.column(column.physical, table=compiled.fragments[-1].name, quoted=True)


def _by_code_point(text: exp.Expr) -> exp.Expr:
    return exp.Collate(this=text, expression=exp.to_identifier("C", quoted=True))


def _select(compiled: "Compiled", order: Sequence[exp.Expr]) -> exp.Select:
    outputs = [
        exp.column(inner.physical, quoted=True).as_(seen.physical, quoted=True)
        if inner.physical != seen.physical
        else exp.column(inner.physical, quoted=True)
        for seen, inner in zip(compiled.columns, compiled.source_columns, strict=True)
    ]
    query = with_fragments(compiled, exp.select(*outputs).from_(last(compiled)))
    return query.order_by(*order, copy=False) if order else query


def with_fragments(compiled: "Compiled", query: exp.Select) -> exp.Select:
    """The query behind the recipe's steps, each of which it can select from."""
    for part in compiled.fragments:
        query = query.with_(
            exp.to_identifier(part.name, quoted=True),
            as_=part.query,
            materialized=part.materialized or None,
            copy=False,
        )
    return query


def last(compiled: "Compiled") -> exp.Table:
    """The result of the last step, to select from."""
    return exp.to_table(f'"{compiled.fragments[-1].name}"', dialect="postgres")


def rendered(query: exp.Query) -> str:
    """A query as text for PostgreSQL."""
    return query.sql(dialect="postgres", pretty=True)
