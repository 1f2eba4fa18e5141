"""Functions of dates: parts, whole units between two, units later, as text."""

from typing import TYPE_CHECKING

from recipe.formula.formats import TOKENS, pattern
from recipe.formula.function import DATE, NUMBER, TEXT, Argument, function

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from recipe.formula.call import Call
    from recipe.items import DatePart

_DATE = Argument(name="date", types=DATE)
_UNIT = Argument(
    name="unit", types=TEXT, constant=True, choices=("day", "week", "month", "quarter", "year")
)

_LAST_YEAR = 5_874_897


@function(
    "TODAY",
    group="dates",
    returns="date",
    help="The day of the run, where the organisation is.",
    example="TODAY()",
)
def _today(call: "Call") -> "ir.Value":
    from recipe import semantics

    return semantics.literal(call.context.now.date())


@function(
    "NOW",
    group="dates",
    returns="timestamp",
    help="The moment of the run, on the organisation's clock.",
    example="NOW()",
)
def _now(call: "Call") -> "ir.Value":
    from recipe import semantics

    return semantics.literal(call.context.now)


@function(
    "DATE",
    Argument(name="year", types=NUMBER),
    Argument(name="month", types=NUMBER),
    Argument(name="day", types=NUMBER),
    group="dates",
    returns="date",
    help="The date of a year, a month and a day; empty where there is none.",
    example="DATE([year], [month], 1)",
)
def _date(call: "Call") -> "ir.Value":
    import ibis

    from recipe import semantics
    from recipe.formula.call import between, whole

    call.reused(numeric=[0, 1, 2])
    year, month, day = (call.whole(place) for place in range(3))
    fourth, century, fourth_century = (year % whole(count) == 0 for count in (4, 100, 400))
    leap = semantics.truth(fourth & (~century | fourth_century))
    short = [whole(count) for count in (4, 6, 9, 11)]
    longest = ibis.cases((month.isin(short), 30), (month != 2, 31), (leap, 29), else_=28)
    exists = semantics.all_of(
        [
            between(year, 1, _LAST_YEAR),
            between(month, 1, 12),
            between(day, 1, 31),
            semantics.truth(day <= longest),
        ]
    )
    parts = (part.cast("int32") for part in (year, month, day))
    return exists.ifelse(call.sql("make_date", "date", *parts), ibis.null())


def _part(name: str, part: "DatePart", help: str) -> None:
    def taken(call: "Call") -> "ir.Value":
        from recipe import semantics

        return semantics.date_part(call.value(0), part)

    function(name, _DATE, group="dates", returns="integer", help=help, example=f"{name}([joined])")(
        taken
    )


_part("YEAR", "year", "The year of a date.")
_part("QUARTER", "quarter", "The quarter of a date, 1 to 4.")
_part("MONTH", "month", "The month of a date, 1 to 12.")
_part("DAY", "day", "The day of the month of a date.")
_part("WEEKDAY", "weekday", "The day of the week of a date, from Monday = 1.")
_part("WEEKNUM", "week", "The week of a date, as ISO 8601 counts them.")


@function(
    "DATEDIF",
    Argument(name="start", types=DATE),
    Argument(name="end", types=DATE),
    _UNIT,
    group="dates",
    returns="integer",
    help="How many whole units lie between two dates; negative when the end is earlier.",
    example='DATEDIF([joined], [left], "month")',
)
def _between(call: "Call") -> "ir.Value":
    from recipe.formula.moments import whole_units

    return whole_units(call, 0, 1, call.word(2))


@function(
    "DATEADD",
    _DATE,
    Argument(name="count", types=NUMBER),
    _UNIT,
    group="dates",
    returns=lambda arguments: arguments[0].type,
    types=DATE,
    help="A date some units later, or earlier for a negative count.",
    example='DATEADD([visit], 6, "week")',
)
def _later(call: "Call") -> "ir.Value":
    from recipe.formula.moments import plus_units

    return plus_units(call, 0, 1, call.word(2))


@function(
    "EOMONTH",
    _DATE,
    Argument(name="months", types=NUMBER, optional=True, default="0"),
    group="dates",
    returns="date",
    help="The last day of a date's month, or of one some months later.",
    example="EOMONTH([joined])",
)
def _month_end(call: "Call") -> "ir.Value":
    from recipe.formula.moments import month_end

    return month_end(call, 0, 1)


@function(
    "AGE",
    Argument(name="born", types=DATE),
    Argument(name="on", types=DATE, optional=True, default="TODAY()"),
    group="dates",
    returns="integer",
    help="Whole years since a date, today or on another day.",
    example="AGE([date of birth])",
)
def _age(call: "Call") -> "ir.Value":
    from dataclasses import replace

    from recipe import semantics
    from recipe.formula.call import Cell
    from recipe.formula.moments import whole_units

    if len(call) == 1:
        today = call.context.now.date()
        call = replace(call, cells=(*call.cells, Cell("date", semantics.literal(today), 0)))
    return whole_units(call, 0, 1, "year")


@function(
    "FORMATDATE",
    _DATE,
    Argument(name="pattern", types=TEXT, constant=True),
    group="dates",
    returns="text",
    help=f"A date as text, by a pattern of {' '.join(TOKENS)}; names in English.",
    example='FORMATDATE([joined], "DD MON YYYY")',
)
def _formatted(call: "Call") -> "ir.Value":
    from recipe import semantics

    written = semantics.literal(pattern(str(call.constant(1))))
    return call.sql("to_char", "string", call.timestamp(0), written)
