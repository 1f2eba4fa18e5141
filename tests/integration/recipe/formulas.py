"""Random formulas that fit their columns, and random rows with all that PostgreSQL can hold."""

from decimal import Decimal

from hypothesis import strategies as st

from recipe.formula.building import NEGATIVE
from recipe.formula.function import FUNCTIONS, Argument, Signature
from recipe.formula.functions import SIGNATURES
from recipe.tables import COLUMN_TYPES, Column, ColumnType

TYPES: dict[str, ColumnType] = {
    "n": "integer",
    "big": "integer",
    "x": "decimal",
    "t": "text",
    "a b]": "text",
    "d": "date",
    "e": "date",
    "s": "timestamp",
    "b": "boolean",
    "j": "json",
}
COLUMNS = tuple(
    Column(name=name, physical=f"c{number}", type=kind)
    for number, (name, kind) in enumerate(TYPES.items())
)

assert SIGNATURES, "importing them has filled FUNCTIONS"

_WORDS = ("", " ", "a", "Ab c", "-", "3", "-2.50", "1e3", "2024-02-29", "é\u200b", "x-y-z", "%")
_PATTERNS = ("a", "([a-z]+)-(x)?", "[0-9]+", "(?i)A|b*", r"^\s*$", ".")
_FORMATS = ("YYYY-MM-DD", 'DAY, DD "MON" MONTH\\ YY', "HH24:MI:SS DY")
_INTEGERS = (
    *("0", "1", "-1", "2", "7", "13", "29", "400", "-32768", "2147483647", "2147483648"),
    *("9223372036854775807", "9" * 30, "5874897"),
)
_DECIMALS = ("0.5", "-2.5", "1e-9", "1e90", "0.00001", "3.0", "2300.5", "." + "9" * 40)

_NUMBERS = st.sampled_from(
    [
        *("0", "1", "-1", "2.5", "-0.5", "12", "29", "2147483648", "-9223372036854775808"),
        *("1e90", "-1e-90", "0." + "9" * 100, "99999999999999999.5", "NaN", "Infinity"),
    ]
) | st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str)
_DATES = st.sampled_from(
    ["4714-11-24 BC", "0001-01-01", "0044-03-15 BC", "5874897-12-31", "294277-01-01"]
) | st.dates().map(str)
_MOMENTS = st.sampled_from(
    ["4714-11-24 BC", "294276-12-31 23:59:59.999999", "2024-02-29 23:59:59.5"]
) | st.datetimes().map(str)
_TEXTS = st.sampled_from(_WORDS) | st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12
)

_CELLS: dict[ColumnType, st.SearchStrategy[str]] = {
    "integer": st.integers(-(2**63), 2**63 - 1).map(str) | st.integers(-40, 40).map(str),
    "decimal": _NUMBERS,
    "text": _TEXTS,
    "date": _DATES,
    "timestamp": _MOMENTS,
    "boolean": st.sampled_from(["true", "false"]),
    "json": st.sampled_from(["[1]", '{"a": "b"}', '"x"', "1.50", "null"]),
}

ROW = st.tuples(*(st.none() | _CELLS[kind] for kind in TYPES.values()))

_HUGE, _TINY = "9" * 131_072, "1e-16383"
EXTREMES: list[tuple[str | None, ...]] = [
    *[
        (whole, whole, number, text, text, day, day, moment, "true", "[]")
        for whole, number, text, day, moment in (
            ("9223372036854775807", _HUGE, "", "5874897-12-31", "294276-12-31 23:59:59.999999"),
            ("-9223372036854775808", f"-{_HUGE}", " ", "4714-11-24 BC", "4714-11-24 BC"),
            ("0", _TINY, "\\", "2024-01-31", "2024-02-29"),
            ("-1", "NaN", "-1", "0001-01-01", "0001-01-01 BC"),
        )
    ],
    ("1", "-1", "2", "a", "b", "4714-11-24 BC", "5874897-12-31", "2024-02-29", "false", "{}"),
    (None,) * len(TYPES),
]
"""Cells at the ends of what PostgreSQL can hold, beside one another."""

