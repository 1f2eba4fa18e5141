"""Where the columns of a recipe come from: read off the statement that it compiles to."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp
from sqlglot.lineage import Node, lineage

from recipe.tables import Table

if TYPE_CHECKING:
    from recipe.compile import Compiled

_Relation = tuple[str, str]
"""Schema and name."""


@dataclass(frozen=True)
class Origin:
    """A column of a table; None stands for the table's rows, which a count is made of."""

    table_id: str
    column: str | None
    """Display name."""


def trace(compiled: "Compiled", tables: Iterable[Table]) -> dict[str, tuple[Origin, ...]]:
    """For every column of the recipe, by display name, the columns of the tables it reads.

    `tables` are those it was compiled on. A constant comes from nowhere; what counts or numbers
    rows without looking at a column comes from the rows of all tables below it.
    """
    from recipe.statement import tree

    found = origins(tree(compiled), tables)
    return {column.name: found[column.physical] for column in compiled.columns}


def origins(query: exp.Query, tables: Iterable[Table]) -> dict[str, tuple[Origin, ...]]:
    """The same for any query of PostgreSQL, by the names of its outputs."""
    places: dict[_Relation, Table] = {(t.schema_name, t.relation): t for t in tables}
    schema: dict[str, dict[str, dict[str, str]]] = {}
    for (schema_name, relation), table in places.items():
        # Only the names matter: they are what a star stands for.
        held = {column.physical: "text" for column in table.columns}
        schema.setdefault(schema_name, {})[relation] = held
    traced = lineage(None, query, schema=schema, dialect="postgres", trim_selects=False)
    assert isinstance(traced, dict)
    names = {
        (place, column.physical): column.name
        for place, table in places.items()
        for column in table.columns
    }
    return {name: _sorted(_ends(node, places, names)) for name, node in traced.items()}


def _ends(
    root: Node, places: Mapping[_Relation, Table], names: Mapping[tuple[_Relation, str], str]
) -> Iterator[Origin]:
    for node in root.walk():
        if isinstance(node.expression, exp.Table):
            place = (node.expression.db, node.expression.name)
            physical = exp.to_column(node.name, dialect="postgres").name
            if place in places:
                column = names.get((place, physical), physical)
                yield Origin(places[place].table_id, column)
        elif not node.downstream and _looks_at_rows(node.expression):
            for place in _below(node.source):
                if place in places:
                    yield Origin(places[place].table_id, None)


def _looks_at_rows(expression: exp.Expr) -> bool:
    return expression.find(exp.AggFunc, exp.Window) is not None


def _below(query: exp.Expr) -> set[_Relation]:
    """The stored tables that a part of a statement reads, through its common table expressions."""
    own = {cte.alias: cte.this for cte in query.root().find_all(exp.CTE)}
    waiting, seen, found = [query], set[str](), set[_Relation]()
    while waiting:
        for table in waiting.pop().find_all(exp.Table):
            if table.db:
                found.add((table.db, table.name))
            elif table.name in own and table.name not in seen:
                seen.add(table.name)
                waiting.append(own[table.name])
    return found


def _sorted(found: Iterable[Origin]) -> tuple[Origin, ...]:
    return tuple(sorted(set(found), key=lambda one: (one.table_id, one.column or "")))
