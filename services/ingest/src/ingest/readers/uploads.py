"""Files that people upload: read where the object store has them, loaded by a worker."""

import asyncio
import hashlib
import json
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import mkdtemp
from uuid import UUID

from pydantic import SecretStr

from chassis.database import Database
from chassis.objects import Objects
from contracts.ingest import CsvConfig, SourcePreview, Upload
from contracts.tables import Notice, TableVersion
from ingest import files, rejects
from ingest.connectors import BadSource
from ingest.connectors.csv import CONNECTOR_VERSION, Inspection, fingerprint
from ingest.dialect import CsvOptions
from ingest.domain import rejects_key, upload_key
from ingest.fitting import require_key
from ingest.jobs import InspectJob, LoadJob, SampleJob
from ingest.merging import next_version
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
from ingest.shape import Rows
from ingest.source_files import SourceFiles, files_in
from ingest.store import Store
from warehouse.names import version_relation


class UploadReader:
    """Sources of type `csv`."""

    def __init__(
        self,
        database: Database,
        store: Store,
        source_files: SourceFiles,
        objects: Objects,
        pool: WorkerPool,
        mask_keys: MaskKeys,
    ) -> None:
        self._database = database
        self._store = store
        self._source_files = source_files
        self._objects = objects
        self._pool = pool
        self._mask_keys = mask_keys

    async def inspect(self, asked: Asked[CsvConfig]) -> Inspected:
        """The columns of the whole file that the config names."""
        upload = await self._store.upload(asked.org_id, asked.config.upload_id)
        async with files.local(self._objects, asked.org_id, upload) as path:
            job = InspectJob(
                path=path,
                options=options_of(asked.config),
                mask_key=self._mask_keys(asked.org_id),
            )
            found: Inspection = await self._pool.inspect(job)
        columns = columns_of(found.columns)
        require_key(asked.config, columns)
        own = ExpectedTable(asked.source_id, "", columns)
        return Inspected((own,), found.warnings)

    async def preview(self, asked: Asked[CsvConfig], limit: int) -> SourcePreview:
        """The first rows, and how the file is cut."""
        upload = await self._store.upload(asked.org_id, asked.config.upload_id)
        async with files.local(self._objects, asked.org_id, upload) as path:
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
            **found.dialect.model_dump(),
            warnings=found.warnings,
        )

    async def sync(self, sync: Sync[CsvConfig]) -> Loaded | None:
        """The files that what is published does not hold yet, in a new version with it.

        Nothing is remembered between syncs: the published fingerprint tells which files it holds.
        """
        asked, config = sync.asked, sync.asked.config
        first, held = files_in(sync.files, config.upload_id)
        uploads = (first,) if config.mode == "replace" else (first, *held.further)
        mask_key = self._mask_keys(asked.org_id)
        said = fingerprints(config, uploads, mask_key)
        shown = sync.own
        done = said.index(shown.fingerprint) + 1 if shown and shown.fingerprint in said else 0
        if shown and not done:
            # What another version of the connector would make of a file that is gone, nobody can
            # know any more.
            let_go = await self._store.what_is_let_go(asked.org_id, asked.source_id)
            known = readings(config, uploads, mask_key)
            done = known.index(let_go) + 1 if let_go in known else 0
        await self._tidy(asked, held.former, shown, is_current=done > 0)
        if sync.force:
            done = 0
        if done == len(uploads):
            return None
        batches, warnings = await self._load(sync, uploads[done:])
        if config.mode != "upsert" and not done and len(batches) == 1:
            version = batches[0].model_copy(update={"fingerprint": said[-1]})
            return Loaded((version,), {}, warnings)
        version_id = await sync.begin()
        merged = await next_version(
            self._database,
            asked.org_id,
            version_relation(version_id),
            Rows(shown.relation, shown.columns) if shown and done else None,
            [Rows(batch.relation, batch.columns) for batch in batches],
            config.key if config.mode == "upsert" else (),
        )
        version = TableVersion(
            table_id=asked.source_id,
            version_id=version_id,
            relation=merged.relation,
            columns=merged.columns,
            rows=merged.rows,
            bytes=merged.bytes,
            fingerprint=said[-1],
        )
        return Loaded((version,), {}, (*warnings, *merged.warnings))

    async def forget(self, asked: Asked[CsvConfig]) -> None:
        """Remove the files, unless another source reads them, and what was set aside of them."""
        await self._objects.delete(rejects_key(asked.org_id, asked.source_id))
        held = await self._source_files.of(asked.org_id, asked.source_id)
        for upload_id in (*held.upload_ids, asked.config.upload_id):
            await self._forget(asked, upload_id)

    async def _load(
        self, sync: Sync[CsvConfig], uploads: Sequence[Upload]
    ) -> tuple[list[TableVersion], tuple[Notice, ...]]:
        """Each file in a relation of its own."""
        asked, config = sync.asked, sync.asked.config
        batches: list[TableVersion] = []
        warnings: list[Notice] = []
        aside: list[tuple[str, Path]] = []
        async with temporary() as folder:
            for upload in uploads:
                version_id = await sync.begin()
                part = folder / f"{upload.upload_id}.csv"
                async with files.local(self._objects, asked.org_id, upload) as path:
                    job = LoadJob(
                        path=path,
                        sha256=upload.sha256,
                        options=options_of(config),
                        mask_key=self._mask_keys(asked.org_id),
                        known=sync.known,
                        **sync.schema.model_dump(),
                        relation=version_relation(version_id),
                        ordered=config.mode == "upsert",
                        rejects=part,
                    )
                    loaded = await self._pool.load(job, sync.tell)
                batch = version_of(asked.source_id, version_id, loaded)
                if config.mode == "upsert":
                    _require_key_columns(config, upload, batch)
                batches.append(batch)
                named = f"{upload.filename}: " if config.mode != "replace" else ""
                warnings += [
                    one.model_copy(update={"message": named + one.message})
                    for one in loaded.warnings
                ]
                aside.append((upload.filename, part))
            joined = await asyncio.to_thread(rejects.joined, aside, folder / "joined.csv")
            await rejects.keep(self._objects, asked.org_id, asked.source_id, joined)
        return batches, tuple(warnings)

    async def _tidy(
        self,
        asked: Asked[CsvConfig],
        former: Sequence[Upload],
        shown: TableVersion | None,
        *,
        is_current: bool,
    ) -> None:
        """Remove replaced files whose version is neither the published one nor the one before.

        A file that was replaced before it was ever published has no version.
        """
        if shown is None:
            kept = ()
        elif is_current:
            kept = former[-1:]
        else:
            options, mask_key = options_of(asked.config), self._mask_keys(asked.org_id)
            said = [fingerprint(upload.sha256, options, mask_key) for upload in former]
            if shown.fingerprint not in said:
                return  # It was read in another way.
            at = len(said) - said[::-1].index(shown.fingerprint)
            kept = former[max(0, at - 2) : at]
        for upload in former:
            if upload not in kept:
                await self._forget(asked, upload.upload_id)

    async def _forget(self, asked: Asked[CsvConfig], upload_id: UUID) -> None:
        org_id, source_id = asked.org_id, asked.source_id
        if not await self._source_files.is_read_by_others(org_id, source_id, upload_id):
            await self._objects.delete(upload_key(org_id, upload_id))
            await self._source_files.forget_upload(org_id, source_id, upload_id)
        await self._source_files.forget(org_id, source_id, upload_id)


