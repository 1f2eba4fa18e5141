"""From Ibis expressions to PostgreSQL's syntax tree, with what Ibis has no words for.

Ibis calls any function by name, but knows no COLLATE, no array subscript and no ordered-set
aggregate over an array. Such expressions are written as calls of functions that do not exist
(`rx_...`); here, after Ibis has compiled, each is replaced by its template. In a template `x`, `y`
stand for the arguments and `w` for the condition of the aggregate's rows.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Literal, Protocol, cast

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import sqlglot
from ibis.backends.sql.compilers.postgres import compiler
from sqlglot import exp

from recipe.mask_key import DIGITS, SETTING

if TYPE_CHECKING:
    import ibis.expr.types as ir

WHITE_SPACE = (
    r"\t\n\u000b\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008"
    r"\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
"""Unicode's White_Space property, as PostgreSQL's escape strings and regular expressions write it."""

ZERO_WIDTH = r"\u180e\u200b\u200c\u200d\u2060\ufeff"
"""Characters without width that surveys and spreadsheets leave around text."""

_KEY = 'ARRAY[LOWER(x), x] COLLATE "C"'
"""Text as it sorts: ignoring case, then by code point, on every database alike."""

_PADDED_KEYS = f"COALESCE(NULLIF(CURRENT_SETTING('{SETTING}'), ''), 'no key')"
"""Where the setting was made once and is empty now, what `DECODE` refuses: no hash without a key."""
_DAY_ZERO = "CAST('2000-01-01' AS DATE)"
_DAY_LEAST, _DAY_MOST = -2_451_546, 2_145_031_949
"""The days, counted from then, just before the first and just after the last of PostgreSQL's."""

_TEMPLATES = {
    "rx_code_point": 'x COLLATE "C"',
    "rx_white": f"e'{WHITE_SPACE}{ZERO_WIDTH}'",
    "rx_words": rf"' ' || REGEXP_REPLACE(x, '[{WHITE_SPACE}]+', ' ', 'g') || ' '",
    "rx_nfc": "NORMALIZE(x, NFC)",
    "rx_nfd": "NORMALIZE(x, NFD)",
    "rx_item": "(x)[1]",
    "rx_numeric": "CAST(x AS NUMERIC)",
    "rx_bigint": "CAST(x AS BIGINT)",
    "rx_jsonb": "CAST(x AS JSONB)",
    "rx_date": "CAST(x AS DATE)",
    "rx_days": "(CAST(x AS DATE) - CAST(y AS DATE))",
    "rx_days_later": "(x + y * MAKE_INTERVAL(0, 0, 0, 1))",
    "rx_months_later": "(x + y * MAKE_INTERVAL(0, 1))",
    "rx_scalar": "(x #>> '{}')",
    "rx_keyed_hash": (
        f"LEFT(ENCODE(SHA256(DECODE(RIGHT({_PADDED_KEYS}, 128), 'hex') || SHA256("
        f"DECODE(LEFT({_PADDED_KEYS}, 128), 'hex') || CONVERT_TO(x, 'UTF8'))), 'hex'), {DIGITS})"
    ),
    "rx_timestamp": "CAST(x AS TIMESTAMP)",
    "rx_zoned": "CAST(x AS TIMESTAMPTZ)",
    "rx_isodow": "CAST(EXTRACT(ISODOW FROM x) AS BIGINT)",
    "rx_contains": "x @> y",
    "rx_unnest": "UNNEST(COALESCE(NULLIF(x, '{}'), ARRAY[CAST(NULL AS TEXT)]))",
    "rx_text_key": f"CASE WHEN NOT x IS NULL THEN {_KEY} END",
    "rx_key_text": "(x)[2]",
    "rx_text_min": f"(MIN({_KEY}) FILTER (WHERE w AND NOT x IS NULL))[2]",
    "rx_text_max": f"(MAX({_KEY}) FILTER (WHERE w AND NOT x IS NULL))[2]",
    "rx_text_mode": (
        f"(MODE() WITHIN GROUP (ORDER BY {_KEY}) FILTER (WHERE w AND NOT x IS NULL))[2]"
    ),
    "rx_value_set": (
        "ARRAY_TO_STRING(ARRAY_AGG(DISTINCT x) FILTER (WHERE w AND NOT x IS NULL), y)"
    ),
    "rx_mode": "MODE() WITHIN GROUP (ORDER BY x) FILTER (WHERE w)",
    "rx_text_set": (
        f"ARRAY_TO_STRING((ARRAY_AGG(DISTINCT {_KEY}) FILTER (WHERE w AND NOT x IS NULL))[:][2:2],"
        " y)"
    ),
    "rx_nth": "(x)[y]",
    "rx_minus": "x - y",
    "rx_same": "x IS NOT DISTINCT FROM y",
    # sqlglot would divide what it knows no type of as double precision.
    "rx_over": "x / y",
    "rx_bounded": "CASE WHEN ABS(CAST(x AS NUMERIC)) < 1E1000 THEN CAST(x AS NUMERIC) END",
    "rx_bounded_once": (
        "NULLIF(GREATEST(NULLIF(LEAST(CAST(x AS NUMERIC), 1E1000), 1E1000), -1E1000), -1E1000)"
    ),
    "rx_plus_days": (
        f"{_DAY_ZERO} + CAST(NULLIF(GREATEST(NULLIF(LEAST(x - {_DAY_ZERO} + TRUNC(y), {_DAY_MOST}),"
        f" {_DAY_MOST}), {_DAY_LEAST}), {_DAY_LEAST}) AS INT)"
    ),
    "rx_plus_times": "x + CAST(y AS INT) * INTERVAL '1 DAY'",
    "rx_plus_months": "x + CAST(y AS INT) * INTERVAL '1 MONTH'",
    "rx_month": "DATE_TRUNC('MONTH', x)",
    "rx_before": "x - INTERVAL '1 DAY'",
}


