"""The table between two steps: Ibis columns under physical names, seen under display names."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import ibis.expr.schema as sch
from ibis.common.collections import FrozenOrderedDict

from recipe.dialect import scalar
from recipe.errors import Gathering, gathering, misfit, unknown
from recipe.items import SortItem
from recipe.naming import physical_name
from recipe.tables import Column, ColumnType

if TYPE_CHECKING:
    import ibis.expr.types as ir

_IBIS_TYPES: dict[ColumnType, dt.DataType] = {
    "text": dt.string,
    # All numbers are of one Ibis type: PostgreSQL widens by itself, and Ibis would cast.
    "integer": dt.Decimal(),
    "decimal": dt.Decimal(),
    "date": dt.date,
    "timestamp": dt.timestamp,
    "boolean": dt.boolean,
    # Ibis turns json into text wherever a query ends.
    "json": dt.unknown,
}

_SORTABLE: tuple[ColumnType, ...] = (
    "text",
    "integer",
    "decimal",
    "date",
    "timestamp",
    "boolean",
)

Output = tuple[Column, "ir.Value"]


@dataclass(frozen=True)
class OrderKey:
    """One column of the order the rows are in; the column may be one nobody sees any more."""

    column: Column
    descending: bool
    nulls_first: bool

    def turned(self) -> "OrderKey":
        """The same order from its other end."""
        return OrderKey(self.column, not self.descending, not self.nulls_first)


@dataclass(frozen=True)
class Frame:
    """An Ibis table with what people see of it, and the order its rows are shown in."""

    table: "ir.Table"
    columns: tuple[Column, ...]
    order: tuple[OrderKey, ...] = ()
    complete: bool = True
    """False where further columns get their names from data that was not read yet."""

    @classmethod
    def of(
        cls,
        relation: str,
        columns: Sequence[Column],
        order: Sequence[OrderKey] = (),
        schema_name: str | None = None,
    ) -> "Frame":
        """A relation of the database, or an earlier step's result."""
        held = {column.physical: _IBIS_TYPES[column.type] for column in columns}
        held |= {key.column.physical: _IBIS_TYPES[key.column.type] for key in order}
        # An Ibis table has columns; before the source there are none.
        schema = sch.Schema(FrozenOrderedDict(held or {"nothing": dt.boolean}))
        table = ibis.table(schema, name=relation, database=schema_name)
        return cls(table, tuple(columns), tuple(order))

    def names(self) -> list[str]:
        """Display names, in order."""
        return [column.name for column in self.columns]

    def column(self, name: str, types: Iterable[ColumnType] = (), wants: str = "") -> Column:
        """The column of that display name, else of that physical name.

        Raises:
            Misfit: `unknown_column`, or `wrong_type` where `types` are given and it is of another.
        """
        found = next((c for c in self.columns if c.name == name), None) or next(
            (c for c in self.columns if c.physical == name), None
        )
        if found is None:
            raise unknown("unknown_column", "column", name, self.names())
        allowed = tuple(types)
        if allowed and found.type not in allowed:
            fitting = [c.name for c in self.columns if c.type in allowed]
            raise misfit(
                "wrong_type",
                f"{wants or 'This'} takes {_listed(allowed)}, but '{found.name}' is "
                f"{found.type}; cast it first.",
                "",
                fitting,
            )
        return found

    def named(
        self,
        parts: Gathering,
        field: str,
        names: Iterable[str],
        types: Iterable[ColumnType] = (),
        wants: str = "",
    ) -> list[Column]:
        """The columns of a field that lists them; each that is missing is told at its place."""
        found: list[Column] = []
        for index, name in enumerate(names):
            with parts.at(field, index):
                found.append(self.column(name, types, wants))
        return found

    def value(self, column: Column) -> "ir.Column":
        """The cells of a column."""
        return self.table[column.physical]

    def outputs(self) -> list[Output]:
        """All columns as they are."""
        return [(column, self.value(column)) for column in self.columns]

    def new_column(self, name: str, type: ColumnType, taken: Iterable[Column] = ()) -> Column:
        """A column for a new display name; its physical name differs from all others here."""
        hidden = [key.column for key in self.order]
        return fresh(name, type, [*self.columns, *taken, *hidden])

    def select(self, outputs: Sequence[Output]) -> "Frame":
        """The table with exactly these columns; the rows stay in their order.

        Raises:
            Misfit: `duplicate_column` when two of them have one name.
        """
        no_duplicates([column.name for column, _ in outputs])
        values = [value.name(column.physical) for column, value in outputs]
        kept = {_plain(value): column for column, value in outputs if _plain(value)}
        order: list[OrderKey] = []
        used = {column.physical for column, _ in outputs}
        for key in self.order:
            name = key.column.physical
            if name in kept:
                order.append(replace(key, column=kept[name]))
                continue
            hidden = name
            if name in used:
                hidden = physical_name(f"order of {name}", 1, used | set(self.table.columns))
            used.add(hidden)
            values.append(self.table[name].name(hidden))
            order.append(replace(key, column=key.column.model_copy(update={"physical": hidden})))
        columns = tuple(column for column, _ in outputs)
        return Frame(self.table.select(values), columns, tuple(order))

    def put(self, name: str, type: ColumnType, value: "ir.Value", *, replacing: bool) -> "Frame":
        """The table with one more column, at the end, or in the place of the one it replaces.

        Raises:
            Misfit: `duplicate_column` when the name exists and nothing is to be replaced.
        """
        there = next((column for column in self.columns if column.name == name), None)
        if there is None:
            return self.select([*self.outputs(), (self.new_column(name, type), value)])
        if not replacing:
            raise misfit(
                "duplicate_column",
                f"There is a column '{name}' already; choose another name, or set replace.",
            )
        new = there.model_copy(update={"type": type})
        return self.select(
            [
                (new, value) if column == there else (column, self.value(column))
                for column in self.columns
            ]
        )

    def filter(self, condition: "ir.BooleanValue") -> "Frame":
        """The rows for which the condition is true."""
        return replace(self, table=self.table.filter(condition))

    def sorted_by(self, keys: Sequence[OrderKey]) -> "Frame":
        """The same rows in this order; where it leaves rows equal, the order before settles it."""
        these = {key.column.physical for key in keys}
        earlier = [key for key in self.order if key.column.physical not in these]
        return replace(self, order=(*keys, *earlier))

    def total_order(self, *, backwards: bool = False) -> list["ir.Value"]:
        """The rows' own order, then every column: rows that tie are equal."""
        order = [key.turned() for key in self.order] if backwards else self.order
        keys = [sort_keys(self.table[k.column.physical], k.column.type, k) for k in order]
        settled = {key.column.physical for key in self.order}
        ties = [
            tie_breaker(self.value(column), column.type, backwards=backwards)
            for column in self.columns
            if column.physical not in settled
        ]
        return [part for key in keys for part in key] + ties


