"""The tables of sources in transform's catalogue: their names and expected columns."""

from collections.abc import Iterable
from uuid import UUID

from chassis.bus import Bus
from contracts.ingest import Source, SourceTable
from contracts.tables import Column
from contracts.transform import DeclareTable, DropTable
from ingest.readers import ExpectedTable, Loaded
from ingest.store import Store


class Catalogue:
    """Tells transform what sources fill."""

    def __init__(self, bus: Bus, store: Store) -> None:
        self._bus = bus
        self._store = store

    async def declare(
        self, org_id: UUID, source_name: str, tables: Iterable[ExpectedTable], actor: str
    ) -> None:
        """Reserve the names of a source's tables with their columns; may be repeated.

        Raises ProblemError (409 `name_taken`).
        """
        for table in tables:
            await self._declare(
                org_id, table.table_id, shown(source_name, table.name), table.columns, actor
            )

    async def rename(self, org_id: UUID, source: Source, name: str, actor: str) -> None:
        """Give a source's tables the names that follow from its new one."""
        await self._declare(org_id, source.table_id, name, None, actor)
        for table in source.other_tables:
            await self._declare(org_id, table.table_id, shown(name, table.name), None, actor)

    async def keep_others(self, org_id: UUID, source: Source, loaded: Loaded, actor: str) -> None:
        """Make room for the tables that a sync found beside the source's own."""
        known = {table.table_id: table.name for table in source.other_tables}
        columns = {version.table_id: version.columns for version in loaded.tables}
        added = [
            ExpectedTable(table_id, name, columns[table_id])
            for table_id, name in loaded.names.items()
            if known.get(table_id) != name
        ]
        if added:
            await self.declare(org_id, source.name, added, actor)
            tables = merged(source.other_tables, others_of(added))
            await self._store.keep_other_tables(org_id, source.id, tables)

    async def drop(self, org_id: UUID, source: Source, actor: str) -> None:
        """Forget a source's tables; a 409 problem names who reads one, and all of them stay."""
        others = tuple(table.table_id for table in source.other_tables)
        drop = DropTable(table_id=source.table_id, other_table_ids=others)
        await self._bus.ask(drop, org_id=org_id, actor=actor)

    async def _declare(
        self,
        org_id: UUID,
        table_id: UUID,
        name: str,
        columns: tuple[Column, ...] | None,
        actor: str,
    ) -> None:
        declare = DeclareTable(
            table_id=table_id, table_kind="source", display_name=name, expected=columns
        )
        await self._bus.ask(declare, org_id=org_id, actor=actor)


def shown(source_name: str, table_name: str) -> str:
    """What people call a table of a source."""
    return f"{source_name} / {table_name}" if table_name else source_name


def others_of(tables: Iterable[ExpectedTable]) -> tuple[SourceTable, ...]:
    """A source's other tables, as it remembers them."""
    return tuple(
        SourceTable(table_id=table.table_id, name=table.name) for table in tables if table.name
    )


def merged(known: Iterable[SourceTable], found: Iterable[SourceTable]) -> tuple[SourceTable, ...]:
    """The tables of both, with the names that were found."""
    return tuple({table.table_id: table for table in (*known, *found)}.values())
