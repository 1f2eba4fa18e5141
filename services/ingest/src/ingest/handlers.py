"""Handlers of ingest, named for their messages."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from nats.aio.msg import Msg

from chassis.bus import Bus
from chassis.database import AWAY
from chassis.jobs import Jobs
from chassis.objects import Objects
from chassis.outbox import Outgoing
from chassis.telemetry import log
from chassis.withdrawals import undivided
from contracts.envelope import MalformedMessage, Meta, from_body, from_headers, new_id
from contracts.ingest import (
    Config,
    CreateSource,
    DeleteSource,
    ExternalConfig,
    GetSource,
    ListRejects,
    ListSources,
    PlannedSource,
    PlanSources,
    PreviewSource,
    RegisterUpload,
    Source,
    SourceList,
    SourcePreview,
    SourcesPlan,
    SourceTable,
    StoredRejects,
    UpdateSource,
    Upload,
)
from contracts.message import Done
from contracts.orchestrator import RunCancelRequested
from contracts.problem import ProblemError, problem
from contracts.tables import Notice
from contracts.transform import EnsureOrganization
from ingest import rejects
from ingest.catalogue import Catalogue, merged, others_of
from ingest.change_leases import ChangeLeases
from ingest.domain import not_deleting, organization_of
from ingest.erasing import OF_THE_REQUEST, Erasing
from ingest.looking import Looking
from ingest.readers import Asked, Inspected
from ingest.removing import Remover
from ingest.steps import Steps
from ingest.store import Kept, Store, require_unchanged


class Handlers:
    """What ingest does when it is told or asked something."""

    def __init__(
        self,
        bus: Bus,
        jobs: Jobs,
        store: Store,
        leases: ChangeLeases,
        steps: Steps,
        catalogue: Catalogue,
        remover: Remover,
        objects: Objects,
        looking: Looking,
        erasing: Erasing,
    ) -> None:
        self._bus = bus
        self._jobs = jobs
        self._store = store
        self._leases = leases
        self._steps = steps
        self._catalogue = catalogue
        self._remover = remover
        self._objects = objects
        self._looking = looking
        self._erasing = erasing

    async def register_upload(self, request: RegisterUpload, meta: Meta) -> Upload:
        """RegisterUpload."""
        return await self._store.keep_upload(organization_of(meta), request)

    async def create_source(self, request: CreateSource, meta: Meta) -> Source:
        """CreateSource: kept unseen until its display names are reserved with its tables."""
        org_id = organization_of(meta)
        request = request.model_copy(update={"name": request.name.strip()})
        made = await self._store.made(org_id, request)
        if made is not None:
            return not_deleting(made)
        async with self._erasing.when_refused(
            org_id, request.source_id, request.config, spared=OF_THE_REQUEST
        ):
            found = await self._looking.inspect(Asked(org_id, request.source_id, request.config))
            # Until here a request that is withdrawn leaves nothing.
            return await undivided(self._create(org_id, request, found, meta))

    async def _create(
        self, org_id: UUID, request: CreateSource, found: Inspected, meta: Meta
    ) -> Source:
        await self._store.begin(
            org_id, request, others_of(found.tables), found.warnings, found.settled
        )
        try:
            await self._bus.ask(EnsureOrganization(), org_id=org_id, actor=meta.actor)
            await self._catalogue.declare(org_id, request.name, found.tables, meta.actor)
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
        kept = await self._store.kept(org_id, request.source_id)
        old = not_deleting(kept.source)
        require_unchanged(request.if_revision in (None, old.revision))
        async with self._erasing.when_refused(
            org_id, old.id, request.config, old.config, spared=OF_THE_REQUEST
        ):
            return await self._changed(kept, request, meta)

    async def _changed(self, kept: Kept, request: UpdateSource, meta: Meta) -> Source:
        org_id, old = kept.org_id, kept.source
        name = old.name if request.name is None else request.name.strip()
        config, others, warnings, found = old.config, old.other_tables, old.warnings, None
        if request.config is not None:
            _require_same_type(old, request.config)
            config = request.config
            found = await self._looking.inspect(Asked(org_id, old.id, kept.opened(config)))
            config = config.model_copy(update=found.settled)
            # A table that is not expected any more keeps its data until the source goes.
            others = merged(old.other_tables, others_of(found.tables))
            warnings = found.warnings
        return await undivided(self._update(kept, name, config, others, warnings, found, meta))

    async def _update(
        self,
        kept: Kept,
        name: str,
        config: Config,
        others: Sequence[SourceTable],
        warnings: Sequence[Notice],
        found: Inspected | None,
        meta: Meta,
    ) -> Source:
        org_id, old = kept.org_id, kept.source
        # The catalogue is told inside, so that of two changes at once both places keep the same.
        async with self._leases.hold(org_id, old.id) as lease:
            now = not_deleting(await self._store.get(org_id, old.id))
            require_unchanged(now.revision == old.revision)
            if found is not None:
                await self._catalogue.declare(org_id, name, found.tables, meta.actor)
            if name != old.name:
                await self._catalogue.rename(org_id, old, name, meta.actor)
            await self._store.update(kept, lease, name, config, others, warnings, meta.actor)
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
        org_id, config = organization_of(meta), request.config
        if request.source_id is not None:
            kept = await self._store.kept(org_id, request.source_id)
            config = kept.opened(config)
        asked = Asked(org_id, request.source_id or new_id(), config, request.timezone)
        return await self._looking.preview(asked, request.source_type, request.limit)

    async def list_rejects(self, request: ListRejects, meta: Meta) -> StoredRejects:
        """ListRejects."""
        org_id = organization_of(meta)
        source = await self._store.get(org_id, request.source_id)
        return await rejects.first(self._objects, org_id, source.id, request.limit)

    async def plan_sources(self, request: PlanSources, meta: Meta) -> SourcesPlan:
        """PlanSources."""
        found = await self._store.ready(organization_of(meta), request.source_ids)
        missing = [str(key) for key in request.source_ids if key not in found]
        if missing:
            raise problem(422, "unknown_source", f"There is no source {', '.join(missing)} to run.")
        ordered = (found[key] for key in request.source_ids)
        return SourcesPlan(
            sources=tuple(
                PlannedSource(
                    source_id=source.id,
                    name=source.name,
                    table_id=source.table_id,
                    other_table_ids=tuple(table.table_id for table in source.other_tables),
                    patience=_patience(source.config),
                )
                for source in ordered
            )
        )

    async def run_cancel_requested(
        self, event: RunCancelRequested, meta: Meta
    ) -> Sequence[Outgoing]:
        """RunCancelRequested: kept for syncs that come later, those that run are stopped."""
        # Marked first: a sync that begins in between finds the mark, one before it is stopped.
        try:
            await self._steps.cancel(organization_of(meta), event.run_id, event.attempt)
        finally:
            stopped = self._jobs.stop((event.run_id, event.attempt))
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

    async def _take_back(self, org_id: UUID, source_id: UUID, meta: Meta) -> None:
        try:
            await self._remover.take_back(org_id, source_id, meta.actor)
        except (ProblemError, *AWAY) as error:
            # The remover comes back to it; why the creation failed is what its asker must hear.
            log.warning("source_not_taken_back", source_id=str(source_id), error=str(error))


def _patience(config: Config) -> timedelta:
    return config.deadline if isinstance(config, ExternalConfig) else timedelta(0)


def _require_same_type(source: Source, config: Config) -> None:
    """Raise the 422 problem of a config for another type of source."""
    if type(config) is not type(source.config):
        raise problem(
            422,
            "other_type",
            f"'{source.name}' is a source of type {source.source_type}. Make a new source for "
            "another type.",
        )
