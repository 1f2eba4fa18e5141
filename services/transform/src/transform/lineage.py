"""Where tables and columns come from: through chains of recipes down to the sources."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from chassis.paging import cursor, name_key
from contracts.problem import ProblemError
from contracts.tables import Column
from contracts.transform import (
    ColumnLineage,
    ColumnOrigin,
    ListTables,
    ReadColumn,
    RelatedTable,
    TracedColumn,
    TracedTable,
    TracedTables,
    TraceTables,
    TransformationLineage,
)
from recipe import Context
from transform.catalogue import Catalogue
from transform.compiler import Compiler
from transform.domain import CatalogueTable, beyond
from transform.placing import live_tables
from transform.saved import Saved
from transform.store import Store

_ANY_DAY = Context(as_of=datetime(2000, 1, 1, tzinfo=UTC))
"""Where a column comes from does not depend on the day."""

_KEPT = 1_000
"""Recipes whose traces are remembered: a trace costs about as much as compiling."""

_ROOM = 4_000
"""Columns and their origins in one page: half of what an answer on the bus may hold."""

End = tuple[UUID, str | None]
"""A table, and the display name of one of its columns; None: its rows."""


@dataclass(frozen=True)
class Trace:
    """What a recipe makes its columns of, out of the tables that it reads itself."""

    columns: tuple[Column, ...]
    ends: Mapping[str, tuple[End, ...]]
    misfit: str | None = None
    """Why the recipe does not compile on what its inputs have now."""


class Lineage:
    """Answers where columns come from, for the transformations of all organisations."""

    def __init__(self, store: Store, catalogue: Catalogue, compiler: Compiler) -> None:
        self._store = store
        self._catalogue = catalogue
        self._compiler = compiler
        self._known: OrderedDict[object, Trace] = OrderedDict()

    async def transformation(self, org_id: UUID, transformation_id: UUID) -> TransformationLineage:
        """One transformation; raises problems 404, and 422 when its recipe does not fit any more."""
        saved = await self._store.get(org_id, transformation_id)
        reads = await self._store.graph(org_id)
        above = beyond(reads, transformation_id)
        recipes = await self._store.present(org_id, [t for t in above if t in reads])
        read = {table_id for one in (saved, *recipes) for table_id in one.reads}
        tables = {table.table_id: table for table in await self._catalogue.around(org_id, (), read)}
        traces = {one.transformation_id: await self._trace(org_id, one, tables) for one in recipes}
        own = await self._trace(org_id, saved, tables, strict=True)
        sources = _Sources(traces, reads)
        return TransformationLineage(
            transformation_id=transformation_id,
            version=saved.version,
            columns=tuple(
                ColumnLineage(
                    name=column.name,
                    type=column.type,
                    origins=_told(sources.of(own.ends[column.name]), tables),
                    read=_told(own.ends[column.name], tables),
                )
                for column in own.columns
            ),
            upstream=_related(above, reads.get(transformation_id, set()), tables),
            downstream=_related(
                beyond(_turned(reads), transformation_id),
                _turned(reads).get(transformation_id, set()),
                tables,
            ),
        )

    async def tables(self, org_id: UUID, request: TraceTables) -> TracedTables:
        """A page of all tables, by display name; shorter than asked for where tables are wide."""
        listed = await self._catalogue.page(
            org_id, ListTables(limit=request.limit, cursor=request.cursor)
        )
        reads = await self._store.graph(org_id)
        read_by = _turned(reads)
        recipes: list[Saved] = []
        if request.with_columns:
            wanted = [table.table_id for table in listed.tables if table.kind == "transform"]
            recipes = await self._store.present(org_id, wanted)
        ids = {table_id for one in recipes for table_id in one.reads}
        ids |= {one.table_id for one in listed.tables}
        tables = await self._catalogue.some(org_id, ids)
        page = [tables[one.table_id] for one in listed.tables if one.table_id in tables]
        traces = {one.transformation_id: await self._trace(org_id, one, tables) for one in recipes}
        told: list[TracedTable] = []
        room = _ROOM
        for table in page:
            traced = _traced(table, traces.get(table.table_id), reads, read_by)
            room -= sum(1 + len(column.origins) for column in traced.columns)
            if told and room < 0 and request.with_columns:
                return TracedTables(tables=tuple(told), next_cursor=cursor(name_key(told[-1].name)))
            plain = traced if request.with_columns else traced.model_copy(update={"columns": ()})
            told.append(plain)
        return TracedTables(tables=tuple(told), next_cursor=listed.next_cursor)

    async def _trace(
        self,
        org_id: UUID,
        saved: Saved,
        tables: Mapping[UUID, CatalogueTable],
        *,
        strict: bool = False,
    ) -> Trace:
        """What a recipe's columns are made of; `strict` raises its 422 problem if it does not fit."""
        read = [tables[table_id] for table_id in saved.reads if table_id in tables]
        inputs = tuple((table.table_id, table.columns) for table in read)
        key = (saved.transformation_id, saved.version, inputs)
        if key in self._known:
            self._known.move_to_end(key)
            return self._known[key]
        try:
            columns, ends = await self._compiler.trace(
                org_id, saved.recipe, live_tables(org_id, read), _ANY_DAY
            )
        except ProblemError as error:
            if strict:
                raise
            return Trace((), {}, error.problem.detail)
        trace = Trace(
            columns,
            {
                name: tuple((UUID(one.table_id), one.column) for one in origins)
                for name, origins in ends.items()
            },
        )
        self._known[key] = trace
        if len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return trace


