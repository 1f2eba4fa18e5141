"""A source as people see it: ingest's word on where it comes from, transform's on what arrived."""

import asyncio
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel

from contracts.ingest import (
    Config,
    GetSource,
    ListSources,
    Source,
    SourceStatus,
    SourceTable,
    SourceType,
)
from contracts.problem import ProblemError
from contracts.tables import Column, Notice
from contracts.transform import GetTable, ListTables, WarehouseTable
from gateway.auth import Caller
from gateway.edge import Edge


class SourceView(BaseModel):
    """A source; rows are None until it was published, `columns` are the expected ones until then."""

    id: UUID
    name: str
    source_type: SourceType
    config: Config
    warehouse_table_name: str
    other_tables: tuple[SourceTable, ...]
    """Tables that the source fills besides: repeats of a form."""
    column_count: int | None
    row_count: int | None
    columns: tuple[Column, ...]
    last_synced_at: datetime | None
    last_error: str | None
    status: SourceStatus
    warnings: tuple[Notice, ...]
    revision: int
    created_at: datetime


async def find_source(edge: Edge, caller: Caller, source_id: UUID) -> SourceView:
    """One source; both owners are asked at once. Raises ProblemError 404."""
    source, table = await asyncio.gather(
        edge.ask(caller, GetSource(source_id=source_id)),
        find_table(edge, caller, table_name(source_id)),
    )
    return compose(source, table)


async def list_sources(
    edge: Edge, caller: Caller, limit: int, cursor: str | None
) -> tuple[list[SourceView], str | None]:
    """A page of sources, and where the next begins."""
    page = await edge.ask(caller, ListSources(limit=limit, cursor=cursor))
    if not page.sources:
        return [], page.next_cursor
    wanted = tuple(source.table_id for source in page.sources)
    answer = await edge.ask(caller, ListTables(table_ids=wanted, limit=len(wanted)))
    tables = {table.table_id: table for table in answer.tables}
    return [compose(one, tables.get(one.table_id)) for one in page.sources], page.next_cursor


async def find_table(edge: Edge, caller: Caller, name: str) -> WarehouseTable | None:
    """A table of the catalogue, None when it is not there."""
    try:
        return await edge.ask(caller, GetTable(name=name))
    except ProblemError as error:
        if error.problem.status == 404:
            return None
        raise


def table_name(source_id: UUID) -> str:
    """The physical name of a source's table; known before either owner is asked."""
    return f"source_{source_id.hex}"


def compose(source: Source, table: WarehouseTable | None) -> SourceView:
    """One view of a source out of its two owners' answers."""
    columns = table.columns if table else ()
    return SourceView(
        id=source.id,
        name=source.name,
        source_type=source.source_type,
        config=source.config,
        warehouse_table_name=table.physical_name if table else table_name(source.id),
        other_tables=source.other_tables,
        column_count=len(columns) if table else None,
        row_count=table.row_count if table else None,
        columns=columns,
        last_synced_at=source.last_synced_at,
        last_error=source.last_error,
        status=source.status,
        warnings=source.warnings,
        revision=source.revision,
        created_at=source.created_at,
    )
