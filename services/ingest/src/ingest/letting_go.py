"""Uploads of which columns are masked or left out: deleted once what was read is published.

Only then: a run that fails must be able to read the file again. The source still knows its hash, so
that a sync finds nothing new; whoever wants it read in another way is asked to upload it again.
"""

from collections.abc import Sequence
from uuid import UUID

from pydantic import SecretStr

from chassis.bus import Bus
from chassis.objects import Objects
from chassis.outbox import Outgoing
from chassis.telemetry import log
from contracts.envelope import Meta
from contracts.ingest import CsvConfig, Source, Upload
from contracts.problem import ProblemError
from contracts.transform import GetTable, RunPublished
from ingest.domain import organization_of, upload_key
from ingest.readers import MaskKeys
from ingest.readers.uploads import fingerprints, readings
from ingest.rules import guarded
from ingest.source_files import SourceFiles
from ingest.store import Store


class LettingGo:
    """Follows what is published. All of it may be repeated."""

    def __init__(
        self,
        bus: Bus,
        store: Store,
        source_files: SourceFiles,
        objects: Objects,
        mask_keys: MaskKeys,
    ) -> None:
        self._bus = bus
        self._store = store
        self._source_files = source_files
        self._objects = objects
        self._mask_keys = mask_keys

    async def run_published(self, event: RunPublished, meta: Meta) -> Sequence[Outgoing]:
        """RunPublished: of the run's sources, those with guarded columns let their uploads go."""
        org_id = organization_of(meta)
        for source in (await self._store.ready(org_id, event.table_ids)).values():
            config = source.config
            if isinstance(config, CsvConfig) and guarded(config.columns):
                await self._let_go(org_id, source, config)
        return ()

    async def _let_go(self, org_id: UUID, source: Source, config: CsvConfig) -> None:
        """Of those files that readers see, read as they are read now."""
        version_id = await self._published(org_id, source)
        if version_id is None:
            return
        uploads = [await self._store.upload(org_id, config.upload_id)]
        held = await self._source_files.of(org_id, source.id)
        if config.mode != "replace":
            uploads += held.further
        key = self._mask_keys(org_id)
        said = fingerprints(config, uploads, key)
        shown = await self._store.fingerprint_of(org_id, source.id, version_id)
        if shown not in said:
            return
        done = said.index(shown)
        own = readings(config, uploads, key)[done]
        await self._store.let_go(org_id, source.id, config.upload_id, own)
        # Those that were replaced too, whether or not any of them was ever published.
        for upload in (*held.former, *uploads[: done + 1]):
            if await self._is_needed(org_id, source, upload, key):
                continue
            await self._objects.delete(upload_key(org_id, upload.upload_id))
            await self._store.note_erased_file(org_id, upload.upload_id)
            log.info("upload_let_go", source_id=str(source.id), upload_id=str(upload.upload_id))

    async def _is_needed(
        self, org_id: UUID, source: Source, upload: Upload, key: SecretStr
    ) -> bool:
        """Whether another source may still have to read the file."""
        # Marked before: of two sources that let go at once, the later one sees both marks.
        for other, let_go in await self._store.reading_upload(org_id, upload.upload_id):
            assert isinstance(other.config, CsvConfig)
            alone = readings(other.config, [upload], key)
            if other.id != source.id and let_go not in alone:
                return True
        return False

    async def _published(self, org_id: UUID, source: Source) -> UUID | None:
        try:
            asked = GetTable(name=str(source.table_id))
            return (await self._bus.ask(asked, org_id=org_id, actor=self._bus.service)).version
        except ProblemError as error:
            if error.problem.status == 404:
                return None
            raise
