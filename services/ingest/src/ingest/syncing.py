"""Syncing a source: its next version, under a lease, with one outcome for each step."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import mkdtemp
from uuid import UUID

import asyncpg

from chassis.database import AWAY, Database
from chassis.errors import Retry
from chassis.jobs import Stopped
from chassis.objects import Objects
from chassis.outbox import Outgoing
from chassis.telemetry import log
from contracts.envelope import Meta, derived_id, new_id
from contracts.ingest import SourceSynced, SourceSyncFailed, SyncSource, Upload
from contracts.problem import Problem, ProblemError, problem
from contracts.tables import Notice, TableVersion
from ingest import files
from ingest.connectors import BadSource, Unavailable
from ingest.connectors.csv import fingerprint
from ingest.dialect import CsvOptions
from ingest.domain import options_of, organization_of
from ingest.jobs import LoadJob
from ingest.pool import WorkerPool
from ingest.settings import Settings
from ingest.steps import Outcome, Steps, written
from ingest.store import Store
from warehouse import versions
from warehouse.access import as_org
from warehouse.names import data_schema, org_role, version_relation


class Syncer:
    """Handles SyncSource; of several holders of a step only the newest commits."""

    def __init__(
        self,
        database: Database,
        store: Store,
        steps: Steps,
        objects: Objects,
        pool: WorkerPool,
        settings: Settings,
    ) -> None:
        self._database = database
        self._store = store
        self._steps = steps
        self._objects = objects
        self._pool = pool
        self._database_url = settings.database_url

    async def sync_source(self, command: SyncSource, meta: Meta) -> Sequence[Outgoing]:
        """SyncSource: loads, or says the known outcome again."""
        org_id = organization_of(meta)
        if await self.is_cancelled(command, meta):
            await self._sweep(org_id, command)
            raise Stopped
        claimed = await self._steps.claim(org_id, command)
        if not isinstance(claimed, int):
            await self._sweep(org_id, command)
            return [_said(claimed, org_id, meta)]
        try:
            outcome = await self._synced(org_id, command, claimed)
        except ProblemError as error:
            if error.problem.status >= 500:
                raise
            outcome = _failed(command, claimed, error.problem)
        except BadSource as error:
            why = problem(422, error.code, error.message).problem
            outcome = _failed(command, claimed, why)
        except Unavailable as error:
            raise Retry(error.message) from error
        return await self._commit(org_id, command, outcome, meta)

    async def give_up(self, command: SyncSource, meta: Meta, reason: str) -> Sequence[Outgoing]:
        """The failure of a step that could not be handled."""
        org_id = organization_of(meta)
        claimed = await self._steps.claim(org_id, command)
        if not isinstance(claimed, int):
            return [_said(claimed, org_id, meta)]
        why = problem(500, "sync_gave_up", f"The sync did not succeed: {reason}").problem
        return await self._commit(org_id, command, _failed(command, claimed, why), meta)

    async def is_cancelled(self, command: SyncSource, meta: Meta) -> bool:
        """Whether the run was called off."""
        return await self._steps.is_cancelled(organization_of(meta), command.run_id)

    async def _synced(self, org_id: UUID, command: SyncSource, lease: int) -> SourceSynced:
        source = await self._store.get(org_id, command.source_id)
        upload = await self._store.upload(org_id, source.config.upload_id)
        options = options_of(source.config)
        published = command.published
        same = published is not None and published.fingerprint == fingerprint(
            upload.sha256, options
        )
        if published is not None and same and not command.force:
            log.info("source_unchanged", source_id=str(source.id))
            return _outcome(command, lease, published, unchanged=True)
        version, warnings = await self._load(org_id, command, upload, options)
        log.info("source_loaded", source_id=str(source.id), rows=version.rows)
        return _outcome(command, lease, version, unchanged=False, warnings=warnings)

    async def _load(
        self, org_id: UUID, command: SyncSource, upload: Upload, options: CsvOptions
    ) -> tuple[TableVersion, tuple[Notice, ...]]:
        version_id = new_id()
        relation = version_relation(version_id)
        await self._steps.begin_version(org_id, command.step_id, relation)
        try:
            async with files.local(self._objects, org_id, upload) as path, _temporary() as folder:
                rejects = folder / "rejects.csv"
                loaded = await self._pool.load(
                    LoadJob(
                        path=path,
                        options=options,
                        sha256=upload.sha256,
                        database_url=self._database_url,
                        role=org_role(org_id),
                        schema_name=data_schema(org_id),
                        relation=relation,
                        rejects=rejects,
                    )
                )
                await files.keep_rejects(self._objects, org_id, command.source_id, rejects)
        except BaseException:
            await self._drop(org_id, command, relation)
            raise
        version = TableVersion(
            table_id=command.source_id,
            version_id=version_id,
            relation=relation,
            columns=tuple(column.as_column() for column in loaded.columns),
            rows=loaded.rows,
            bytes=loaded.bytes,
            fingerprint=loaded.fingerprint,
        )
        return version, loaded.warnings

    async def _commit(
        self, org_id: UUID, command: SyncSource, outcome: Outcome, meta: Meta
    ) -> Sequence[Outgoing]:
        if await self._steps.finish(org_id, command.source_id, outcome):
            await self._sweep(org_id, command)
            return [_said(outcome, org_id, meta)]
        log.info("sync_overtaken", step_id=str(command.step_id), lease=outcome.lease)
        for relation in written(outcome):
            await self._drop(org_id, command, relation)
        return ()

    async def _sweep(self, org_id: UUID, command: SyncSource) -> None:
        """Remove what earlier holders of a step that has ended left behind."""
        for relation in await self._steps.begun_versions(org_id, command.step_id):
            await self._drop(org_id, command, relation)

    async def _drop(self, org_id: UUID, command: SyncSource, relation: str) -> None:
        """Remove what nobody will publish; what resists is left to the next `_sweep`."""
        try:
            await self._steps.end_sessions(relation)
            async with (
                self._database.organization(org_id) as connection,
                as_org(connection, org_id),
            ):
                await versions.drop(connection, org_id, relation)
            await self._steps.end_version(org_id, command.step_id, relation)
        except (asyncpg.PostgresError, *AWAY) as error:
            log.warning("version_left_behind", relation=relation, error=str(error) or repr(error))


@asynccontextmanager
async def _temporary() -> AsyncIterator[Path]:
    folder = await asyncio.to_thread(mkdtemp)
    try:
        yield Path(folder)
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _outcome(
    command: SyncSource,
    lease: int,
    version: TableVersion,
    *,
    unchanged: bool,
    warnings: tuple[Notice, ...] = (),
) -> SourceSynced:
    return SourceSynced(
        run_id=command.run_id,
        step_id=command.step_id,
        lease=lease,
        tables=(version,),
        unchanged=unchanged,
        warnings=warnings,
    )


def _failed(command: SyncSource, lease: int, why: Problem) -> SourceSyncFailed:
    log.info("source_sync_failed", source_id=str(command.source_id), problem=why.detail)
    return SourceSyncFailed(
        run_id=command.run_id, step_id=command.step_id, lease=lease, problem=why
    )


def _said(outcome: Outcome, org_id: UUID, meta: Meta) -> Outgoing:
    return Outgoing(
        outcome, org_id, actor=meta.actor, id=derived_id(outcome.step_id, outcome.lease)
    )
