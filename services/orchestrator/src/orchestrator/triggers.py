"""News from elsewhere that set pipelines off: new uploads, and what other systems ask for."""

from collections.abc import AsyncIterator, Callable
from functools import partial
from uuid import UUID

from asyncpg import Record

from chassis.database import Connection, Database, queries
from chassis.outbox import Outbox
from contracts.envelope import Meta
from contracts.ingest import UploadAdded
from contracts.orchestrator import Cause
from contracts.outside import PipelineRun
from orchestrator.firing import News, followers
from orchestrator.store import RunStore

_queries = queries("orchestrator")


class Triggers:
    """Takes news in, each once. That a pipeline's run succeeded is dealt with where the run ends."""

    def __init__(self, database: Database, runs: RunStore, outbox: Outbox) -> None:
        self._database = database
        self._runs = runs
        self._outbox = outbox

    async def upload_added(self, org_id: UUID, event: UploadAdded, meta: Meta) -> bool:
        """Set off what waits for uploads of a source; whether a run was started."""
        cause = Cause(type="upload", source_id=event.source_id, upload_id=event.upload_id)
        find = partial(_queries.set_off_by_upload, source_id=event.source_id)
        # Not the upload's id: a file that is given again, after another, is news.
        return await self._set_off(org_id, find, News(meta.id, cause, meta.actor))

    async def pipeline_run(self, org_id: UUID, event: PipelineRun, meta: Meta) -> bool:
        """Set off the pipeline that is asked for, if it is there; whether a run was started."""
        cause = Cause(type="event", event_id=meta.id, event_source=meta.source)
        find = partial(_queries.set_off_by_name, pipeline_id=event.pipeline_id)
        return await self._set_off(org_id, find, News(meta.id, cause, meta.actor))

    async def _set_off(
        self, org_id: UUID, find: Callable[[Connection], AsyncIterator[Record]], news: News
    ) -> bool:
        async with self._database.organization(org_id) as connection:
            found = await followers(find(connection))
            if not found:
                return False
            now = await _queries.now(connection)
            started = await self._runs.set_off(connection, org_id, found, news, now)
        if started:
            self._outbox.wake()
        return started
