"""Handlers of what people ask and say about changes of sources, named for their messages."""

from contracts.drift import SchemaChange
from contracts.envelope import Meta
from contracts.ingest import (
    AcceptSchemaChange,
    ColumnHistory,
    GetColumnHistory,
    ListSchemaChanges,
    RejectSchemaChange,
    SchemaChangeList,
)
from ingest.changes import Changes
from ingest.domain import organization_of
from ingest.store import Store


class Deciding:
    """Shows changes, and keeps what people say to them; the next sync goes by it."""

    def __init__(self, store: Store, changes: Changes) -> None:
        self._store = store
        self._changes = changes

    async def list_schema_changes(self, request: ListSchemaChanges, meta: Meta) -> SchemaChangeList:
        """ListSchemaChanges."""
        org_id = organization_of(meta)
        await self._store.get(org_id, request.source_id)
        return await self._changes.list(org_id, request)

    async def accept_schema_change(self, request: AcceptSchemaChange, meta: Meta) -> SchemaChange:
        """AcceptSchemaChange."""
        return await self._changes.decide(
            organization_of(meta), request.source_id, request.number, "accepted", meta.actor
        )

    async def reject_schema_change(self, request: RejectSchemaChange, meta: Meta) -> SchemaChange:
        """RejectSchemaChange."""
        return await self._changes.decide(
            organization_of(meta), request.source_id, request.number, "rejected", meta.actor
        )

    async def get_column_history(self, request: GetColumnHistory, meta: Meta) -> ColumnHistory:
        """GetColumnHistory."""
        return await self._changes.history(organization_of(meta), request.source_id)
