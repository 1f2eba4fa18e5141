"""What other systems told of the tables that they fill, as heard in the stream EXT."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chassis.database import Connection, Database, queries
from chassis.outbox import Outgoing
from contracts.envelope import Meta
from contracts.ingest import ExternalConfig
from contracts.outside import SourceSynced
from contracts.tables import TableVersion
from ingest.domain import organization_of
from ingest.external.waiting import Waiting

_queries = queries("ingest.external")
_READS = 1
"""To be raised when a copy of the same table would come out different."""


@dataclass(frozen=True)
class Announcement:
    """The newest word on a table."""

    id: UUID
    seq: int
    """Grows with every announcement."""
    row_count: int | None
    heard_at: datetime

    def fingerprint(self, config: ExternalConfig) -> str:
        """What a version that was copied after this word has for its fingerprint."""
        how = config.model_dump_json(include={"table", "columns"})
        told = f"external/{_READS}/{self.id}/{how}"
        return hashlib.sha256(told.encode()).hexdigest()

    def is_newer(self, config: ExternalConfig, published: TableVersion | None) -> bool:
        """Whether what readers see was copied after another word than this."""
        return published is None or published.fingerprint != self.fingerprint(config)


class Announcements:
    """Keeps what is told, and ends the waits for it."""

    def __init__(self, database: Database, waiting: Waiting) -> None:
        self._database = database
        self._waiting = waiting

    async def source_synced(self, event: SourceSynced, meta: Meta) -> Sequence[Outgoing]:
        """SourceSynced, told from outside; the organisation is the gateway's word."""
        org_id = organization_of(meta)
        async with self._database.organization(org_id) as connection:
            await _queries.announce(
                connection,
                id=meta.id,
                org_id=org_id,
                table_name=event.table,
                row_count=event.rows,
            )
        self._waiting.look()
        return ()

    async def newest(self, org_id: UUID, table: str) -> Announcement | None:
        """The newest word on a table, if there ever was one."""
        async with self._database.organization(org_id) as connection:
            return await _newest(connection, table)


async def _newest(connection: Connection, table: str) -> Announcement | None:
    row = await _queries.newest(connection, table_name=table)
    return Announcement(**row) if row else None
