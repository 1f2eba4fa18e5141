"""A last look at a statement before it runs: only what the compiler can have written passes.

`SET ROLE` is no sandbox, so nothing but a SELECT over the organisation's own tables may reach the
database, whatever mistake lies before. The tree is compared with what is allowed, never with what
is forbidden: a kind of expression nobody thought of is refused.
"""

from collections.abc import Collection

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from recipe.mask_key import SETTING

_NODES: frozenset[type[exp.Expr]] = frozenset(
    {
        # queries
        exp.Alias,
        exp.Column,
        exp.Distinct,
        exp.From,
        exp.Group,
        exp.Having,
        exp.Identifier,
        exp.Join,
        exp.Limit,
        exp.Offset,
        exp.Order,
        exp.Ordered,
        exp.Paren,
        exp.Select,
        exp.Star,
        exp.Subquery,
        exp.Table,
        exp.TableAlias,
        exp.Union,
        exp.Where,
        exp.Window,
        exp.WindowSpec,
        exp.WithinGroup,
        # values
        exp.Array,
        exp.Boolean,
        exp.Bracket,
        exp.ByteString,
        exp.Literal,
        exp.Neg,
        exp.Null,
        exp.Slice,
        exp.Var,
        # conditions and arithmetic
        exp.Add,
        exp.And,
        exp.Collate,
        exp.DPipe,
        exp.Div,
        exp.EQ,
        exp.GT,
        exp.GTE,
        exp.In,
        exp.Is,
        exp.JSONBExtractScalar,
        exp.LT,
        exp.LTE,
        exp.Mod,
        exp.Mul,
        exp.NEQ,
        exp.Not,
        exp.NullSafeEQ,
        exp.NullSafeNEQ,
        exp.Or,
        exp.RegexpLike,
        exp.Sub,
        # functions
        exp.Abs,
        exp.ArrayAgg,
        exp.ArrayContainsAll,
        exp.ArrayToString,
        exp.Avg,
        exp.Case,
        exp.Cast,
        exp.Ceil,
        exp.Coalesce,
        exp.ConcatWs,
        exp.Count,
        exp.DataType,
        exp.Decode,
        exp.DenseRank,
        exp.Encode,
        exp.Exists,
        exp.Exp,
        exp.Explode,
        exp.Extract,
        exp.Filter,
        exp.FirstValue,
        exp.Floor,
        exp.Greatest,
        exp.GroupConcat,
        exp.If,
        exp.Initcap,
        exp.IntDiv,
        exp.Interval,
        exp.Lag,
        exp.Lead,
        exp.Least,
        exp.Left,
        exp.Length,
        exp.Log,
        exp.LogicalAnd,
        exp.LogicalOr,
        exp.Lower,
        exp.MD5,
        exp.MakeInterval,
        exp.Max,
        exp.Min,
        exp.Mode,
        exp.Normalize,
        exp.Ntile,
        exp.Nullif,
        exp.Pad,
        exp.IntDiv,
        exp.PercentileCont,
        exp.Pow,
        exp.Rank,
        exp.RegexpInstr,
        exp.RegexpReplace,
        exp.RegexpSubstr,
        exp.Replace,
        exp.Right,
        exp.Round,
        exp.RowNumber,
        exp.SHA2,
        exp.SplitPart,
        exp.Sqrt,
        exp.StartsWith,
        exp.StddevSamp,
        exp.StrPosition,
        exp.StringToArray,
        exp.Substring,
        exp.Sum,
        exp.TimeToStr,
        exp.TimestampTrunc,
        exp.Translate,
        exp.Trim,
        exp.Trunc,
        exp.Upper,
        exp.Variance,
    }
)

_FUNCTIONS = frozenset(
    {
        "btrim",
        "convert_to",
        "jsonb_array_elements_text",
        "jsonb_build_array",
        "jsonb_extract_path",
        "jsonb_typeof",
        "ltrim",
        "make_date",
        "make_timestamp",
        "pg_input_is_valid",
        "regexp_match",
        "row",
        "to_jsonb",
        "trim_scale",
    }
)
"""Functions that the parser knows by name only."""

_TYPES = frozenset(
    {
        exp.DataType.Type.BIGINT,
        exp.DataType.Type.BOOLEAN,
        exp.DataType.Type.DATE,
        exp.DataType.Type.DECIMAL,
        exp.DataType.Type.INT,
        exp.DataType.Type.JSONB,
        exp.DataType.Type.TEXT,
        exp.DataType.Type.TIME,
        exp.DataType.Type.TIMESTAMP,
        exp.DataType.Type.TIMESTAMPTZ,
        exp.DataType.Type.VARCHAR,
    }
)


class Forbidden(Exception):
    """The statement holds something that no recipe compiles to; the message says what."""


def guard(sql: str, schemas: Collection[str]) -> None:
    """Raise `Forbidden` unless `sql` is one SELECT over tables of these schemas.

    Tables need their schema's name; the statement's own common table expressions do not, where
    they have been defined before. Subqueries have none.
    """
    try:
        statements = sqlglot.parse(sql, dialect="postgres")
    except (SqlglotError, RecursionError) as unreadable:
        raise Forbidden(f"cannot be parsed: {unreadable}") from None
    if len(statements) != 1 or not isinstance(statements[0], exp.Select):
        raise Forbidden("is not exactly one SELECT")
    tree = statements[0]
    own: set[str] = set()
    # Outside a recursive WITH a name stands for a table until its own expression is complete.
    for part in tree.ctes:
        _check_all(part.this, own, schemas)
        own.add(part.alias)
    rest = tree.copy()
    rest.set("with_", None)
    _check_all(rest, own, schemas)
    if tree.args.get("with_") and tree.args["with_"].args.get("recursive"):
        raise Forbidden("recurses")


def _check_all(tree: exp.Expr, own: Collection[str], schemas: Collection[str]) -> None:
    for node in tree.walk():
        _check(node, own, schemas)


def _check(node: exp.Expr, own: Collection[str], schemas: Collection[str]) -> None:
    match node:
        case exp.Anonymous() if node.name.lower() == "current_setting":
            asked = [each.name if each.is_string else None for each in node.expressions]
            # What is not hashed could be read.
            if asked != [SETTING] or node.find_ancestor(exp.SHA2) is None:
                raise Forbidden("reads a setting")
        case exp.Anonymous():
            if node.name.lower() not in _FUNCTIONS:
                raise Forbidden(f"calls {node.name}")
        case exp.Table():
            inside = node.db in schemas if node.db else node.name in own
            if not isinstance(node.this, exp.Identifier) or node.catalog or not inside:
                raise Forbidden(f"reads {node.sql(dialect='postgres')}")
        case exp.Parameter():
            if not isinstance(node.parent, exp.Limit | exp.Offset):
                raise Forbidden("has a parameter that is no limit or offset")
        case exp.DataType():
            if node.this not in _TYPES:
                raise Forbidden(f"casts to {node.sql(dialect='postgres')}")
        case exp.Collate():
            if not isinstance(node.expression, exp.Identifier | exp.Column):
                raise Forbidden("collates by something that is no name")
        case _ if type(node) not in _NODES:
            raise Forbidden(f"holds {type(node).__name__}")
    if node.args.get("into") or node.args.get("locks"):
        raise Forbidden("selects into a table or locks rows")
