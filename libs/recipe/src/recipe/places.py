"""Where a row stands in its stored table, for recipes that show a table as it is.

A version is never changed, so the place of a row in it (`ctid`) is a tie-breaker that costs
nothing; to compare all columns of a million rows takes a third of a second.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from sqlglot import exp

if TYPE_CHECKING:
    from recipe.compile import Fragment

PLACE = "_place"
"""The column that carries the place; no column of a table can have this name."""

_PLAIN = frozenset({"expressions", "from_", "where"})


def placed(fragments: "Sequence[Fragment]") -> "tuple[Fragment, ...] | None":
    """The same queries with the place beside the columns; None where they do more than filter.

    Functions that make several rows of one cannot be told apart here: no step but `source` and
    `filter` is to be looked at.
    """
    result: list[Fragment] = []
    for fragment in fragments:
        query = fragment.query.copy()
        selects = list(_layers(query))
        origin = cast("exp.Expr", selects[-1].args["from_"].this)
        before = result[-1].name if result else None
        if not all(map(_is_plain, selects)) or not _is_origin(origin, before):
            return None
        for select in selects:
            held = select.args["from_"].this
            name = "ctid" if held is origin and before is None else PLACE
            if name == "ctid" or not select.is_star:
                place = exp.column(name, table=held.alias_or_name, quoted=True)
                select.append("expressions", place.as_(PLACE, quoted=True))
        result.append(replace(fragment, query=query))
    return tuple(result)


def _layers(query: exp.Select) -> Iterator[exp.Select]:
    """A query, the one it selects from, and so on."""
    yield query
    origin = query.args["from_"].this
    if isinstance(origin, exp.Subquery) and isinstance(origin.this, exp.Select):
        yield from _layers(origin.this)


def _is_plain(select: exp.Select) -> bool:
    return {key for key, value in select.args.items() if value} <= _PLAIN


def _is_origin(origin: exp.Expr, before: str | None) -> bool:
    """A stored table for the first query, for each other one the query before it."""
    if not isinstance(origin, exp.Table):
        return False
    return bool(origin.db) if before is None else not origin.db and origin.name == before
