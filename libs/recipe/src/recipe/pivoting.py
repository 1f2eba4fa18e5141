"""How the values of one column become columns, and how they are found."""

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from recipe import semantics
from recipe.aggregates import aggregated
from recipe.data_names import MOST_CHARACTERS
from recipe.errors import gathering, misfit
from recipe.frame import Frame, OrderKey, Output, fresh, sort_keys
from recipe.grouping import column_beside, summarised
from recipe.predicate import AnyOf, Comparison, Predicate
from recipe.steps.group import TAKES, Aggregate
from recipe.steps.pivot import BLANK, NAMING
from recipe.tables import Column, ColumnType
from recipe.values import read_value

if TYPE_CHECKING:
    import ibis.expr.types as ir
    from pydantic import JsonValue

    from recipe.context import Context
    from recipe.steps.pivot import Pivot


def pivoted(step: "Pivot", frame: Frame, context: "Context") -> Frame:
    """The index, then one column for each name; the index alone while the names are unknown."""
    keys: list[Output] = []
    with gathering() as parts:
        for index, name in enumerate(step.index):
            with parts.at("index", index):
                column = frame.column(name)
                beside = column_beside(column.name, column.type, keys)
                keys.append((beside, frame.value(column)))
        with parts.at("names_from"):
            naming = frame.column(step.names_from, NAMING, "Naming columns")
        if step.values_from is not None and step.function != "count_rows":
            with parts.at("values_from"):
                frame.column(step.values_from, TAKES[step.function], f"'{step.function}'")
    names = step.known_names()
    if names is None:
        return replace(frame, columns=tuple(column for column, _ in keys), complete=False)
    results: list[Output] = []
    with gathering() as parts:
        for position, name in enumerate(names):
            place = ("names_from",) if step.names is None else ("names", position)
            with parts.at(*place):
                asked, value = _computed(step, name, naming, frame, context)
                results.append((column_beside(asked, value[0], keys + results), value[1]))
    if not keys and not results:
        raise misfit(
            "bad_value", f"No row has a value in '{naming.name}' to make a column of.", "names_from"
        )
    return summarised(frame, keys, results)


def found_names(column: str, frame: Frame, most: int) -> Frame:
    """At most `most` different values of a column as text, ascending, a null for the blank ones."""
    naming = frame.column(column, NAMING)
    value = fresh("value", naming.type, ())
    name = fresh("name", "text", [value])
    cells = semantics.without_blank(frame.value(naming), naming.type)
    once = frame.table.select(cells.name(value.physical)).distinct()
    ascending = OrderKey(value, descending=False, nulls_first=False)
    order = cast("list[ir.Column]", sort_keys(once[value.physical], value.type, ascending))
    first = Frame(once.order_by(order).limit(most), (value,), (ascending,))
    return first.select([(name, semantics.as_text(first.value(value), value.type))])


def _computed(
    step: "Pivot", name: "JsonValue", naming: Column, frame: Frame, context: "Context"
) -> "tuple[str, tuple[ColumnType, ir.Value]]":
    shown = _shown(name, context)
    if len(shown) > MOST_CHARACTERS:
        raise misfit("bad_value", f"A column's name has at most {MOST_CHARACTERS} characters.")
    asked = Aggregate(
        function=step.function,
        column=step.values_from,
        where=_holds(name, shown, naming),
    )
    return shown, aggregated(asked, frame, context)


def _shown(name: "JsonValue", context: "Context") -> str:
    text = read_value(name, "text", context.zone)
    return BLANK if text is None or not str(text).strip() else str(text)


def _holds(name: "JsonValue", shown: str, naming: Column) -> Predicate:
    """A column that holds the text "(blank)" itself shares that name with its blank cells."""
    blank = Comparison(column=naming.name, operator="is_blank")
    value = Comparison(column=naming.name, operator="equals", value=name)
    if shown != BLANK:
        return value
    return AnyOf(any=(blank, value)) if naming.type == "text" and name else blank