def fresh(name: str, type: ColumnType, taken: Sequence[Column]) -> Column:
    """A column whose physical name follows from its display name and is none of those taken."""
    used = {column.physical for column in taken}
    return Column(name=name, physical=physical_name(name, len(taken) + 1, used), type=type)


def sort_keys(value: "ir.Value", type: ColumnType, key: OrderKey) -> list["ir.Value"]:
    """One order key as expressions: text ignores case, then goes by code point."""
    values = [comparable(value, type)]
    if type == "text":
        lower = cast("ir.StringValue", value).lower()
        values.insert(0, scalar("rx_code_point", "string", lower))
    if key.descending:
        return [part.desc(nulls_first=key.nulls_first) for part in values]
    return [part.asc(nulls_first=key.nulls_first) for part in values]


def tie_breaker(value: "ir.Value", type: ColumnType, *, backwards: bool = False) -> "ir.Value":
    """A value that puts rows that tie into an order that is the same every time."""
    form = comparable(value, type)
    return form.desc(nulls_first=True) if backwards else form.asc(nulls_first=False)


def comparable(value: "ir.Value", type: ColumnType) -> "ir.Value":
    """The value in a form that has one order on every database."""
    if type in {"text", "json"}:
        text = value if type == "text" else value.cast("string")
        return scalar("rx_code_point", "string", text)
    return value


def no_duplicates(names: Sequence[str]) -> None:
    """Raise `duplicate_column` if a name stands twice in the list."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise misfit("duplicate_column", f"There would be two columns named '{name}'.")
        seen.add(name)


def _plain(value: "ir.Value") -> str:
    op = value.op()
    return op.name if isinstance(op, ops.Field) else ""


def _listed(types: Sequence[ColumnType]) -> str:
    return " or ".join([", ".join(types[:-1]), types[-1]] if len(types) > 1 else types)


def order_keys(frame: Frame, items: Sequence[SortItem]) -> tuple[OrderKey, ...]:
    """Sort items as keys of a frame; a column that is named again settles nothing more.

    Raises:
        Misfit: at `<index>.column`, for a column that is unknown or cannot be ordered.
    """
    keys: dict[str, OrderKey] = {}
    with gathering() as parts:
        for index, item in enumerate(items):
            with parts.at(index):
                column = frame.column(item.column, _SORTABLE, "Sorting")
                key = OrderKey(column, item.descending, item.nulls == "first")
                keys.setdefault(column.physical, key)
    return tuple(keys.values())
