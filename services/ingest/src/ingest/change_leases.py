"""Leases on sources: who holds one changes the source alone, across replicas and other services' answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import UUID

from chassis.database import AWAY, Database, queries
from contracts.envelope import new_id
from contracts.problem import problem

_queries = queries("ingest")
_LENGTH = 120.0
"""Seconds after which a lease is free again, whose holder died."""
_PATIENCE = 10.0
_AGAIN = 0.05


class ChangeLeases:
    """Lets one request at a time change a source; no connection is held meanwhile."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def hold(self, org_id: UUID, source_id: UUID) -> AsyncIterator[UUID]:
        """A lease for the length of the block: its id, which whoever writes the change shows.

        Raises a 503 problem `source_busy` when another request keeps it for long. A source that
        does not exist is nobody's.
        """
        lease = new_id()
        try:
            async with asyncio.timeout(_PATIENCE):
                # Another replica may hold it: nothing in this process hears of its end.
                while not await self._take(org_id, source_id, lease):  # noqa: ASYNC110
                    await asyncio.sleep(_AGAIN)
        except TimeoutError as error:
            raise problem(
                503,
                "source_busy",
                "Another request is changing this source. Repeat yours shortly.",
                retry_after=5,
            ) from error
        try:
            yield lease
        finally:
            # One that cannot be given back now ends by itself.
            with suppress(*AWAY):
                async with self._database.organization(org_id) as connection:
                    await _queries.give_lease_back(connection, source_id=source_id, lease=lease)

    async def _take(self, org_id: UUID, source_id: UUID, lease: UUID) -> bool:
        """Whether nobody else holds the source."""
        async with self._database.organization(org_id) as connection:
            return await _queries.take_lease(
                connection, source_id=source_id, lease=lease, seconds=_LENGTH
            )
