"""Files that people upload: read where the object store has them, loaded by a worker."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import mkdtemp

from pydantic import SecretStr

from chassis.objects import Objects
from contracts.ingest import CsvConfig, SourcePreview, Upload
from ingest import files, rejects
from ingest.connectors.csv import Inspection, fingerprint
from ingest.dialect import CsvOptions
from ingest.domain import rejects_key, upload_key
from ingest.jobs import InspectJob, LoadJob, SampleJob
from ingest.pool import WorkerPool
from ingest.readers import (
    Asked,
    ExpectedTable,
    Inspected,
    Loaded,
    MaskKeys,
    Sync,
    columns_of,
    version_of,
)
from ingest.store import Store
from warehouse.names import version_relation


class UploadReader:
    """Sources of type `csv`."""

    def __init__(
        self, store: Store, objects: Objects, pool: WorkerPool, mask_keys: MaskKeys
    ) -> None:
        self._store = store
        self._objects = objects
        self._pool = pool
        self._mask_keys = mask_keys

    async def inspect(self, asked: Asked[CsvConfig]) -> Inspected:
        """The columns of the whole file."""
        async with self._file(asked) as path:
            job = InspectJob(
                path=path,
                options=options_of(asked.config),
                mask_key=self._mask_keys(asked.org_id),
            )
            found: Inspection = await self._pool.inspect(job)
        own = ExpectedTable(asked.source_id, "", columns_of(found.columns))
        return Inspected((own,), found.warnings)

    async def preview(self, asked: Asked[CsvConfig], limit: int) -> SourcePreview:
        """The first rows, and how the file is cut."""
        async with self._file(asked) as path:
            job = SampleJob(
                path=path,
                options=options_of(asked.config),
                mask_key=self._mask_keys(asked.org_id),
                limit=limit,
            )
            preview = await self._pool.sample(job)
        found = preview.inspection
        return SourcePreview(
            columns=columns_of(found.columns),
            rows=preview.rows,
            delimiter=found.dialect.delimiter,
            encoding=found.dialect.encoding,
            header_row=found.dialect.header_row,
            warnings=found.warnings,
        )

    async def sync(self, sync: Sync[CsvConfig]) -> Loaded | None:
        """The file as a new version, unless it was read in this way before."""
        asked = sync.asked
        upload = await self._store.upload(asked.org_id, asked.config.upload_id)
        options, mask_key = options_of(asked.config), self._mask_keys(asked.org_id)
        said = fingerprint(upload.sha256, options, mask_key)
        if sync.own is not None and sync.own.fingerprint == said and not sync.force:
            return None
        if sync.own is not None and not sync.force:
            # What another version of the connector would make of it, nobody can know any more.
            let_go = await self._store.what_is_let_go(asked.org_id, asked.source_id)
            if let_go == reading(upload, asked.config, mask_key):
                return None
        version_id = await sync.begin()
        async with self._file(asked) as path, temporary() as folder:
            aside = folder / "rejects.csv"
            job = LoadJob(
                path=path,
                sha256=upload.sha256,
                options=options,
                mask_key=mask_key,
                known=sync.known,
                **sync.schema.model_dump(),
                relation=version_relation(version_id),
                rejects=aside,
            )
            loaded = await self._pool.load(job, sync.tell)
            await rejects.keep(self._objects, asked.org_id, asked.source_id, aside)
        return Loaded((version_of(asked.source_id, version_id, loaded),), {}, loaded.warnings)

    async def forget(self, asked: Asked[CsvConfig]) -> None:
        """Remove the file, unless another source reads it, and what was set aside of it."""
        org_id, source_id, upload_id = asked.org_id, asked.source_id, asked.config.upload_id
        await self._objects.delete(rejects_key(org_id, source_id))
        if not await self._store.is_read_by_others(org_id, source_id, upload_id):
            await self._objects.delete(upload_key(org_id, upload_id))
            await self._store.forget_upload(org_id, source_id, upload_id)

    @asynccontextmanager
    async def _file(self, asked: Asked[CsvConfig]) -> AsyncIterator[Path]:
        upload = await self._store.upload(asked.org_id, asked.config.upload_id)
        async with files.local(self._objects, asked.org_id, upload) as path:
            yield path


def options_of(config: CsvConfig) -> CsvOptions:
    """How a file is read, without which file it is and what becomes of what was read."""
    return CsvOptions.model_validate(config.model_dump(exclude={"upload_id"}))


def reading(upload: Upload, config: CsvConfig, mask_key: SecretStr) -> str:
    """Equal for equal content read in the same way, by whatever version of the connector."""
    return fingerprint(upload.sha256, options_of(config), mask_key, version="any")


@asynccontextmanager
async def temporary() -> AsyncIterator[Path]:
    """A folder for as long as the context lasts."""
    folder = await asyncio.to_thread(mkdtemp)
    try:
        yield Path(folder)
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