def fingerprints(
    config: CsvConfig,
    uploads: Sequence[Upload],
    mask_key: SecretStr,
    version: str = CONNECTOR_VERSION,
) -> list[str]:
    """What a version of the first upload is known by, of the first two, and so on."""
    options = options_of(config)
    if config.mode == "replace":
        return [fingerprint(upload.sha256, options, mask_key, version) for upload in uploads]
    chain = hashlib.sha256(json.dumps([config.mode, config.key]).encode())
    said: list[str] = []
    for upload in uploads:
        chain.update(upload.sha256.encode())
        said.append(fingerprint(chain.hexdigest(), options, mask_key, version))
    return said


def readings(config: CsvConfig, uploads: Sequence[Upload], mask_key: SecretStr) -> list[str]:
    """As `fingerprints`, by whatever version of the connector the uploads were read."""
    return fingerprints(config, uploads, mask_key, version="any")


def _require_key_columns(config: CsvConfig, upload: Upload, batch: TableVersion) -> None:
    names = {column.name for column in batch.columns}
    missing = [name for name in config.key if name not in names]
    if missing:
        raise BadSource(
            "unknown_key",
            f"{upload.filename} has no column '{missing[0]}', which is part of the key. Choose "
            "another key.",
        )


def options_of(config: CsvConfig) -> CsvOptions:
    """How a file is read, without which file it is and what becomes of what was read."""
    return CsvOptions.model_validate(config.model_dump(exclude={"upload_id", "mode", "key"}))


@asynccontextmanager
async def temporary() -> AsyncIterator[Path]:
    """A folder for as long as the context lasts."""
    folder = Path(mkdtemp())
    try:
        yield folder
    finally:
        if not _is_removed(folder):
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _is_removed(folder: Path) -> bool:
    """Whether the folder was empty, as it is but where records were set aside."""
    try:
        folder.rmdir()
    except OSError:
        return False
    return True
