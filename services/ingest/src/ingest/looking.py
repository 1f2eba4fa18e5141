"""Looks into sources while people wait: each organisation within its share of the slots."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from chassis.shares import Share, Shares
from contracts.ingest import Config, SourcePreview, SourceType
from contracts.shares import OUTSIDE_READS, READS
from ingest.domain import type_of
from ingest.readers import Asked, Inspected, Readers, in_words
from ingest.settings import Settings


class Looking:
    """Slots for files, and slots apart from them for what lies on other servers."""

    def __init__(self, shares: Shares, settings: Settings, readers: Readers) -> None:
        """Sizes both shares as the settings say, so it is made before anything else uses them."""
        outside = shares.of(OUTSIDE_READS.resized(settings.max_outside_reads))
        own = shares.of(READS.resized(settings.max_reads))
        self._readers = readers
        self._of: dict[SourceType, Share] = {
            "csv": own,
            "external": own,
            "google_sheets": outside,
            "kobo": outside,
        }

    async def inspect(self, asked: Asked[Config]) -> Inspected:
        """What a source would give; what is wrong with it becomes a problem in words."""
        source_type = type_of(asked.config)
        async with self._turn(asked.org_id, source_type):
            return await self._readers[source_type].inspect(asked)

    async def preview(
        self, asked: Asked[Config], source_type: SourceType, limit: int
    ) -> SourcePreview:
        """The first rows as they would arrive; problems as of `inspect`."""
        async with self._turn(asked.org_id, source_type):
            return await self._readers[source_type].preview(asked, limit)

    @asynccontextmanager
    async def _turn(self, org_id: UUID, source_type: SourceType) -> AsyncIterator[None]:
        with in_words():
            async with self._of[source_type].slot(org_id):
                yield
