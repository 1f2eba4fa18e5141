"""Recipes at random, drawn from the JSON Schema of the steps alone: a new step is in at once."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, TypeVar

from hypothesis import strategies as st

from recipe import Column, Context, Table, check
from recipe.naming import physical_names
from recipe.recipe import STEPS_BY_TYPE
from recipe.tables import COLUMN_TYPES, ColumnType

T = TypeVar("T")
Draw = Callable[[st.SearchStrategy[Any]], Any]
Json = dict[str, Any]

CONTEXT = Context(as_of=datetime(2026, 3, 18, 12, tzinfo=UTC), timezone="Asia/Kolkata")
SCHEMA = "recipe_wild"

NAMES = (
    *("id", "name", "count", "order", "user", "select", "a b", 'quote"d', "it's", "प्रकार", "ÄGE"),
    *(
        "x" * 80,
        "%s",
        "$1",
        "{}",
        "a.b",
        "_dlt_id",
        "step_0",
        "cast",
        "\u200bzero",
        "😀",
        "tab\there",
    ),
)
WORDS = (
    *(
        "",
        " ",
        "a",
        "b",
        "North",
        "o'clock",
        "50%",
        "a_b",
        "\\",
        "[a-z]+",
        "(a)(b)?",
        "$$",
        "é",
        "नमस्ते",
    ),
    *("5", "-2.5", "1e5", "2024-02-29", "10:30", "true", "YYYY-MM-DD", "\u200b", "a b c", "Z"),
)
# asyncpg writes the first and the last date of Python as infinities.
CELLS: Mapping[ColumnType, Sequence[object]] = {
    "text": (
        *WORDS,
        "12.0",
        "1_000",
        "NaN",
        "infinity",
        "today",
        "0x1F",
        "x" * 3000,
        "a;b;c",
        None,
    ),
    "integer": (0, 1, -1, 2, 7, 18, 2026, 2**31, 2**63 - 1, -(2**63), None),
    "decimal": tuple(
        None if text is None else Decimal(text)
        for text in ("0", "0.5", "-2.5", "1e-12", "1e15", "3.0000", "99999999999999999999.9", None)
    ),
    "date": (date(2024, 2, 29), date(1, 1, 2), date(9999, 12, 30), date(2026, 3, 18), None),
    "timestamp": (
        datetime(2026, 3, 18, 12, 30, tzinfo=UTC),
        datetime(1900, 1, 1, tzinfo=UTC),
        datetime(2199, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(2026, 3, 29, 1, 30, tzinfo=UTC),
        None,
    ),
    "boolean": (True, False, None),
    "json": ("1", '"a b"', "[]", '["tap", 2, null]', '{"a": {"b": 1}, "a/b": "x"}', "null", None),
}
VALUES: Mapping[ColumnType, Sequence[object]] = {
    "text": WORDS,
    "integer": (0, 1, 5, "7", -3),
    "decimal": (0.5, "2.50", 3, -1),
    "date": ("2024-02-29", "2026-03-18"),
    "timestamp": ("2026-03-18", "2026-03-18T10:30:00"),
    "boolean": (True, False),
    "json": ("tap",),
}
OPTIONAL = 0.4
"""How often a field that may be absent is there."""


@st.composite
def tables(draw: Draw) -> dict[str, Table]:
    """One to three tables of one to seven columns."""
    found: dict[str, Table] = {}
    for number in range(draw(st.integers(1, 3))):
        names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=7, unique=True))
        kinds = [draw(st.sampled_from(COLUMN_TYPES)) for _ in names]
        physical = physical_names(names)
        display = draw(st.sampled_from([f"table {number}", f"it's {number}", f"T{number};--"]))
        found[display] = Table(
            table_id=str(number),
            display_name=display,
            physical_name=f"source_{number}",
            schema_name=SCHEMA,
            relation=f"v_{number}",
            columns=tuple(
                Column(name=name, physical=inner, type=kind)
                for name, inner, kind in zip(names, physical, kinds, strict=True)
            ),
        )
    return found


@st.composite
def rows(draw: Draw, table: Table) -> list[tuple[object, ...]]:
    """Up to six rows of the nastiest cells of each type."""
    cells = [st.sampled_from(CELLS[column.type]) for column in table.columns]
    return draw(st.lists(st.tuples(*cells), max_size=6))


@st.composite
def recipes(
    draw: Draw,
    given: Mapping[str, Table],
    kinds: Sequence[str] = tuple(kind for kind in STEPS_BY_TYPE if kind != "source"),
    most: int = 4,
) -> Json:
    """A recipe that `check` accepts: steps that it refuses are left out."""
    start = draw(st.sampled_from(sorted(given)))
    steps: list[Json] = [{"type": "source", "table": start}]
    columns = given[start].columns
    for _ in range(draw(st.integers(1, most))):
        kind = draw(st.sampled_from(kinds))
        step = _Step(draw, kind, columns, given).drawn()
        checked = check({"steps": [*steps, step]}, given, CONTEXT)
        # Names of a pivot's columns that are read from the data are no matter of the recipe alone.
        if not checked.errors and checked.open is None:
            steps.append(step)
            columns = checked.steps[-1]
    return {"version": 1, "steps": steps}


class _Step:
    """One step's JSON, drawn field by field from its schema."""

    def __init__(
        self, draw: Draw, kind: str, columns: Sequence[Column], given: Mapping[str, Table]
    ) -> None:
        self._draw = draw
        self._schema = STEPS_BY_TYPE[kind].model_json_schema()
        self._columns, self._given = columns, given
        self._own: Json = {}

    def drawn(self) -> Json:
        return self._object(self._schema, self._own)

    def _pick(self, choices: Sequence[T]) -> T:
        return self._draw(st.sampled_from(list(choices)))

    def _object(self, schema: Json, into: Json) -> Json:
        required = schema.get("required", [])
        for name, field in schema.get("properties", {}).items():
            if field.get("hidden") or not self._is_shown(field, into):
                continue
            shown = "x-show" in field
            if name in required or shown or self._draw(st.floats(0, 1)) < OPTIONAL:
                into[name] = self._value(field, field, into)
        return into

    def _is_shown(self, field: Json, beside: Json) -> bool:
        # Whether it is drawn may hang on a field further up, mostly one that stands beside it.
        return all(
            beside.get(other, self._own.get(other, "")) in allowed
            for other, allowed in field.get("x-show", {}).items()
        )

    def _value(self, schema: Json, field: Json, beside: Json) -> Any:
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            if name == "Comparison":
                return self._comparison()
            return self._value(self._schema["$defs"][name], field, beside)
        for union in ("anyOf", "oneOf"):
            if union in schema:
                options = [each for each in schema[union] if each.get("type") != "null"]
                return self._value(self._pick(options), field, beside)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._pick(schema["enum"])
        match schema.get("type"):
            case "object":
                return self._map(schema, field, beside)
            case "array":
                most = min(schema.get("maxItems", 3), 3)
                size = self._draw(st.integers(min(schema.get("minItems", 0), most), most))
                return [self._value(schema.get("items", {}), field, beside) for _ in range(size)]
            case "boolean":
                return self._draw(st.booleans())
            case "integer":
                least = schema.get("minimum", schema.get("exclusiveMinimum", -3))
                return self._draw(st.integers(least, min(schema.get("maximum", 9), least + 9)))
            case "number":
                return self._pick([schema.get("minimum", -1), 0.25, schema.get("maximum", 2.5), 1])
            case "string":
                return self._text(field, beside)
            case _:
                return self._pick([value for values in VALUES.values() for value in values])

    def _map(self, schema: Json, field: Json, beside: Json) -> Json:
        if "properties" in schema:
            return self._object(schema, {})
        size = self._draw(st.integers(1, 2))
        values = schema.get("additionalProperties", {})
        values = values if isinstance(values, dict) else {}
        return {
            self._text(field, beside): self._value(values, values or field, beside)
            for _ in range(size)
        }

    def _text(self, field: Json, beside: Json) -> str:
        match field.get("control"):
            case "table":
                return self._pick(sorted(self._given))
            case "column" | "columns" | "list":
                return self._column(field, beside).name
            case "new_column":
                return self._pick([*NAMES, *(f"new {n}" for n in range(9))])
            case _:
                # A form offers examples; most of them are what such a field takes.
                examples = [each for each in field.get("examples", []) if isinstance(each, str)]
                return self._pick([*WORDS, *examples * 5])

    def _column(self, field: Json, beside: Json) -> Column:
        columns = self._columns
        if (other := beside.get(field.get("of", ""))) is not None and other in self._given:
            columns = self._given[other].columns
        fitting = [column for column in columns if column.type in field.get("column_types", ())]
        return self._pick(fitting or columns)

    def _comparison(self) -> Json:
        column = self._pick(self._columns)
        operators = self._schema["$defs"]["Comparison"]["properties"]["operator"]["operators"]
        operator = self._pick(
            [name for name, types in operators.items() if column.type in types] or ["is_null"]
        )
        found: Json = {"column": column.name, "operator": operator}
        values = st.sampled_from(list(VALUES[column.type]))
        match operator:
            case "between" | "not_between":
                found["value"] = sorted([self._draw(values), self._draw(values)], key=str)
            case "in" | "not_in" | "has_any" | "has_all":
                found["value"] = self._draw(st.lists(values, max_size=3))
            case "in_last" | "in_next":
                unit = self._pick(["day", "week", "month", "quarter", "year"])
                found["value"] = {"count": self._draw(st.integers(1, 5)), "unit": unit}
            case _ if not operator.startswith("is_"):
                found["value"] = self._draw(values)
        return found
