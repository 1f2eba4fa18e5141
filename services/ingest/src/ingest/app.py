"""Composition root of ingest, shared by the process and the tests."""

from functools import partial

from chassis.crypto import Vault
from chassis.objects import Objects
from chassis.service import Service
from contracts.ingest import (
    CreateSource,
    DeleteSource,
    GetSource,
    ListRejects,
    ListSheets,
    ListSources,
    PlanSources,
    PreviewSource,
    RegisterUpload,
    SyncSource,
    UpdateSource,
)
from contracts.orchestrator import RunCancelRequested
from contracts.transform import RunPublished
from ingest.catalogue import Catalogue
from ingest.connectors.google.accounts import Accounts
from ingest.connectors.google.quota import SharedQuota
from ingest.handlers import Handlers
from ingest.letting_go import LettingGo
from ingest.pool import WorkerPool
from ingest.readers.sheets import SheetReader
from ingest.readers.uploads import UploadReader
from ingest.removing import Remover
from ingest.sealing import Sealing
from ingest.settings import Settings
from ingest.sheet_handlers import SheetHandlers
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
    store, steps = Store(service.database, sealing), Steps(service.database)
    objects = Objects(settings.object_store_url)
    mask_keys = partial(mask_key, settings.mask_key)
    accounts = Accounts(
        SharedQuota(service.database),
        settings.google_credentials_json,
        settings.google_sheets_url,
        settings.google_token_url,
    )
    service.on_close(accounts.close)
    sheets = SheetReader(accounts, pool, mask_keys)
    readers = {
        "csv": UploadReader(store, objects, pool, mask_keys),
        "google_sheets": sheets,
    }
    catalogue = Catalogue(service.bus, store)
    remover = Remover(service.bus, store, catalogue, readers, settings.tidy_every)
    service.background("remover", remover.run)
    handlers = Handlers(
        service.bus,
        service.jobs,
        store,
        steps,
        readers,
        catalogue,
        remover,
        objects,
        settings.max_reads,
    )
    letting_go = LettingGo(service.bus, store, objects, mask_keys)
    sheet_handlers = SheetHandlers(store, sheets)
    syncer = Syncer(service.bus, service.database, store, steps, readers, catalogue, settings)

    answer = service.answers.answer
    answer(RegisterUpload, handlers.register_upload)
    answer(CreateSource, handlers.create_source)
    answer(GetSource, handlers.get_source)
    answer(ListSources, handlers.list_sources)
    answer(UpdateSource, handlers.update_source)
    answer(DeleteSource, handlers.delete_source)
    answer(PreviewSource, handlers.preview_source)
    answer(ListRejects, handlers.list_rejects)
    answer(ListSheets, sheet_handlers.list_sheets)
    answer(PlanSources, handlers.plan_sources)
    service.jobs.handle(
        SyncSource,
        syncer.sync_source,
        slots=settings.max_syncs,
        on_dead=syncer.give_up,
        key=lambda command: command.run_id,
        stop_asked=syncer.is_cancelled,
    )
    service.jobs.handle(RunPublished, letting_go.run_published)
    service.jobs.handle(RunCancelRequested, handlers.run_cancel_requested)
    await service.bus.watch(RunCancelRequested.pattern(), handlers.run_cancel_heard)
