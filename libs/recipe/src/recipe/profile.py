"""What the columns of a recipe's result hold, found by one statement over rows read once.

The rows (all, or an even sample) are computed once into the common table expression `sample`, where
columns are called `c0`, `c1`, …; what is written here as text names only those.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import sqlglot
from sqlglot import exp

from recipe.statement import last, rendered, with_fragments
from recipe.tables import NUMBERS, TIMES, ColumnType

if TYPE_CHECKING:
    from recipe.compile import Compiled

MAX_COLUMNS = 50
"""Of one statement: PostgreSQL selects at most 1,664 values, and plans many slowly."""

TOP = 10
"""Most frequent values told of a column."""

BUCKETS = 20
"""Of a histogram, at most."""

_LONGEST = 200
"""Characters of a text that are shown."""

_CIRCLE = 2**32
_STRIDE = 2654435761
"""Nearly the golden section of the circle: steps of this length fall evenly into every arc of it,
and so do every second, tenth or fiftieth of them, whatever period the rows have."""


def profile_sql(compiled: "Compiled", columns: Sequence[int], every: int) -> str:
    """One row about the columns at these positions, read from one row in `every`.

    It holds `rows`, and for each column `n`: `c<n>_present` (not null), `c<n>_distinct`; `_min`
    and `_max` of numbers, times and text (by code point); `_mean` of numbers; `_top` and
    `_top_rows` (values and how often, most frequent first; text and json cut, json as text); and
    of numbers and times `_bucket`, `_bucket_rows` and `_width`: bucket `b` begins at the least
    value and `b` times the width after it, which is in days for dates, in seconds for timestamps.
    """
    types: dict[int, ColumnType] = {n: compiled.columns[n].type for n in columns}
    query = with_fragments(compiled, _parsed(f"SELECT {', '.join(_results(types))} FROM stats"))
    for name, part in _sample(compiled, columns, every):
        query = query.with_(name, as_=part, materialized=name == "sample" or None, copy=False)
    parts = {"stats": f"SELECT {', '.join(_statistics(types))} FROM sample"}
    for number, kind in types.items():
        parts |= _frequencies(f"c{number}", kind)
    for name, text in parts.items():
        query = query.with_(name, as_=_parsed(text), copy=False)
    return rendered(query)


def _sample(
    compiled: "Compiled", columns: Sequence[int], every: int
) -> Iterator[tuple[str, exp.Select]]:
    """The rows that are looked at."""
    listed = [
        exp.column(compiled.source_columns[n].physical, quoted=True).as_(f"c{n}") for n in columns
    ]
    if every == 1:
        yield "sample", exp.select(*listed).from_(last(compiled))
        return
    numbered = _parsed("SELECT *, ROW_NUMBER() OVER () AS _number")
    yield "numbered", numbered.from_(last(compiled))
    chosen = f"_number * {_STRIDE} % {_CIRCLE} < {_CIRCLE // every}"
    yield "sample", exp.select(*listed).from_("numbered").where(chosen, dialect="postgres")


def _statistics(types: dict[int, ColumnType]) -> Iterator[str]:
    yield "COUNT(*) AS rows"
    for number, kind in types.items():
        c = f"c{number}"
        yield f"COUNT({c}) AS {c}_present"
        yield f"COUNT(DISTINCT {_plain(c, kind)}) AS {c}_distinct"
        if kind in NUMBERS | TIMES or kind == "text":
            yield f"MIN({_plain(c, kind)}) AS {c}_min"
            yield f"MAX({_plain(c, kind)}) AS {c}_max"
        if kind in NUMBERS:
            yield f"AVG({c}) AS {c}_mean"


def _frequencies(c: str, kind: ColumnType) -> dict[str, str]:
    counted = f"FROM sample WHERE {c} IS NOT NULL GROUP BY {c}"
    parts = {
        f"{c}_tops": f"SELECT {c} AS v, COUNT(*) AS n {counted} "
        f"ORDER BY n DESC, {_plain(c, kind)} LIMIT {TOP}"
    }
    if kind in NUMBERS | TIMES:
        least, most = _number(f"{c}_min", kind), _number(f"{c}_max", kind)
        width = f"({most} - {least}) / {BUCKETS}"
        if kind in {"integer", "date"}:
            # Whole numbers, or a bucket of 1.5 days would hold one day here and two there.
            width = f"TRUNC({width}) + 1"
        place = f"COALESCE(TRUNC(({_number(c, kind)} - {least}) / NULLIF({c}_width, 0)), 0)"
        parts[f"{c}_widths"] = f"SELECT {c}_min, {width} AS {c}_width FROM stats"
        parts[f"{c}_buckets"] = (
            f"SELECT {place} AS b, COUNT(*) AS n FROM sample CROSS JOIN {c}_widths "
            f"WHERE {c} IS NOT NULL GROUP BY 1"
        )
    return parts


def _results(types: dict[int, ColumnType]) -> Iterator[str]:
    yield "rows"
    for number, kind in types.items():
        c = f"c{number}"
        shown = {"text": f"LEFT(v, {_LONGEST})", "json": f"LEFT(CAST(v AS TEXT), {_LONGEST})"}
        order = f"ORDER BY n DESC, {_plain('v', kind)}"
        yield from (f"{c}_present", f"{c}_distinct")
        if kind in NUMBERS | TIMES:
            yield from (f"{c}_min", f"{c}_max")
        if kind == "text":
            yield from (f"LEFT({c}_{end}, {_LONGEST}) AS {c}_{end}" for end in ("min", "max"))
        if kind in NUMBERS:
            yield f"{c}_mean"
        for name, value in (("top", shown.get(kind, "v")), ("top_rows", "n")):
            yield f"(SELECT ARRAY_AGG({value} {order}) FROM {c}_tops) AS {c}_{name}"
        if kind in NUMBERS | TIMES:
            yield f"(SELECT {c}_width FROM {c}_widths) AS {c}_width"
            for name, value in (("bucket", "b"), ("bucket_rows", "n")):
                yield f"(SELECT ARRAY_AGG({value} ORDER BY b) FROM {c}_buckets) AS {c}_{name}"


def _number(value: str, kind: ColumnType) -> str:
    """A number or a time as something to subtract; dates in days, timestamps in seconds."""
    match kind:
        case "date":
            return f"EXTRACT(EPOCH FROM {value}) / 86400"
        case "timestamp":
            return f"EXTRACT(EPOCH FROM {value})"
        case _:
            return f"CAST({value} AS DECIMAL)"


def _plain(value: str, kind: ColumnType) -> str:
    return f'{value} COLLATE "C"' if kind == "text" else value


def _parsed(text: str) -> exp.Select:
    query = sqlglot.parse_one(text, dialect="postgres")
    assert isinstance(query, exp.Select)
    return query
