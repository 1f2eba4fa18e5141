"""The syncs of runs in PostgreSQL: who holds a step, what it has begun, what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from asyncpg import Record

from chassis.database import Database, queries
from chassis.jobs import HOLDER_SILENCE, Stopped
from contracts.ingest import SourceSynced, SourceSyncFailed, SyncSource

Outcome = SourceSynced | SourceSyncFailed
_OUTCOMES = {"synced": SourceSynced, "failed": SourceSyncFailed}
_queries = queries("ingest")


@dataclass(frozen=True)
class Claimed:
    """A step that is ours under a lease, and what its work begins with."""

    lease: int
    source: Record | None
    """Its row; None: it is not there any more."""
    files: Sequence[Mapping[str, object]]
    """Its uploads (`source_files.files_in`)."""


class Steps:
    """What ingest remembers of syncs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(
        self, org_id: UUID, command: SyncSource, holder: UUID, relation: str
    ) -> Claimed | Outcome | None:
        """A new lease on the step, which outdates all others; or the outcome that it has.

        `holder`: id of the command's message. `relation`: the table that is to be written, if one is:
        it is remembered. None: the step was asked for again, and another holds it or it is parked.
        Raises Stopped when this attempt of the run was called off.
        """
        # Should it be forgotten and the step be claimed under the same lease once more: only one
        # holder's outcome is kept all the same.
        async with self._database.organization(org_id, awaits_disk=False) as connection:
            row = await _queries.claim_step(
                connection,
                step_id=command.step_id,
                org_id=org_id,
                run_id=command.run_id,
                attempt=command.attempt,
                source_id=command.source_id,
                holder=holder,
                repeated=command.repeated,
                silence=HOLDER_SILENCE,
                relation=relation,
            )
            if row["is_cancelled"]:
                raise Stopped
            if row["lease"] is not None:
                source = row if row["id"] else None
                return Claimed(row["lease"], source, row["files"] or ())
            row = await _queries.step(connection, step_id=command.step_id)
        outcome = row["outcome"]
        return None if outcome is None else _OUTCOMES[outcome].model_validate(row["event"])

    async def finish(
        self,
        org_id: UUID,
        source_id: UUID,
        outcome: Outcome,
        *,
        unused: str | None = None,
        settles: bool = False,
        shape: str | None = None,
    ) -> Sequence[str] | None:
        """Commit the outcome of a step; None when a newer lease was given meanwhile.

        `unused`: a table that was to be written and was not. `settles`: the source is as it is published, so that no change stands any more. `shape`: of the
        version that was loaded. Gives what was begun for it, is not its outcome, and is not known to
        be gone.
        """
        failed = isinstance(outcome, SourceSyncFailed)
        async with self._database.organization(org_id) as connection:
            row = await _queries.finish_step(
                connection,
                step_id=outcome.step_id,
                lease=outcome.lease,
                outcome="failed" if failed else "synced",
                event=outcome.model_dump(mode="json"),
                written=[*written(outcome), *([unused] if unused else [])],
                source_id=source_id,
                error=outcome.problem.detail if failed else None,
                warnings=_found(outcome),
                settles=settles,
                shape=shape,
            )
        return None if row is None else row["begun"]

    async def begin_version(self, org_id: UUID, step_id: UUID, relation: str) -> None:
        """Remember a further table that a step is about to write."""
        # The disk has this before it has the table, whose transaction awaits it.
        async with self._database.organization(org_id, awaits_disk=False) as connection:
            await _queries.begin_version(connection, step_id=step_id, relation=relation)

    async def begun_versions(self, org_id: UUID, step_id: UUID) -> Sequence[str]:
        """The tables that were begun for a step and are neither its outcome nor known to be gone."""
        async with self._database.organization(org_id) as connection:
            return await _queries.begun_versions(connection, step_id=step_id) or ()

    async def end_version(self, org_id: UUID, step_id: UUID, relation: str) -> None:
        """Forget a table that is gone."""
        async with self._database.organization(org_id) as connection:
            await _queries.end_version(connection, step_id=step_id, relation=relation)

    async def end_sessions(self, relation: str) -> None:
        """End what the writer of a version, which is dead, still does in the database."""
        async with self._database.transaction() as connection:
            await _queries.end_sessions(connection, relation=relation)

    async def cancel(self, org_id: UUID, run_id: UUID, attempt: int) -> None:
        """Mark a run as called off up to an attempt, for syncs that are not delivered yet."""
        async with self._database.organization(org_id) as connection:
            await _queries.cancel_run(connection, run_id=run_id, org_id=org_id, attempt=attempt)

    async def heartbeat(self, org_id: UUID, command: SyncSource, holder: UUID) -> bool:
        """Note that a step is worked on; whether the work has to stop.

        It has when this attempt of the run was called off, or the step was taken over.
        """
        async with self._database.organization(org_id, awaits_disk=False) as connection:
            return await _queries.heartbeat(
                connection,
                step_id=command.step_id,
                run_id=command.run_id,
                attempt=command.attempt,
                holder=holder,
                silence=HOLDER_SILENCE,
            )


def _found(outcome: Outcome) -> list[dict[str, str]] | None:
    """What a load had to say of its source; None when nothing was loaded."""
    if isinstance(outcome, SourceSyncFailed) or outcome.unchanged:
        return None
    return [notice.model_dump() for notice in outcome.warnings]


def written(outcome: Outcome) -> list[str]:
    """The tables that a step made and says are good."""
    if isinstance(outcome, SourceSyncFailed) or outcome.unchanged:
        return []
    return [table.relation for table in outcome.tables]
