"""The statements made of a compiled recipe: all rows, one page, their number, a text to read."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import sqlglot
from sqlglot import exp

from recipe.errors import unknown
from recipe.items import SortItem
from recipe.tables import Column

if TYPE_CHECKING:
    from recipe.compile import Compiled


def whole(compiled: "Compiled") -> str:
    """Every row, in the recipe's own order where it has one."""
    return _sql(_select(compiled, _own_order(compiled)))


def page(compiled: "Compiled", sort: Sequence[SortItem], limit: int, offset: int) -> str:
    """One page of the rows: the reader's sort first, then the recipe's, then every column.

    The order is total (rows that tie are equal), so pages never overlap.

    Raises:
        Misfit: `unknown_column` for a column to sort by that is not among the recipe's.
    """
    keys: list[exp.Expr] = []
    for item in sort:
        column = _named(compiled, item.column)
        keys += _keys(compiled, column, item.descending, item.nulls == "first")
    keys += _own_order(compiled)
    for column in compiled.source_columns:
        keys += _keys(compiled, column, False, False)
    return _sql(_select(compiled, keys).limit(limit, copy=False).offset(offset, copy=False))


def _own_order(compiled: "Compiled") -> list[exp.Expr]:
    return [
        part
        for key in compiled.order
        for part in _keys(compiled, key.column, key.descending, key.nulls_first)
    ]


def count_sql(compiled: "Compiled") -> str:
    """The number of rows."""
    counted = exp.select(exp.alias_(exp.Count(this=exp.Star()), "count", quoted=True))
    return _sql(_with(compiled, counted.from_(_last(compiled))))


def readable_sql(compiled: "Compiled") -> str:
    """The statement for people: indented, each step introduced by a comment."""
    tree = sqlglot.parse_one(compiled.sql, dialect="postgres")
    by_name = {fragment.name: fragment for fragment in compiled.fragments}
    for cte in tree.find_all(exp.CTE):
        if (fragment := by_name.get(cte.alias)) is None:
            continue
        title = f"{fragment.index}. {type(fragment.step).label}"
        note = fragment.step.note
        # A comment cannot end early: its end sign is taken apart.
        text = f"{title}: {note}" if note else title
        cte.this.add_comments([f" {text.replace('*/', '* /').replace('/*', '/ *')} "])
    return tree.sql(dialect="postgres", pretty=True)


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
    # Qualified: a bare name in ORDER BY would mean the output of that name, if there is one.
    cells = exp.column(column.physical, table=compiled.fragments[-1].name, quoted=True)
    values: list[exp.Expr] = [cells]
    if column.type == "text":
        values = [_by_code_point(exp.Lower(this=cells.copy())), _by_code_point(cells)]
    elif column.type == "json":
        values = [_by_code_point(exp.cast(cells, "text"))]
    return [exp.Ordered(this=v, desc=descending, nulls_first=nulls_first) for v in values]


def _by_code_point(text: exp.Expr) -> exp.Expr:
    return exp.Collate(this=text, expression=exp.to_identifier("C", quoted=True))


def _select(compiled: "Compiled", order: Sequence[exp.Expr]) -> exp.Select:
    outputs = [
        exp.column(inner.physical, quoted=True).as_(seen.physical, quoted=True)
        if inner.physical != seen.physical
        else exp.column(inner.physical, quoted=True)
        for seen, inner in zip(compiled.columns, compiled.source_columns, strict=True)
    ]
    query = _with(compiled, exp.select(*outputs).from_(_last(compiled)))
    return query.order_by(*order, copy=False) if order else query


def _with(compiled: "Compiled", query: exp.Select) -> exp.Select:
    for part in compiled.fragments:
        query = query.with_(
            exp.to_identifier(part.name, quoted=True),
            as_=part.query,
            materialized=part.materialized or None,
            copy=False,
        )
    return query


def _last(compiled: "Compiled") -> exp.Table:
    return exp.to_table(f'"{compiled.fragments[-1].name}"', dialect="postgres")


def _sql(query: exp.Query) -> str:
    return query.sql(dialect="postgres", pretty=True)
