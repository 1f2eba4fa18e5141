"""Predicates as expressions: true, or else (false or null) the row does not fit."""

from typing import TYPE_CHECKING, assert_never

import ibis

from recipe import semantics
from recipe.comparisons import Reading, with_column, with_value
from recipe.errors import gathering, misfit, within
from recipe.predicate import (
    ALONE,
    TAKES,
    WITH_COLUMN,
    AllOf,
    AnyOf,
    Comparison,
    Not,
    Operator,
    Predicate,
)

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from recipe.context import Context
    from recipe.frame import Frame
    from recipe.tables import Column


def condition(predicate: Predicate, frame: "Frame", context: "Context") -> "ir.BooleanValue":
    """The predicate on each row; null means that it does not hold.

    Raises:
        Misfit: with every problem of the predicate, at its path.
    """
    match predicate:
        case AllOf():
            return semantics.all_of(_each(predicate.all, "all", frame, context))
        case AnyOf():
            return semantics.any_of(_each(predicate.any, "any", frame, context))
        case Not():
            with within("not"):
                return _denied(predicate.not_, frame, context)
        case Comparison():
            return compare(predicate, frame, context)
        case _:
            assert_never(predicate)


def _denied(predicate: Predicate, frame: "Frame", context: "Context") -> "ir.BooleanValue":
    if isinstance(predicate, Not):
        # Written out, thirty denials of one another are too deep for the parser of `guard`.
        with within("not"):
            return semantics.known(condition(predicate.not_, frame, context))
    return semantics.holds_not(condition(predicate, frame, context))


def _each(
    predicates: tuple[Predicate, ...], field: str, frame: "Frame", context: "Context"
) -> "list[ir.BooleanValue]":
    found: list[ir.BooleanValue] = []
    with gathering() as parts:
        for index, predicate in enumerate(predicates):
            with parts.at(field, index):
                found.append(condition(predicate, frame, context))
    return found


def compare(test: Comparison, frame: "Frame", context: "Context") -> "ir.BooleanValue":
    """One comparison; its column must be of a type that the operator takes."""
    operator: Operator = test.operator
    other: Column | None = None
    column: Column | None = None
    with gathering() as parts:
        with parts.at("column"):
            column = frame.column(test.column, TAKES[operator], f"'{operator}'")
        if test.other_column is not None:
            with parts.at("other_column"):
                if operator not in WITH_COLUMN:
                    raise misfit("bad_value", f"'{operator}' does not compare with a column.")
                other = frame.column(test.other_column)
    assert column is not None
    cells = frame.value(column)
    if operator in ALONE:
        return _alone(operator, cells, column)
    reading = Reading(operator, column.type, test.case_sensitive, context)
    if other is not None:
        return with_column(reading, cells, frame.value(other), other)
    return with_value(reading, cells, test.value)


def _alone(operator: Operator, cells: "ir.Column", column: "Column") -> "ir.BooleanValue":
    match operator:
        case "is_null":
            return cells.isnull()
        case "is_not_null":
            return cells.notnull()
        case "is_blank":
            return semantics.is_blank(cells, column.type)
        case "is_not_blank":
            return semantics.truth(~semantics.is_blank(cells, column.type))
        case "is_true":
            return semantics.truth(cells == ibis.literal(value=True))
        case _:
            return semantics.truth(cells == ibis.literal(value=False))