class _Sources:
    """Follows columns through recipes to where no recipe makes them."""

    def __init__(self, traces: Mapping[UUID, Trace], reads: Mapping[UUID, Iterable[UUID]]) -> None:
        self._traces = traces
        self._reads = reads
        self._known: dict[End, frozenset[End]] = {}

    def of(self, ends: Iterable[End]) -> frozenset[End]:
        """The last ends; a column of a recipe that does not say where it comes from is one."""
        found: set[End] = set()
        for end in ends:
            if end not in self._known:
                before = self._before(end)
                self._known[end] = frozenset((end,)) if before is None else self.of(before)
            found |= self._known[end]
        return frozenset(found)

    def _before(self, end: End) -> Iterable[End] | None:
        table_id, column = end
        trace = self._traces.get(table_id)
        if trace is None or trace.misfit is not None:
            return None
        if column is None:
            return [(read, None) for read in self._reads[table_id]]
        return trace.ends.get(column)


def _traced(
    table: CatalogueTable,
    trace: Trace | None,
    reads: Mapping[UUID, set[UUID]],
    read_by: Mapping[UUID, set[UUID]],
) -> TracedTable:
    ends = trace.ends if trace else {}
    columns = tuple(
        TracedColumn(
            name=column.name,
            type=column.type,
            origins=tuple(
                ReadColumn(table_id=table_id, column=read)
                for table_id, read in ends.get(column.name, ())
            ),
        )
        for column in table.columns
    )
    return TracedTable(
        table_id=table.table_id,
        name=table.name,
        kind=table.kind,
        columns=columns,
        reads=tuple(sorted(reads.get(table.table_id, ()))),
        read_by=tuple(sorted(read_by.get(table.table_id, ()))),
        misfit=trace.misfit if trace else None,
    )


def _told(ends: Iterable[End], tables: Mapping[UUID, CatalogueTable]) -> tuple[ColumnOrigin, ...]:
    known = ((tables[table_id], column) for table_id, column in ends if table_id in tables)
    return tuple(
        ColumnOrigin(table=table.name, table_id=table.table_id, kind=table.kind, column=column)
        for table, column in sorted(known, key=lambda end: (end[0].name, end[1] or ""))
    )


def _related(
    found: Iterable[UUID], direct: Iterable[UUID], tables: Mapping[UUID, CatalogueTable]
) -> tuple[RelatedTable, ...]:
    near = set(direct)
    return tuple(
        RelatedTable(
            table_id=table.table_id,
            name=table.name,
            kind=table.kind,
            is_direct=table.table_id in near,
        )
        for table in sorted(
            (tables[table_id] for table_id in found if table_id in tables),
            key=lambda table: name_key(table.name),
        )
    )


def _turned(reads: Mapping[UUID, Iterable[UUID]]) -> dict[UUID, set[UUID]]:
    """Who reads a table, out of what each one reads."""
    turned: dict[UUID, set[UUID]] = {}
    for reader, tables in reads.items():
        for table in tables:
            turned.setdefault(table, set()).add(reader)
    return turned
