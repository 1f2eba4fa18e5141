"""What an assert looks for: the offending values, how often each occurs, and words for them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import ibis

from recipe import semantics
from recipe.checks import Requirement, Saying
from recipe.comparisons import Reading, with_value
from recipe.errors import Misfit, gathering, within
from recipe.frame import Frame, OrderKey, fresh
from recipe.joining import same_key
from recipe.messages import RowCountMessage, ValuesMessage
from recipe.reading import read_table
from recipe.semantics import literal, truth
from recipe.steps.assert_ import TAKES
from recipe.tables import Column
from recipe.values import read_value

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from recipe.scope import Scope
    from recipe.steps.assert_ import Assert


def requirement(step: "Assert", frame: Frame, scope: "Scope") -> Requirement:
    """What the step asks of the rows.

    Raises:
        Misfit: a column or table is unknown, or a column or value is of a type that does not fit.
    """
    if step.check == "row_count":
        return _row_count(step, frame)
    columns: list[Column] = []
    with gathering() as parts:
        for index, name in enumerate(step.columns or ()):
            with parts.at("columns", index):
                columns.append(frame.column(name, TAKES[step.check], f"'{step.check}'"))
    if step.check == "unique":
        offences = _repeated(frame, columns)
    elif step.check == "references":
        offences = _by_value(_orphans(step, frame, columns, scope), columns)
    else:
        bad = semantics.any_of([_offends(step, frame, column, scope) for column in columns])
        offences = _by_value(frame.filter(bad), columns)
    there = scope.table(step.table).display_name if step.table is not None else ""
    field = "columns" if len(columns) > 1 else "columns.0"
    say = _saying(step, columns, there)
    return Requirement(offences, "assert_failed", say, field, step.severity)


def _offends(step: "Assert", frame: Frame, column: Column, scope: "Scope") -> "ir.BooleanValue":
    """Whether a row's cell offends; a blank one does only where cells must not be blank."""
    cells = frame.value(column)
    blank = semantics.is_blank(cells, column.type)
    if step.check == "not_blank":
        return blank
    fits = _fits(step, cells, column, scope)
    return truth(semantics.holds_not(blank) & semantics.holds_not(fits))


def _fits(step: "Assert", cells: "ir.Column", column: Column, scope: "Scope") -> "ir.BooleanValue":
    zone = scope.context.zone
    match step.check:
        case "in":
            values = list(step.values or ())
            with gathering() as parts:
                for index, value in enumerate(values):
                    with parts.at("values", index), _at(""):
                        read_value(value, column.type, zone)
            return with_value(Reading("in", column.type, None, scope.context), cells, values)
        case "between":
            with gathering() as parts:
                for field, bound in (("min", step.min), ("max", step.max)):
                    with parts.at(field), _at(""):
                        read_value(bound, column.type, zone)
            between = Reading("between", column.type, None, scope.context)
            with _at("max"):
                return with_value(between, cells, [step.min, step.max])
        case _:
            with _at("regex"):
                matching = Reading("matches", column.type, None, scope.context)
                return with_value(matching, cells, step.regex)


@contextmanager
def _at(field: str) -> Iterator[None]:
    """What goes wrong inside with a comparison's value is this field's fault."""
    try:
        yield
    except Misfit as wrong:
        raise Misfit(*(replace(finding, field=field) for finding in wrong.findings)) from None


def _repeated(frame: Frame, columns: Sequence[Column]) -> Frame:
    """The values that stand in several rows; without any value nothing is repeated."""
    blank = [semantics.is_blank(frame.value(column), column.type) for column in columns]
    filled = frame.filter(semantics.holds_not(semantics.all_of(blank)))
    return _by_value(filled, columns, at_least=2)


def _orphans(step: "Assert", frame: Frame, columns: Sequence[Column], scope: "Scope") -> Frame:
    """The rows whose values stand in no row of the other table."""
    with within("table"):
        other = read_table(scope.table(step.table or ""))
    keys: list[Column] = []
    with gathering() as parts:
        for index, name in enumerate(step.table_columns or ()):
            with parts.at("table_columns", index):
                keys.append(other.column(name))
    blank = [semantics.is_blank(frame.value(column), column.type) for column in columns]
    filled = frame.filter(semantics.holds_not(semantics.any_of(blank)))
    pairs = [
        same_key(filled.value(column), column, other.value(key), key)
        for column, key in zip(columns, keys, strict=True)
    ]
    return replace(filled, table=filled.table.anti_join(other.table, pairs))


def _by_value(frame: Frame, columns: Sequence[Column], at_least: int = 1) -> Frame:
    """The different values of rows, the most frequent first: how often each, and all together."""
    different = list(dict.fromkeys(columns))
    times = fresh("times", "integer", different)
    total = fresh("rows", "integer", [*different, times])
    cells = [frame.value(column) for column in different]
    groups = frame.table.group_by(cells).aggregate(frame.table.count().name(times.physical))
    if at_least > 1:
        groups = groups.filter(truth(groups[times.physical] >= literal(at_least)))
    counted = cast("ir.IntegerColumn", groups[times.physical]).sum().over(ibis.window())
    table = groups.mutate(counted.name(total.physical))
    return Frame(table, (*different, times, total), (OrderKey(times, True, False),))


def _row_count(step: "Assert", frame: Frame) -> Requirement:
    least, most = step.row_bounds()
    column = Column(name="rows", physical="rows", type="integer")
    counted = frame.table.aggregate(frame.table.count().name(column.physical))
    rows = cast("ir.IntegerColumn", counted[column.physical])
    outside: list[ir.BooleanValue] = []
    if least is not None:
        outside.append(truth(rows < literal(least)))
    if most is not None:
        outside.append(truth(rows > literal(most)))

    say = RowCountMessage(least, most)
    offences = Frame(counted.filter(semantics.any_of(outside)), (column,))
    return Requirement(offences, "assert_failed", say, "check", step.severity)


def _saying(step: "Assert", columns: Sequence[Column], there: str) -> Saying:
    """The message, from the rows of `_by_value`."""
    names = " and ".join(dict.fromkeys(f"'{column.name}'" for column in columns))
    wrong = {
        "not_blank": f"a blank in {names}",
        "unique": f"the same {names} as another row",
        "in": f"a value in {names} that is not one of those allowed",
        "between": f"a value in {names} that is not between {step.min} and {step.max}",
        "matches": f"a value in {names} that does not match the pattern",
        "references": f"a value in {names} that is not in '{there}'",
    }[step.check]
    # The only value that is blank says nothing.
    listing = step.check != "not_blank" or len(columns) > 1
    return ValuesMessage(wrong, listing)
