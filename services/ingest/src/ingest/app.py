"""Composition root of ingest, shared by the process and the tests."""

from functools import partial

from chassis.crypto import Vault
from chassis.objects import Objects
from chassis.service import Service
from contracts import outside
from contracts.ingest import (
    AcceptSchemaChange,
    AddUpload,
    CreateSource,
    DeleteSource,
    GetColumnHistory,
    GetSource,
    IssueLoader,
    ListForms,
    ListRejects,
    ListSchemaChanges,
    ListSheets,
    ListSources,
    PlanSources,
    PreviewSource,
    RegisterUpload,
    RejectSchemaChange,
    RevokeLoader,
    SyncSource,
    UpdateSource,
)
from contracts.orchestrator import RunCancelRequested, RunsForgotten
from contracts.shares import GOOGLE_READS, SYNCS
from contracts.transform import RunPublished
from ingest.catalogue import Catalogue
from ingest.change_leases import ChangeLeases
from ingest.changes import Changes
from ingest.connectors.google.accounts import Accounts
from ingest.connectors.google.quota import SharedQuota
from ingest.deciding import Deciding
from ingest.erasing import Erasing
from ingest.external.announcements import Announcements
from ingest.external.landing import Landing
from ingest.external.waiting import Waiting
from ingest.forgetting import Forgetting
from ingest.form_handlers import FormHandlers
from ingest.further_uploads import FurtherUploads
from ingest.guarding import Guard
from ingest.handlers import Handlers
from ingest.letting_go import LettingGo
from ingest.loaders import Loaders
from ingest.looking import Looking
from ingest.pool import WorkerPool
from ingest.readers.external import ExternalReader
from ingest.readers.kobo import KoboReader
from ingest.readers.sheets import SheetReader
from ingest.readers.uploads import UploadReader
from ingest.removing import Remover
from ingest.sealing import Sealing
from ingest.settings import Settings
from ingest.sheet_handlers import SheetHandlers
from ingest.source_files import SourceFiles
from ingest.steps import Steps
from ingest.store import Store
from ingest.syncing import Syncer
from warehouse.mask_key import mask_key


async def build(service: Service[Settings]) -> None:
    """Wire ingest onto its open connections."""
    settings = service.settings
    pool = WorkerPool(spares=settings.warm_workers)
    await pool.__aenter__()

    async def close_pool() -> None:
        await pool.__aexit__(None, None, None)

    service.on_close(close_pool)
    sealing = Sealing(Vault(settings.encryption_key.get_secret_value()))
    store = Store(service.database, sealing, service.outbox, settings.upload_budget_bytes)
    steps = Steps(service.database)
    objects = Objects(settings.object_store_url)
    waiting = Waiting(service.database, service.outbox, settings.look_every)
    service.background("waiting", waiting.run)
    announcements = Announcements(service.database, waiting)
    mask_keys = partial(mask_key, settings.mask_key)
    source_files = SourceFiles(service.database, service.outbox)
    accounts = Accounts(
        SharedQuota(service.database),
        settings.google_credentials_json,
        settings.google_sheets_url,
        settings.google_token_url,
        each=SharedQuota(service.database, GOOGLE_READS.limit, burst=GOOGLE_READS.limit // 4),
    )
    service.on_close(accounts.close)
    sheets = SheetReader(accounts, pool, mask_keys)
    allowed = settings.kobo_allowed_origins
    kobo = KoboReader(service.database, objects, pool, mask_keys, allowed)
    readers = {
        "csv": UploadReader(service.database, store, source_files, objects, pool, mask_keys),
        "google_sheets": sheets,
        "kobo": kobo,
        "external": ExternalReader(service.bus, announcements, Landing(service.database)),
    }
    catalogue = Catalogue(service.bus, store)
    leases = ChangeLeases(service.database)
    remover = Remover(service.bus, store, leases, catalogue, readers, settings.tidy_every)
    service.background("remover", remover.run)
    erasing = Erasing(service.database, objects, settings.unused_uploads_grace)
    service.background("erasing", erasing.run)
    looking = Looking(service.shares, settings, readers)
    handlers = Handlers(
        service.bus,
        service.jobs,
        store,
        leases,
        steps,
        catalogue,
        remover,
        objects,
        looking,
        erasing,
    )
    further_uploads = FurtherUploads(
        service.bus, store, leases, source_files, catalogue, looking, erasing
    )
    form_handlers = FormHandlers(store, kobo)
    changes = Changes(service.database)
    deciding = Deciding(store, changes)
    guard = Guard(service.bus, changes)
    syncer = Syncer(
        service.bus, service.database, store, steps, readers, catalogue, guard, waiting, settings
    )
    loaders = Loaders(service.bus, store)
    letting_go = LettingGo(service.bus, store, source_files, objects, mask_keys)
    sheet_handlers = SheetHandlers(store, sheets)

    answer = service.answers.answer
    answer(RegisterUpload, handlers.register_upload)
    answer(CreateSource, handlers.create_source)
    answer(GetSource, handlers.get_source)
    answer(ListSources, handlers.list_sources)
    answer(UpdateSource, handlers.update_source)
    answer(AddUpload, further_uploads.add_upload)
    answer(DeleteSource, handlers.delete_source)
    answer(PreviewSource, handlers.preview_source)
    answer(ListForms, form_handlers.list_forms)
    answer(ListRejects, handlers.list_rejects)
    answer(ListSheets, sheet_handlers.list_sheets)
    answer(PlanSources, handlers.plan_sources)
    answer(ListSchemaChanges, deciding.list_schema_changes)
    answer(AcceptSchemaChange, deciding.accept_schema_change)
    answer(RejectSchemaChange, deciding.reject_schema_change)
    answer(GetColumnHistory, deciding.get_column_history)
    answer(IssueLoader, loaders.issue_loader)
    answer(RevokeLoader, loaders.revoke_loader)
    service.jobs.handle(
        SyncSource,
        syncer.sync_source,
        share=SYNCS.resized(settings.max_syncs),
        on_dead=syncer.give_up,
        key=lambda command: (command.run_id, command.attempt),
        heartbeat=syncer.heartbeat,
    )
    service.jobs.handle(outside.SourceSynced, announcements.source_synced)
    service.jobs.handle(RunPublished, letting_go.run_published)
    service.jobs.handle(RunCancelRequested, handlers.run_cancel_requested)
    service.jobs.handle(RunsForgotten, Forgetting(service.database, service.bus).runs_forgotten)
    await service.bus.watch(RunCancelRequested.pattern(), handlers.run_cancel_heard)
