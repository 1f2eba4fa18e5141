"""Further files of sources that are made of files."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from chassis.bus import Bus
from chassis.withdrawals import undivided
from contracts.envelope import Meta
from contracts.ingest import AddUpload, CsvConfig, Source
from contracts.problem import problem
from contracts.tables import Notice
from contracts.transform import GetTable
from ingest.catalogue import Catalogue
from ingest.change_leases import ChangeLeases
from ingest.domain import not_deleting, organization_of
from ingest.erasing import Erasing
from ingest.fitting import fitted, repeated
from ingest.looking import Looking
from ingest.readers import Asked, ExpectedTable
from ingest.source_files import Files, SourceFiles
from ingest.store import Store


class FurtherUploads:
    """Takes a file for a source that has some already."""

    def __init__(
        self,
        bus: Bus,
        store: Store,
        leases: ChangeLeases,
        source_files: SourceFiles,
        catalogue: Catalogue,
        looking: Looking,
        erasing: Erasing,
    ) -> None:
        self._bus = bus
        self._store = store
        self._leases = leases
        self._source_files = source_files
        self._catalogue = catalogue
        self._looking = looking
        self._erasing = erasing

    async def add_upload(self, request: AddUpload, meta: Meta) -> Source:
        """AddUpload: the file is looked into before it is kept."""
        org_id, upload_id = organization_of(meta), request.upload_id
        source = not_deleting(await self._store.get(org_id, request.source_id))
        config = source.config
        if not isinstance(config, CsvConfig):
            raise problem(422, "no_files", f"'{source.name}' is not made of files.")
        held = await self._source_files.of(org_id, source.id)
        if upload_id in {config.upload_id, *held.upload_ids}:
            return source
        added = config.model_copy(update={"upload_id": upload_id})
        async with self._erasing.when_refused(org_id, source.id, added):
            own, warnings = await self._fitted(org_id, source, config, held, upload_id, meta)
            adding = self._add(org_id, source, config, upload_id, own, warnings, meta)
            return await undivided(adding)

    async def _fitted(
        self,
        org_id: UUID,
        source: Source,
        config: CsvConfig,
        held: Files,
        upload_id: UUID,
        meta: Meta,
    ) -> tuple[ExpectedTable, tuple[Notice, ...]]:
        """What a further upload holds, as it fits what the source has."""
        found = await self._looking.inspect(
            Asked(org_id, source.id, config.model_copy(update={"upload_id": upload_id}))
        )
        (own,), warnings = found.tables, found.warnings
        if config.mode != "replace":
            asked = GetTable(name=str(source.table_id))
            table = await self._bus.ask(asked, org_id=org_id, actor=meta.actor)
            columns, more = fitted(source.name, table.columns, own.columns)
            first = await self._store.upload(org_id, config.upload_id)
            added = await self._store.upload(org_id, upload_id)
            warnings = (*warnings, *more, *repeated(added, (first, *held.further)))
            own = replace(own, columns=columns)
        return own, warnings

    async def _add(
        self,
        org_id: UUID,
        source: Source,
        config: CsvConfig,
        upload_id: UUID,
        own: ExpectedTable,
        warnings: Sequence[Notice],
        meta: Meta,
    ) -> Source:
        async with self._leases.hold(org_id, source.id) as lease:
            await self._source_files.require_unchanged(org_id, source, lease, config)
            # What is published keeps its columns until the next sync.
            await self._catalogue.declare(org_id, source.name, (own,), meta.actor)
            await self._source_files.add(
                org_id, source, lease, config, upload_id, warnings, meta.actor
            )
        return await self._store.get(org_id, source.id)
