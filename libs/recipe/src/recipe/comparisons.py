"""What each operator of a predicate means, on cells of each type."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import TYPE_CHECKING

import ibis

from recipe import semantics
from recipe.errors import misfit
from recipe.lists import has_each
from recipe.periods import period
from recipe.predicate import Operator
from recipe.regex import check_regex, ignoring_case
from recipe.semantics import truth
from recipe.tables import NUMBERS, TIMES, Column, ColumnType
from recipe.values import Day, Value, read_list, read_value

if TYPE_CHECKING:
    from collections.abc import Callable

    import ibis.expr.types as ir

    from recipe.context import Context

_POSITIVE: dict[Operator, Operator] = {
    "not_equals": "equals",
    "not_contains": "contains",
    "not_matches": "matches",
    "not_between": "between",
    "not_in": "in",
}


@dataclass(frozen=True)
class Reading:
    """How a comparison reads its cells and its value."""

    operator: Operator
    type: ColumnType
    case_sensitive: bool | None
    context: "Context"

    def minds_case(self) -> bool:
        """Rule 3: `equals`, `in` and `matches` do unless told otherwise, the rest do not."""
        if self.type != "text":
            return True
        if self.case_sensitive is not None:
            return self.case_sensitive
        return self.operator in {"equals", "in", "matches"}

    def fold(self, text: "ir.Value") -> "ir.StringValue":
        """Text as it is compared."""
        return semantics.text(text) if self.minds_case() else semantics.text(text).lower()


def with_value(reading: Reading, cells: "ir.Column", value: object) -> "ir.BooleanValue":
    """The cells compared with a value."""
    operator = reading.operator
    if operator in _POSITIVE:
        positive = Reading(
            _POSITIVE[operator], reading.type, reading.case_sensitive, reading.context
        )
        return semantics.holds_not(with_value(positive, cells, value))
    zone = reading.context.zone
    match operator:
        case "equals":
            return _equals(reading, cells, read_value(value, reading.type, zone))
        case "in":
            return _in(reading, cells, read_list(value, reading.type, zone))
        case "between":
            return _between(cells, read_list(value, reading.type, zone))
        case "in_last" | "in_next":
            return _within(cells, reading, value)
        case "has" | "has_any" | "has_all":
            return has_each(operator, cells, reading.type, value)
        case "contains" | "starts_with" | "ends_with" | "matches":
            return _text_test(reading, cells, value)
        case _:
            return _ordered(operator, cells, _needed(read_value(value, reading.type, zone)))


def with_column(
    reading: Reading, cells: "ir.Column", other: "ir.Column", column: Column
) -> "ir.BooleanValue":
    """The cells compared with those of another column of the same row."""
    left, right = _alike(reading.type, cells, column, other)
    match reading.operator:
        case "equals":
            return truth(reading.fold(left).identical_to(reading.fold(right)))
        case "not_equals":
            same = Reading("equals", reading.type, reading.case_sensitive, reading.context)
            return truth(~same.fold(left).identical_to(same.fold(right)))
        case "not_contains":
            found = reading.fold(left).contains(reading.fold(right))
            return semantics.holds_not(found)
        case "contains":
            return reading.fold(left).contains(reading.fold(right))
        case "starts_with":
            return reading.fold(left).startswith(reading.fold(right))
        case "ends_with":
            return reading.fold(left).endswith(reading.fold(right))
        case "greater_than":
            return truth(left > right)
        case "less_than":
            return truth(left < right)
        case "greater_or_equal":
            return truth(left >= right)
        case _:
            return truth(left <= right)


def _alike(
    type: ColumnType, cells: "ir.Column", column: Column, other: "ir.Column"
) -> tuple["ir.Value", "ir.Value"]:
    pair = {type, column.type}
    if pair <= NUMBERS or len(pair) == 1:
        return cells, other
    if pair <= TIMES:
        # A date beside a timestamp means the whole day.
        return cells.cast("date"), other.cast("date")
    raise misfit(
        "wrong_type",
        f"'{column.name}' is {column.type} and cannot be compared with {type}; cast it first.",
        "other_column",
    )


def _needed(value: Value) -> str | int | date | datetime | Day:
    if value is None:
        raise misfit("bad_value", "This comparison needs a value; null is none.", "value")
    return value  # pyright: ignore[reportReturnType]


def _equals(reading: Reading, cells: "ir.Column", value: Value) -> "ir.BooleanValue":
    if value is None:
        return cells.isnull()
    if value == "":
        return semantics.is_blank(cells, reading.type)
    if isinstance(value, Day):
        start, end = _day(value)
        return truth((cells >= start) & (cells < end))
    if reading.minds_case():
        return truth(cells == semantics.literal(value))
    return truth(reading.fold(cells) == reading.fold(semantics.literal(value)))


def _in(reading: Reading, cells: "ir.Column", values: list[Value]) -> "ir.BooleanValue":
    plain = [v for v in values if v is not None and v != "" and not isinstance(v, Day)]
    special = [v for v in values if v is None or v == "" or isinstance(v, Day)]
    conditions = [_equals(reading, cells, value) for value in special]
    if plain:
        listed = [semantics.literal(value) for value in plain]
        if not reading.minds_case():
            listed = [reading.fold(value) for value in listed]
            cells = reading.fold(cells)  # pyright: ignore[reportAssignmentType]
        conditions.append(truth(cells.isin(listed)))
    return semantics.any_of(conditions)


def _between(cells: "ir.Column", bounds: list[Value]) -> "ir.BooleanValue":
    if len(bounds) != 2:
        raise misfit("bad_value", "'between' takes two values: the least, the greatest.", "value")
    low, high = (_needed(bound) for bound in bounds)
    if _start(low) > _start(high):  # pyright: ignore[reportOperatorIssue]
        raise misfit("bad_value", "The bounds are reversed: the first is the greater.", "value")
    return truth(_ordered("greater_or_equal", cells, low) & _ordered("less_or_equal", cells, high))


def _ordered(
    operator: Operator, cells: "ir.Column", value: "str | int | date | datetime | Day"
) -> "ir.BooleanValue":
    if isinstance(value, Day):
        start, end = _day(value)
        tests: dict[Operator, ir.Value] = {
            "greater_than": cells >= end,
            "less_than": cells < start,
            "greater_or_equal": cells >= start,
            "less_or_equal": cells < end,
        }
        return truth(tests[operator])
    bound = semantics.literal(value)
    plain: dict[Operator, Callable[[], ir.Value]] = {
        "greater_than": partial(cells.__gt__, bound),
        "less_than": partial(cells.__lt__, bound),
        "greater_or_equal": partial(cells.__ge__, bound),
        "less_or_equal": partial(cells.__le__, bound),
    }
    return truth(plain[operator]())


def _within(cells: "ir.Column", reading: Reading, value: object) -> "ir.BooleanValue":
    start, end = period(reading.operator, value, reading.context.now)
    if reading.type == "date":
        last = end.date() if reading.operator == "in_last" else (end - timedelta(days=1)).date()
        return truth((cells >= ibis.literal(start.date())) & (cells <= ibis.literal(last)))
    if reading.operator == "in_last":
        return truth((cells >= ibis.literal(start)) & (cells <= ibis.literal(end)))
    return truth((cells >= ibis.literal(start)) & (cells < ibis.literal(end)))


def _text_test(reading: Reading, cells: "ir.Column", value: object) -> "ir.BooleanValue":
    part = str(_needed(read_value(value, "text", reading.context.zone)))
    if reading.operator == "matches":
        check_regex(part, "value")
        pattern = part if reading.minds_case() else ignoring_case(part)
        return semantics.text(cells).re_search(pattern)
    needle = reading.fold(semantics.literal(part))
    text = reading.fold(cells)
    if reading.operator == "contains":
        return text.contains(needle)
    return text.startswith(needle) if reading.operator == "starts_with" else text.endswith(needle)


def _start(value: object) -> object:
    return datetime.combine(value.date, time()) if isinstance(value, Day) else value


def _day(day: Day) -> tuple["ir.Value", "ir.Value"]:
    start = datetime.combine(day.date, time())
    try:
        end = start + timedelta(days=1)
    except OverflowError:
        raise misfit("bad_value", "The date lies too far in the future.", "value") from None
    return ibis.literal(start), ibis.literal(end)
