"""How the rows of several tables come to stand in one: columns by name, types that hold all."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING

from recipe import semantics
from recipe.errors import gathering, misfit
from recipe.frame import Frame, OrderKey
from recipe.reading import read_table
from recipe.tables import Column, Table
from recipe.widening import nothing, widened, widest

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from recipe.scope import Scope
    from recipe.steps.union import Union


def stacked(step: "Union", frame: Frame, scope: "Scope") -> Frame:
    """The rows so far and those of the step's tables."""
    others: list[Table] = []
    with gathering() as parts:
        for index, name in enumerate(step.tables_):
            with parts.at("tables", index):
                others.append(scope.table(name))
    frames = [frame, *(read_table(table) for table in others)]
    columns = _columns(step, frames)
    origins = [scope.origin, *(table.display_name for table in others)]
    branches: list[ir.Table] = []
    for part, origin in zip(frames, origins, strict=True):
        cells = [_cell(part, column, step.source_column, origin) for column in columns]
        named = [cell.name(column.physical) for cell, column in zip(cells, columns, strict=True)]
        # Each is a query of its own: of one that occurs twice Ibis makes a WITH inside the step.
        branches.append(scope.settle(Frame(part.table.select(named), tuple(columns))).table)
    table = branches[0].union(*branches[1:], distinct=step.distinct)
    return Frame(table, tuple(columns), _order(frame, columns, step.source_column))


def _columns(step: "Union", frames: Sequence[Frame]) -> list[Column]:
    """Every name once, those of the first table first, each in the type that holds all its cells."""
    first = frames[0]
    named: dict[str, list[Column]] = {}
    for frame in frames:
        for column in frame.columns:
            named.setdefault(column.name, []).append(column)
    source = step.source_column
    if source is not None and source in named and not step.replace:
        raise misfit(
            "duplicate_column",
            f"There is a column '{source}' already; choose another name, or set replace.",
            "source_column",
        )
    if source is not None:
        named.setdefault(source, [])
    columns: list[Column] = []
    for name, same in named.items():
        kind = "text" if name == source else widest(column.type for column in same)
        there = next((column for column in first.columns if column.name == name), None)
        if there is None:
            columns.append(first.new_column(name, kind, columns))
        else:
            columns.append(there.model_copy(update={"type": kind}))
    return columns


def _cell(frame: Frame, column: Column, source: str | None, origin: str) -> "ir.Value":
    if column.name == source:
        return semantics.literal(origin).cast("string")
    there = next((c for c in frame.columns if c.name == column.name), None)
    if there is None:
        return nothing(column.type)
    return widened(frame.value(there), there.type, column.type)


def _order(frame: Frame, columns: Sequence[Column], source: str | None) -> tuple[OrderKey, ...]:
    """The order so far, for all the rows now, up to its first column that nobody sees any more."""
    seen = {column.physical: column for column in columns if column.name != source}
    kept = takewhile(lambda key: key.column.physical in seen, frame.order)
    return tuple(replace(key, column=seen[key.column.physical]) for key in kept)