class Declare(Protocol):
    """How Ibis is told of a function; its own annotations leave this use out."""

    def __call__(self, function: "Function", *, name: str) -> "Function":
        """The function as one of expressions."""
        ...


Function = Callable[..., "ir.Value"]

_PLACES = ("x", "y")
_ATOMS = (exp.Column, exp.Literal, exp.Func, exp.Paren, exp.ByteString, exp.Cast)

ReturnType = Literal["string", "decimal", "int64", "boolean", "date", "timestamp", "unknown"]

_RETURNS: dict[ReturnType, dt.DataType] = {
    "string": dt.string,
    "decimal": dt.Decimal(),
    "int64": dt.int64,
    "boolean": dt.boolean,
    "date": dt.date,
    "timestamp": dt.timestamp,
    "unknown": dt.unknown,
}


def scalar(name: str, returns: ReturnType, *arguments: "ir.Value") -> "ir.Value":
    """A call of a function of PostgreSQL, or of a template."""
    return _scalar(name, returns, len(arguments))(*arguments)


def aggregate(
    name: str, returns: ReturnType, *arguments: "ir.Value", where: "ir.BooleanValue | None"
) -> "ir.Value":
    """A call of an aggregate of PostgreSQL, or of a template, over the rows of `where`."""
    return _aggregate(name, returns, len(arguments))(*arguments, where=where)


def to_tree(table: "ir.Table") -> exp.Select:
    """The query of a table expression, every template filled in."""
    compiled = cast("exp.Select", compiler.to_sqlglot(table))
    tree = cast("exp.Select", _listed(compiled).transform(_fill))
    # A star over a stored table would bring the columns of the loader, which nobody may see.
    for node in table.op().find(ops.UnboundTable):
        stored = cast("ops.UnboundTable", node)
        if stored.namespace.database is not None:
            _expand(tree, stored.name, list(cast("Mapping[str, object]", stored.schema)))
    return tree


def settled_name(table: "ir.Table") -> str | None:
    """The name of the earlier query whose result a table is, with nothing added to it."""
    op = table.op()
    if isinstance(op, ops.UnboundTable) and op.namespace.database is None:
        return op.name
    return None


