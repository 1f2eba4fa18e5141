"""Looks into sources while people wait: each organisation within its share of the slots."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from chassis.shares import Share, Shares
from contracts.ingest import SourceType
from contracts.shares import OUTSIDE_READS, READS
from ingest.readers import in_words
from ingest.settings import Settings


class Looking:
    """Slots for files, and slots apart from them for what lies on other servers."""

    def __init__(self, shares: Shares, settings: Settings) -> None:
        """Sizes both shares as the settings say, so it is made before anything else uses them."""
        outside = shares.of(OUTSIDE_READS.resized(settings.max_outside_reads))
        own = shares.of(READS.resized(settings.max_reads))
        self._of: dict[SourceType, Share] = {
            "csv": own,
            "external": own,
            "google_sheets": outside,
            "kobo": outside,
        }

    @asynccontextmanager
    async def into(self, org_id: UUID, source_type: SourceType) -> AsyncIterator[None]:
        """A turn to read a source; what is wrong with it becomes a problem in words."""
        with in_words():
            async with self._of[source_type].slot(org_id):
                yield
