"""Handlers of ingest, named for their messages."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

from nats.aio.msg import Msg

from chassis.bus import Bus
from chassis.database import AWAY
from chassis.jobs import Jobs
from chassis.objects import Objects
from chassis.outbox import Outgoing
from chassis.telemetry import log
from contracts.envelope import MalformedMessage, Meta, from_body, from_headers
from contracts.ingest import (
    CreateSource,
    CsvConfig,
    DeleteSource,
    GetSource,
    ListSources,
    PlannedSource,
    PlanSources,
    PreviewSource,
    RegisterUpload,
    Source,
    SourceList,
    SourcePreview,
    SourcesPlan,
    UpdateSource,
    Upload,
)
from contracts.message import Done
from contracts.orchestrator import RunCancelRequested
from contracts.problem import ProblemError, problem
from contracts.transform import DeclareTable, EnsureOrganization
from ingest import files
from ingest.connectors import BadSource, Unavailable
from ingest.connectors.csv import Inspection
from ingest.domain import options_of, organization_of
from ingest.jobs import InspectJob, SampleJob
from ingest.pool import WorkerPool
from ingest.removing import Remover
from ingest.steps import Steps
from ingest.store import Store, require_unchanged


class Handlers:
    """What ingest does when it is told or asked something."""

    def __init__(
        self,
        bus: Bus,
        jobs: Jobs,
        store: Store,
        steps: Steps,
        objects: Objects,
        pool: WorkerPool,
        remover: Remover,
        max_reads: int,
    ) -> None:
        self._bus = bus
        self._jobs = jobs
        self._store = store
        self._steps = steps
        self._objects = objects
        self._pool = pool
        self._remover = remover
        self._reading = asyncio.Semaphore(max_reads)

    async def register_upload(self, request: RegisterUpload, meta: Meta) -> Upload:
        """RegisterUpload."""
        return await self._store.keep_upload(organization_of(meta), request)

    async def create_source(self, request: CreateSource, meta: Meta) -> Source:
        """CreateSource: kept unseen until its display name is reserved with its table."""
        org_id = organization_of(meta)
        request = request.model_copy(update={"name": request.name.strip()})
        made = await self._store.made(org_id, request)
        if made is not None:
            return _not_deleting(made)
        inspection = await self._inspect(org_id, request.config)
        await self._store.begin(org_id, request, inspection.warnings)
        try:
            await self._bus.ask(EnsureOrganization(), org_id=org_id, actor=meta.actor)
            await self._declare(meta, request.source_id, request.name, inspection)
        except ProblemError:
            await self._take_back(org_id, request.source_id, meta)
            raise
        return await self._store.finish_creation(org_id, request.source_id)

    async def get_source(self, request: GetSource, meta: Meta) -> Source:
        """GetSource."""
        return await self._store.get(organization_of(meta), request.source_id)

    async def list_sources(self, request: ListSources, meta: Meta) -> SourceList:
        """ListSources."""
        return await self._store.list(organization_of(meta), request)

    async def update_source(self, request: UpdateSource, meta: Meta) -> Source:
        """UpdateSource: what is read in another way has other expected columns."""
        org_id = organization_of(meta)
        old = _not_deleting(await self._store.get(org_id, request.source_id))
        require_unchanged(request.if_revision in (None, old.revision))
        name = old.name if request.name is None else request.name.strip()
        config, warnings, inspection = old.config, old.warnings, None
        if request.config is not None:
            inspection = await self._inspect(org_id, request.config)
            config, warnings = request.config, inspection.warnings
        # The catalogue is told inside, so that of two changes at once both places keep the same.
        async with self._store.updating(org_id, old, name, config, warnings):
            await self._declare(meta, old.id, name, inspection)
        return await self._store.get(org_id, old.id)

    async def delete_source(self, request: DeleteSource, meta: Meta) -> Done:
        """DeleteSource."""
        org_id = organization_of(meta)
        source = await self._store.get(org_id, request.source_id)
        require_unchanged(request.if_revision in (None, source.revision))
        await self._remover.remove(org_id, source, meta.actor)
        return Done()

    async def preview_source(self, request: PreviewSource, meta: Meta) -> SourcePreview:
        """PreviewSource."""
        options = options_of(request.config)
        async with self._file(organization_of(meta), request.config) as path:
            preview = await self._pool.sample(
                SampleJob(path=path, options=options, limit=request.limit)
            )
        found = preview.inspection
        return SourcePreview(
            columns=tuple(column.as_column() for column in found.columns),
            rows=preview.rows,
            **found.dialect.model_dump(),
            warnings=found.warnings,
        )

    async def plan_sources(self, request: PlanSources, meta: Meta) -> SourcesPlan:
        """PlanSources."""
        found = await self._store.ready(organization_of(meta), request.source_ids)
        missing = [str(key) for key in request.source_ids if key not in found]
        if missing:
            raise problem(422, "unknown_source", f"There is no source {', '.join(missing)} to run.")
        ordered = (found[key] for key in request.source_ids)
        return SourcesPlan(
            sources=tuple(
                PlannedSource(source_id=source.id, name=source.name, table_id=source.table_id)
                for source in ordered
            )
        )

    async def run_cancel_requested(
        self, event: RunCancelRequested, meta: Meta
    ) -> Sequence[Outgoing]:
        """RunCancelRequested: kept for syncs that come later, those that run are stopped."""
        # Marked first: a sync that begins in between finds the mark, one before it is stopped.
        try:
            await self._steps.cancel(organization_of(meta), event.run_id)
        finally:
            stopped = self._jobs.stop(event.run_id)
            log.info("run_cancel_heard", run_id=str(event.run_id), stopped=stopped)
        return ()

    async def run_cancel_heard(self, message: Msg) -> None:
        """RunCancelRequested as every replica hears it: whoever holds a sync stops it."""
        try:
            meta = from_headers(message.headers, message.subject)
            await self.run_cancel_requested(from_body(RunCancelRequested, message.data), meta)
        except MalformedMessage as error:
            log.warning("cancel_not_understood", error=str(error))
        except AWAY as error:
            log.warning("cancel_not_marked", error=str(error) or repr(error))

    async def _inspect(self, org_id: UUID, config: CsvConfig) -> Inspection:
        async with self._file(org_id, config) as path:
            return await self._pool.inspect(InspectJob(path=path, options=options_of(config)))

    async def _declare(
        self, meta: Meta, table_id: UUID, name: str, inspection: Inspection | None
    ) -> None:
        columns = inspection and tuple(column.as_column() for column in inspection.columns)
        declare = DeclareTable(
            table_id=table_id, table_kind="source", display_name=name, expected=columns
        )
        await self._bus.ask(declare, org_id=meta.org_id, actor=meta.actor)

    async def _take_back(self, org_id: UUID, source_id: UUID, meta: Meta) -> None:
        try:
            await self._remover.take_back(org_id, source_id, meta.actor)
        except (ProblemError, *AWAY) as error:
            # The remover comes back to it; why the creation failed is what its asker must hear.
            log.warning("source_not_taken_back", source_id=str(source_id), error=str(error))

    @asynccontextmanager
    async def _file(self, org_id: UUID, config: CsvConfig) -> AsyncIterator[Path]:
        """The upload on this machine; what is wrong with it becomes a problem in words."""
        upload = await self._store.upload(org_id, config.upload_id)
        try:
            async with self._reading, files.local(self._objects, org_id, upload) as path:
                yield path
        except BadSource as error:
            raise problem(422, error.code, error.message) from error
        except Unavailable as error:
            raise problem(503, error.code, error.message) from error


def _not_deleting(source: Source) -> Source:
    """The source; raises a 409 problem while it is being deleted."""
    if source.status == "deleting":
        raise problem(409, "being_deleted", f"The source '{source.name}' is being deleted.")
    return source