def passes_on(query: exp.Select) -> bool:
    """Whether a query only repeats the one it reads."""
    said = {key for key, value in query.args.items() if value}
    read = query.args.get("from_")
    whole = read is not None and isinstance(read.this, exp.Table)
    return whole and said == {"expressions", "from_"} and query.is_star


def _expand(tree: exp.Select, relation: str, columns: Sequence[str]) -> None:
    for select in tree.find_all(exp.Select):
        origin = select.args["from_"].this
        if isinstance(origin, exp.Table) and origin.db and origin.name == relation:
            listed: list[exp.Expr] = []
            for output in select.expressions:
                if isinstance(output, exp.Star):
                    alias = origin.alias_or_name
                    listed += [exp.column(name, table=alias, quoted=True) for name in columns]
                else:
                    listed.append(output)
            select.set("expressions", listed)


@cache
def _scalar(name: str, returns: ReturnType, arity: int) -> "Function":
    declare = cast("Declare", ibis.udf.scalar.builtin)
    return declare(_signature(returns, arity), name=name)


@cache
def _aggregate(name: str, returns: ReturnType, arity: int) -> "Function":
    declare = cast("Declare", ibis.udf.agg.builtin)
    return declare(_signature(returns, arity), name=name)


def _signature(returns: ReturnType, arity: int) -> "Function":
    # Ibis reads the arguments' names from a function; without types it takes any.
    names = [f"argument_{index}" for index in range(arity)]
    parameters = [Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in names]

    def function() -> None: ...

    function.__signature__ = Signature(parameters)  # pyright: ignore[reportFunctionMemberAccess]
    function.__annotations__["return"] = _RETURNS[returns]
    return cast("Function", function)


def _listed(node: exp.Expr) -> exp.Expr:
    """The tree with lists where Ibis put tuples, into which sqlglot's walks do not go."""
    pending = [node]
    while pending:
        parent = pending.pop()
        for key, value in list(parent.args.items()):
            if isinstance(value, tuple):
                parent.set(key, list(value))
            children = value if isinstance(value, list | tuple) else [value]
            pending += [child for child in children if isinstance(child, exp.Expr)]
    return node


def _fill(node: exp.Expr) -> exp.Expr:
    call = node.this if isinstance(node, exp.Filter) else node
    if not isinstance(call, exp.Anonymous) or (name := str(call.this).lower()) not in _TEMPLATES:
        return node
    filled = {
        place: _held(argument.transform(_fill))
        for place, argument in zip(_PLACES, call.expressions, strict=False)
    }
    condition = node.expression.this if isinstance(node, exp.Filter) else exp.true()
    filled["w"] = _held(condition.transform(_fill))
    result = _template(name).transform(
        lambda inner: filled[inner.name].copy() if _is_place(inner, filled) else inner
    )
    # Ibis took it for a call, which needs no brackets beside an operator.
    return _held(result) if _is_operator(node.parent) else result


def _is_operator(node: exp.Expr | None) -> bool:
    loose = exp.Paren | exp.Connector
    return isinstance(node, exp.Binary | exp.Unary) and not isinstance(node, loose)


def _is_place(node: exp.Expr, filled: dict[str, exp.Expr]) -> bool:
    return isinstance(node, exp.Column) and not node.table and node.name in filled


@cache
def _template(name: str) -> exp.Expr:
    tree = cast("exp.Expr", sqlglot.parse_one(_TEMPLATES[name], dialect="postgres"))
    for bracket in tree.find_all(exp.Bracket):
        if isinstance(bracket.expressions[0], exp.Column):
            # sqlglot counts from 0 inside and shifts what it knows for a number; this one it cannot.
            bracket.set("offset", 1)
    return tree


def _held(node: exp.Expr) -> exp.Expr:
    # To sqlglot AND, ~ and @> are functions too.
    atom = isinstance(node, _ATOMS) and not isinstance(node, exp.Binary)
    return node if atom else exp.paren(node, copy=False)
