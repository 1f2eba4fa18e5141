"""Groups of rows: their keys and what is kept of each."""

from typing import TYPE_CHECKING, cast

from recipe import semantics
from recipe.aggregates import aggregated
from recipe.conditions import condition
from recipe.errors import gathering, misfit, within
from recipe.frame import Frame, Output, fresh
from recipe.items import TIME_PARTS, DateGroup
from recipe.tables import TIMES, Column, ColumnType

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from recipe.context import Context
    from recipe.steps.group import Group


def grouped(step: "Group", frame: Frame, context: "Context") -> Frame:
    """One row for each combination of keys."""
    keys: list[Output] = []
    results: list[Output] = []
    with gathering() as parts:
        for index, key in enumerate(step.by):
            with parts.at("by", index):
                name, kind, value = _key(key, frame)
                keys.append((_new(name, kind, keys), value))
        for index, aggregate in enumerate(step.aggregates):
            with parts.at("aggregates", index):
                kind, value = aggregated(aggregate, frame, context)
                with within("alias"):
                    results.append((_new(aggregate.name(), kind, keys + results), value))
    values = [cast("ir.Scalar", value.name(column.physical)) for column, value in results]
    by = [value.name(column.physical) for column, value in keys]
    # Ibis refuses to group by nothing.
    table = frame.table.group_by(by).aggregate(values) if by else frame.table.aggregate(values)
    groups = Frame(table, tuple(column for column, _ in keys + results))
    if step.having is None:
        return groups
    with within("having"):
        return groups.filter(condition(step.having, groups, context))


def date_value(frame: Frame, name: str, part: str) -> "tuple[Column, ir.Column]":
    """The column whose part is asked for; a date alone has no hours."""
    wants: tuple[ColumnType, ...] = ("timestamp",) if part in TIME_PARTS else tuple(sorted(TIMES))
    column = frame.column(name, wants, f"'{part}'")
    return column, frame.value(column)


def _key(key: str | DateGroup, frame: Frame) -> tuple[str, ColumnType, "ir.Value"]:
    if isinstance(key, str):
        column = frame.column(key)
        return column.name, column.type, frame.value(column)
    with within("column"):
        column, cells = date_value(frame, key.column, key.part)
    return key.alias or f"{column.name}_{key.part}", "integer", semantics.date_part(cells, key.part)


def _new(name: str, type: ColumnType, before: list[Output]) -> Column:
    taken = [column for column, _ in before]
    if any(column.name == name for column in taken):
        raise misfit("duplicate_column", f"There would be two columns named '{name}'.")
    return fresh(name, type, taken)
