"""Columns of sources: what there is, what changed, and what people say to it."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response

from contracts.drift import SchemaChange
from contracts.ingest import (
    AcceptSchemaChange,
    GetColumnHistory,
    ListSchemaChanges,
    RejectSchemaChange,
)
from contracts.tables import Column
from contracts.text import MAX_COUNT
from gateway.answers import sends
from gateway.conventions import Cursor, Limit, link_next
from gateway.edge import EdgeDep, Editor, Reader
from gateway.sources import find_table, table_name

Number = Annotated[int, Path(ge=1, le=MAX_COUNT, description="Counts from 1 for each source.")]

router = APIRouter(prefix="/sources/{source_id}/schema", tags=["sources"])


class SourceColumn(Column):
    """A column of a source's own table."""

    nullable: bool | None
    """Whether there are empty cells in it; None until it was published."""
    first_seen: datetime
    """Since when it is there."""


@router.get("")
async def schema(source_id: UUID, edge: EdgeDep, caller: Reader) -> list[SourceColumn]:
    """The columns: those published, until then those expected."""
    history = await edge.ask(caller, GetColumnHistory(source_id=source_id))
    table = await find_table(edge, caller, table_name(source_id))
    if table is None:
        return []
    empty = None if table.nullable is None else set(table.nullable)
    return [
        SourceColumn(
            **column.model_dump(),
            nullable=None if empty is None else column.name in empty,
            first_seen=history.added.get(column.name, history.since),
        )
        for column in table.columns
    ]


@router.get("/changes", responses=sends(200, "Link"))
async def schema_changes(
    source_id: UUID,
    request: Request,
    response: Response,
    edge: EdgeDep,
    caller: Reader,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> list[SchemaChange]:
    """What changed since the source was made, the newest first."""
    asked = ListSchemaChanges(source_id=source_id, limit=limit, cursor=cursor)
    page = await edge.ask(caller, asked)
    link_next(request, response, page.next_cursor)
    return list(page.changes)


@router.post("/changes/{number}/accept")
async def accept_change(
    source_id: UUID, number: Number, edge: EdgeDep, caller: Editor
) -> SchemaChange:
    """Let a held change through at the next sync, exactly as it is; this starts no sync."""
    return await edge.ask(caller, AcceptSchemaChange(source_id=source_id, number=number))


@router.post("/changes/{number}/reject")
async def reject_change(
    source_id: UUID, number: Number, edge: EdgeDep, caller: Editor
) -> SchemaChange:
    """Keep the last good data until the source says something else."""
    return await edge.ask(caller, RejectSchemaChange(source_id=source_id, number=number))
