"""Syncing a source: its next versions, under a lease, with one outcome for each step."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import asyncpg

from chassis.bus import Bus
from chassis.crash_points import reached
from chassis.database import AWAY, Database
from chassis.errors import Retry
from chassis.jobs import Stopped
from chassis.outbox import Outgoing
from chassis.telemetry import log
from contracts.envelope import Meta, derived_id, new_id
from contracts.ingest import SourceSynced, SourceSyncFailed, SyncSource
from contracts.problem import Problem, ProblemError, problem
from contracts.tables import Notice, TableVersion
from ingest.catalogue import Catalogue
from ingest.connectors import BadSource, Unavailable
from ingest.domain import organization_of
from ingest.external.waiting import Wait, Waiting
from ingest.guarding import Guard, Verdict
from ingest.jobs import Schema
from ingest.readers import Asked, Loaded, Readers, Stays, Sync
from ingest.settings import Settings
from ingest.steps import Claimed, Outcome, Steps, written
from ingest.store import Store
from ingest.telling import Teller
from warehouse import versions
from warehouse.access import as_org
from warehouse.names import data_schema, org_role, version_relation


class _Versions:
    """The versions that one holder of a step makes: the first is remembered with its claim."""

    def __init__(self, steps: Steps, org_id: UUID, command: SyncSource) -> None:
        self._steps, self._org_id, self._step_id = steps, org_id, command.step_id
        self._first = new_id()
        self.begun: list[str] = []
        """Their relations."""

    @property
    def relation(self) -> str:
        """Of the first, if there will be one."""
        return version_relation(self._first)

    async def begin(self) -> UUID:
        """Id of a new version, whose relation is remembered."""
        if not self.begun:
            self.begun.append(self.relation)
            return self._first
        version_id = new_id()
        self.begun.append(version_relation(version_id))
        await self._steps.begin_version(self._org_id, self._step_id, self.begun[-1])
        return version_id


class Syncer:
    """Handles SyncSource; of several holders of a step only the newest commits."""

    def __init__(
        self,
        bus: Bus,
        database: Database,
        store: Store,
        steps: Steps,
        readers: Readers,
        catalogue: Catalogue,
        guard: Guard,
        waiting: Waiting,
        settings: Settings,
    ) -> None:
        self._bus = bus
        self._database = database
        self._store = store
        self._steps = steps
        self._readers = readers
        self._catalogue = catalogue
        self._guard = guard
        self._waiting = waiting
        self._database_url = settings.database_url

    async def sync_source(self, command: SyncSource, meta: Meta) -> Sequence[Outgoing]:
        """SyncSource: loads, or says the known outcome again."""
        org_id = organization_of(meta)
        made = _Versions(self._steps, org_id, command)
        try:
            claimed = await self._steps.claim(org_id, command, meta.id, made.relation)
        except Stopped:
            await self._sweep(org_id, command)
            raise
        if claimed is None:
            return ()
        if not isinstance(claimed, Claimed):
            await self._sweep(org_id, command)
            return [_said(claimed, org_id, meta)]
        verdict = Verdict()
        try:
            outcome, verdict = await self._synced(org_id, command, claimed, meta, made)
        except ProblemError as error:
            if error.problem.status >= 500:
                raise
            outcome = _failed(command, claimed.lease, error.problem)
        except BadSource as error:
            why = problem(422, error.code, error.message).problem
            outcome = _failed(command, claimed.lease, why)
        except Unavailable as error:
            raise Retry(error.message) from error
        return await self._commit(org_id, command, outcome, meta, made, verdict)

    async def give_up(self, command: SyncSource, meta: Meta, reason: str) -> Sequence[Outgoing]:
        """The failure of a step that could not be handled; nothing of a run that was called off."""
        org_id = organization_of(meta)
        made = _Versions(self._steps, org_id, command)
        try:
            claimed = await self._steps.claim(org_id, command, meta.id, made.relation)
        except Stopped:
            return ()
        if claimed is None:
            return ()
        if not isinstance(claimed, Claimed):
            return [_said(claimed, org_id, meta)]
        why = problem(500, "sync_gave_up", f"The sync did not succeed: {reason}").problem
        gave_up = _failed(command, claimed.lease, why)
        return await self._commit(org_id, command, gave_up, meta, made, Verdict())

    async def heartbeat(self, command: SyncSource, meta: Meta) -> bool:
        """Note that the step is worked on; whether the work has to stop."""
        return await self._steps.heartbeat(organization_of(meta), command, meta.id)

    async def _synced(
        self, org_id: UUID, command: SyncSource, claimed: Claimed, meta: Meta, made: _Versions
    ) -> tuple[SourceSynced, Verdict]:
        lease = claimed.lease
        kept = self._store.kept_in(claimed.source, org_id, command.source_id)
        published = {table.table_id: table for table in _published(command)}

        async def wait(table: str, after_seq: int, patience: timedelta) -> Wait:
            return await self._waiting.lay_down(
                org_id, command, meta.actor, table, after_seq, patience
            )

        sync = Sync(
            asked=Asked(org_id, command.source_id, kept.opened()),
            published=published,
            force=command.force,
            timezone=command.timezone,
            schema=Schema(
                database_url=self._database_url,
                role=org_role(org_id),
                schema_name=data_schema(org_id),
            ),
            files=claimed.files,
            begin=made.begin,
            names={table.table_id: table.name for table in kept.source.other_tables},
            wait=wait,
            tell=Teller(self._bus, org_id, command),
        )
        try:
            found = await self._readers[kept.source.source_type].sync(sync)
            loaded = found if isinstance(found, Loaded) else None
            verdict = Verdict()
            if not isinstance(found, Stays):
                verdict = await self._guard.look(org_id, command, kept.source, loaded, meta.actor)
            if loaded is not None and verdict.held is None:
                await self._catalogue.keep_others(org_id, kept.source, loaded, meta.actor)
        except BaseException:
            for relation in made.begun:
                await self._drop(org_id, command, relation)
            raise
        if loaded is None or verdict.held is not None:
            # What was begun and is held is swept with the step's end.
            stays = found if isinstance(found, Stays) else verdict.stays
            reason = stays.reason if stays else None
            log.info("source_unchanged", source_id=str(command.source_id), reason=reason)
            return _unchanged(command, lease, stays), verdict
        log.info(
            "source_loaded", source_id=str(command.source_id), rows=[t.rows for t in loaded.tables]
        )
        return _loaded(command, lease, loaded, verdict.notices), verdict

    async def _commit(
        self,
        org_id: UUID,
        command: SyncSource,
        outcome: Outcome,
        meta: Meta,
        made: _Versions,
        verdict: Verdict,
    ) -> Sequence[Outgoing]:
        reached("sync.loaded")
        left = await self._steps.finish(
            org_id,
            command.source_id,
            outcome,
            unused=None if made.begun else made.relation,
            settles=verdict.settles,
            shape=verdict.shape,
        )
        if left is not None:
            for relation in left:
                await self._drop(org_id, command, relation)
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


def _published(command: SyncSource) -> tuple[TableVersion, ...]:
    own = (command.published,) if command.published else ()
    return (*own, *command.other_published)


def _loaded(
    command: SyncSource, lease: int, loaded: Loaded, notices: tuple[Notice, ...]
) -> SourceSynced:
    return SourceSynced(
        run_id=command.run_id,
        step_id=command.step_id,
        lease=lease,
        tables=loaded.tables,
        unchanged=False,
        warnings=(*loaded.warnings, *notices),
    )


def _unchanged(command: SyncSource, lease: int, stays: Stays | None) -> SourceSynced:
    return SourceSynced(
        run_id=command.run_id,
        step_id=command.step_id,
        lease=lease,
        tables=_published(command),
        unchanged=True,
        reason=stays.reason if stays else None,
        warnings=stays.warnings if stays else (),
    )


def _failed(command: SyncSource, lease: int, why: Problem) -> SourceSyncFailed:
    log.info("source_sync_failed", source_id=str(command.source_id), problem=why.detail)
    return SourceSyncFailed(
        run_id=command.run_id, step_id=command.step_id, lease=lease, problem=why
    )


def _said(outcome: Outcome, org_id: UUID, meta: Meta) -> Outgoing:
    # Whoever asks again has not heard the answer: it must not be dropped as a repeat of that.
    message_id = derived_id(outcome.step_id, outcome.lease, meta.id)
    return Outgoing(outcome, org_id, actor=meta.actor, id=message_id)