ROWS = st.lists(ROW, max_size=4)


def text_literal(text: str) -> str:
    doubled = text.replace('"', '""')
    return f'"{doubled}"'


_SIGNS = frozenset({"=", "<>", "<", "<=", ">", ">="})
_COMPARED: tuple[ColumnType, ...] = ("integer", "decimal", "date", "timestamp")
_KINDS = tuple(kind for kind in COLUMN_TYPES if kind != "json")


def _literals(kind: ColumnType) -> st.SearchStrategy[str]:
    match kind:
        case "integer":
            return st.sampled_from(_INTEGERS)
        case "decimal":
            return st.sampled_from(_DECIMALS)
        case "text":
            return _TEXTS.map(text_literal)
        case "boolean":
            return st.sampled_from(["TRUE", "false"])
        case "date":
            return st.sampled_from(["TODAY()", "DATE(2024, 2, 29)", "DATE(5874897, 12, 31)"])
        case "timestamp":
            return st.just("NOW()")
        case "json":
            return st.just("[j]")


def _columns(kind: ColumnType) -> list[str]:
    names = [name for name, held in TYPES.items() if held == kind]
    return [f"[{name.replace(']', ']]')}]" for name in names]


def _constant(argument: Argument) -> st.SearchStrategy[str]:
    known = {"pattern": _PATTERNS}.get(argument.name, argument.choices)
    return st.sampled_from([text_literal(word) for word in known])


@st.composite
def formulas(draw: st.DrawFn, kind: ColumnType | None = None, depth: int = 3) -> str:
    """A formula of some type; now and then its parts do not go together."""
    kind = kind or draw(st.sampled_from(_KINDS))
    if depth == 0 or draw(st.integers(0, 4)) == 0:
        columns = _columns(kind)
        return draw(st.sampled_from(columns) if draw(st.booleans()) else _literals(kind))
    fitting = [each.signature for each in FUNCTIONS.values() if kind in each.signature.returns]
    signature = draw(st.sampled_from(fitting)) if fitting else None
    if signature is None:
        return draw(_literals(kind))
    taken = _taken(draw, signature)
    # Each by itself, the operands of a comparison would seldom be comparable.
    together = draw(st.sampled_from(_COMPARED)) if signature.name in _SIGNS else kind
    arguments = [
        draw(_argument(signature, argument, together, place, depth - 1))
        for place, argument in enumerate(taken)
    ]
    return _written(signature.name, arguments)


def _taken(draw: st.DrawFn, signature: Signature) -> list[Argument]:
    least = signature.required()
    repeated = sum(argument.repeats for argument in signature.arguments)
    operator = signature.group == "operators"
    if operator:
        least = 1 if signature.name == NEGATIVE else 2
    most = len(signature.arguments) + repeated * draw(st.integers(0, 2))
    return signature.spread(draw(st.integers(least, max(least, most))))


@st.composite
def _argument(
    draw: st.DrawFn,
    signature: Signature,
    argument: Argument,
    kind: ColumnType,
    place: int,
    depth: int,
) -> str:
    if argument.constant:
        formats = st.sampled_from([text_literal(each) for each in _FORMATS])
        return draw(formats if signature.name == "FORMATDATE" else _constant(argument))
    shared = signature.name in _SIGNS or len(signature.returns) > 1
    wanted = kind if shared and kind in argument.types else draw(st.sampled_from(argument.types))
    if signature.name in {"+", "-"} and kind in {"date", "timestamp"} and place:
        wanted = "integer"
    return draw(formulas(wanted, depth))


def _written(name: str, arguments: list[str]) -> str:
    if name == NEGATIVE:
        return f"-({arguments[0]})"
    if name.isalpha():
        return f"{name}({', '.join(arguments)})"
    return name.join(f"({argument})" for argument in arguments)


def stored_type(kind: ColumnType) -> str:
    return {"integer": "bigint", "decimal": "numeric", "json": "jsonb"}.get(kind, kind)


def is_number(cell: str) -> Decimal | None:
    try:
        return Decimal(cell)
    except ArithmeticError:
        return None
