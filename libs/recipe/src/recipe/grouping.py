"""Groups of rows: their keys and what is kept of each."""

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from recipe import semantics
from recipe.aggregates import aggregated, first_of_value
from recipe.conditions import condition
from recipe.errors import gathering, misfit, within
from recipe.frame import Frame, Output, fresh
from recipe.items import TIME_PARTS, DateGroup
from recipe.naming import physical_name
from recipe.semantics import truth
from recipe.tables import TIMES, Column, ColumnType

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from recipe.context import Context
    from recipe.steps.group import Aggregate, Group


def grouped(step: "Group", frame: Frame, context: "Context") -> Frame:
    """One row for each combination of keys."""
    keys, results = _computed(step, frame, context, {})
    if any(_by_first_place(aggregate) for aggregate in step.aggregates):
        frame, marks = _marked(step, frame, keys, context)
        keys, results = _computed(step, frame, context, marks)
    groups = summarised(frame, keys, results)
    if step.having is None:
        return groups
    with within("having"):
        return groups.filter(condition(step.having, groups, context))


def _computed(
    step: "Group", frame: Frame, context: "Context", marks: dict[int, str]
) -> tuple[list[Output], list[Output]]:
    """The keys and the aggregates; `marks` are columns that say which rows an aggregate sees."""
    keys: list[Output] = []
    results: list[Output] = []
    with gathering() as parts:
        for index, key in enumerate(step.by):
            with parts.at("by", index):
                name, kind, value = _key(key, frame)
                keys.append((column_beside(name, kind, keys), value))
        for index, aggregate in enumerate(step.aggregates):
            with parts.at("aggregates", index):
                only = truth(frame.table[marks[index]]) if index in marks else None
                kind, value = aggregated(aggregate, frame, context, only)
                with within("alias"):
                    results.append((column_beside(aggregate.name(), kind, keys + results), value))
    return keys, results


def _by_first_place(aggregate: "Aggregate") -> bool:
    return aggregate.function == "concat_distinct" and bool(aggregate.order_by)


def _marked(
    step: "Group", frame: Frame, keys: list[Output], context: "Context"
) -> tuple[Frame, dict[int, str]]:
    """The rows, each marked where it is the first of its group to hold a value.

    PostgreSQL orders the different values of an aggregate by nothing but themselves.
    """
    marks: dict[int, str] = {}
    values: list[ir.Value] = []
    for index, aggregate in enumerate(step.aggregates):
        if _by_first_place(aggregate):
            taken = {*frame.table.columns, *marks.values()}
            marks[index] = physical_name(f"first {index}", 1, taken)
            first = first_of_value(aggregate, frame, [value for _, value in keys], context)
            values.append(first.name(marks[index]))
    return replace(frame, table=frame.table.mutate(*values)), marks


def summarised(frame: Frame, keys: list[Output], results: list[Output]) -> Frame:
    """One row for each combination of keys, in no order; without keys one row in all."""
    values = [cast("ir.Scalar", value.name(column.physical)) for column, value in results]
    by = [value.name(column.physical) for column, value in keys]
    columns = tuple(column for column, _ in keys + results)
    if not by:
        # Ibis refuses to group by nothing.
        return Frame(frame.table.aggregate(values), columns)
    grouped = frame.table.group_by(by)
    return Frame(grouped.aggregate(values) if values else grouped.agg(), columns)


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


def column_beside(name: str, type: ColumnType, before: list[Output]) -> Column:
    """A new column of a result that has those before it; raises `duplicate_column`."""
    taken = [column for column, _ in before]
    if any(column.name == name for column in taken):
        raise misfit("duplicate_column", f"There would be two columns named '{name}'.")
    return fresh(name, type, taken)
