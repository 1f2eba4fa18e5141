"""How two tables are joined: keys that compare as people expect, columns that do not clash."""

from dataclasses import replace
from typing import TYPE_CHECKING

import ibis

from recipe import semantics
from recipe.errors import Gathering, gathering, within
from recipe.frame import Frame, Output, no_duplicates
from recipe.reading import read_table
from recipe.semantics import truth
from recipe.steps.join import default_prefix
from recipe.tables import NUMBERS, Column
from recipe.widening import widened, widest

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from recipe.scope import Scope
    from recipe.steps.join import Join

_FILLS_KEY = frozenset({"right", "outer"})
_LEFT_ONLY = frozenset({"semi", "anti"})


def joined(step: "Join", left: Frame, scope: "Scope") -> Frame:
    """The join of the rows so far with the step's table."""
    with within("with"):
        table = scope.table(step.with_)
    right = read_table(table)
    prefix = step.prefix if step.prefix is not None else default_prefix(table.display_name)
    crossed = step.join_type == "cross"
    with gathering() as parts:
        left_keys = [] if crossed else _columns(parts, left, "left_on", step.left_on)
        right_keys = [] if crossed else _columns(parts, right, "right_on", step.right_on)
        brought = _brought(parts, step, right, right_keys)
    pairs = list(zip(left_keys, right_keys, strict=True))
    # The other side's columns get names of their own first: both sides may have an `id`.
    made: list[Column] = []
    for column in brought:
        made.append(left.new_column(prefix + column.name, column.type, made))
    keys: list[Column] = []
    for column in right_keys:
        keys.append(left.new_column("key", column.type, [*made, *keys]))
    named = [*zip(brought, made, strict=True), *zip(right_keys, keys, strict=True)]
    cells: list[ir.Value] = [right.value(old).name(new.physical) for old, new in named]
    # Rows that bring nothing still pair with others, and an Ibis table has columns.
    other = right.table.select(
        cells or [ibis.literal(True).name(left.new_column("row", "boolean").physical)]
    )
    matches = [
        same_key(left.value(a), a, other[key.physical], key)
        for (a, _), key in zip(pairs, keys, strict=True)
    ]
    if step.join_type in _LEFT_ONLY:
        kept = left.table.semi_join if step.join_type == "semi" else left.table.anti_join
        return replace(left, table=kept(other, matches))
    if crossed:
        product = left.table.cross_join(other)
    else:
        product = left.table.join(other, matches, how=step.join_type)  # pyright: ignore[reportArgumentType]
    filled: dict[Column, Output] = {}
    if step.join_type in _FILLS_KEY:
        filled = {
            column: _filled(product, column, key)
            for (column, _), key in zip(pairs, keys, strict=True)
        }
    both = replace(left, table=product)
    with within("prefix"):
        no_duplicates([column.name for column in (*left.columns, *made)])
    outputs = [filled.get(column, (column, both.value(column))) for column in left.columns]
    return both.select([*outputs, *((column, both.value(column)) for column in made)])


def _columns(
    parts: Gathering, frame: Frame, field: str, names: "str | tuple[str, ...] | None"
) -> list[Column]:
    if isinstance(names, str):
        with parts.at(field):
            return [frame.column(names)]
        return []
    return frame.named(parts, field, names or ())


def _brought(
    parts: Gathering, step: "Join", right: Frame, right_keys: list[Column]
) -> list[Column]:
    if step.join_type in _LEFT_ONLY:
        return []
    if step.columns is None:
        return [column for column in right.columns if column not in right_keys]
    return _columns(parts, right, "columns", step.columns)


def same_key(
    left: "ir.Value", left_column: Column, right: "ir.Value", right_column: Column
) -> "ir.BooleanValue":
    """Equal, and not blank. One equality per key: a FULL JOIN of PostgreSQL takes nothing else."""
    types = {left_column.type, right_column.type}
    if types <= NUMBERS or (len(types) == 1 and left_column.type not in {"text", "json"}):
        return truth(left == right)
    left_text = semantics.as_text(left, left_column.type)
    right_text = semantics.as_text(right, right_column.type)
    return truth(semantics.without_blank(left_text, "text") == right_text)


def _filled(product: "ir.Table", column: Column, key: Column) -> Output:
    """The left key, from the right one in rows that only the right table has.

    Where the types differ the column takes one that holds both, or such rows would lose their key.
    """
    wide = widest([column.type, key.type])
    here = widened(product[column.physical], column.type, wide)
    there = widened(product[key.physical], key.type, wide)
    return column.model_copy(update={"type": wide}), ibis.coalesce(here, there)
