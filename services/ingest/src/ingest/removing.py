"""Taking sources away, with their tables and files; what a crash interrupted is finished."""

import asyncio
from uuid import UUID

from chassis.bus import Bus
from chassis.database import AWAY
from chassis.telemetry import log
from contracts.ingest import Source
from contracts.orchestrator import FindPipelineUsers
from contracts.problem import ProblemError
from contracts.transform import ListTables
from ingest.catalogue import Catalogue
from ingest.change_leases import ChangeLeases
from ingest.domain import source_in_use
from ingest.readers import Asked, Readers
from ingest.store import Store


class Remover:
    """Removes sources; every part of it may be repeated."""

    def __init__(
        self,
        bus: Bus,
        store: Store,
        leases: ChangeLeases,
        catalogue: Catalogue,
        readers: Readers,
        every: float,
    ) -> None:
        """`every`: seconds between two looks for what was interrupted."""
        self._bus = bus
        self._store = store
        self._leases = leases
        self._catalogue = catalogue
        self._readers = readers
        self._every = every

    async def remove(self, org_id: UUID, source: Source, actor: str) -> None:
        """Delete a source everywhere. Raises a 409 problem while it is used: it is ready again.

        It is marked first, so that no run begins with it. Where another problem stops this, the
        mark stays, and the removal is finished later.
        """
        async with self._leases.hold(org_id, source.id):
            await self._store.set_status(org_id, source.id, "deleting")
        try:
            users = await self._bus.ask(
                FindPipelineUsers(target_id=source.id), org_id=org_id, actor=actor
            )
            if users.names:
                readers = await self._recipes(org_id, source, actor)
                raise source_in_use(source.name, readers, users.names)
            await self._catalogue.drop(org_id, source, actor)
        except ProblemError as error:
            if error.problem.status == 409:
                await self._store.set_status(org_id, source.id, "ready")
            raise
        asked = Asked(org_id, source.id, source.config)
        await self._readers[source.source_type].forget(asked)
        await self._store.delete(org_id, source.id)

    async def _recipes(self, org_id: UUID, source: Source, actor: str) -> tuple[str, ...]:
        """Names of the transformations that read one of a source's tables."""
        ids = (source.table_id, *(table.table_id for table in source.other_tables))
        asked = ListTables(table_ids=ids, limit=len(ids))
        tables = (await self._bus.ask(asked, org_id=org_id, actor=actor)).tables
        return tuple(dict.fromkeys(name for table in tables for name in table.used_by))

    async def take_back(self, org_id: UUID, source_id: UUID, actor: str) -> None:
        """Forget a source that was begun and not finished, and free its name."""
        async with self._leases.hold(org_id, source_id) as lease:
            source = await self._store.unfinished(org_id, source_id)
            if source is not None:
                await self._catalogue.drop(org_id, source, actor)
                await self._store.delete_unfinished(org_id, source_id, lease)

    async def run(self) -> None:
        """Finish what was interrupted, now and then, until cancelled."""
        while True:
            try:
                for org_id, source_id, status in await self._store.interrupted():
                    await self._finish(org_id, source_id, status)
            except AWAY as error:
                log.warning("interrupted_not_read", error=str(error) or repr(error))
            await asyncio.sleep(self._every)

    async def _finish(self, org_id: UUID, source_id: UUID, status: str) -> None:
        try:
            if status == "creating":
                await self.take_back(org_id, source_id, self._bus.service)
            else:
                source = await self._store.get(org_id, source_id)
                await self.remove(org_id, source, self._bus.service)
            log.info("source_tidied", source_id=str(source_id), status=status)
        except ProblemError as error:
            log.warning("source_not_tidied", source_id=str(source_id), error=str(error))
