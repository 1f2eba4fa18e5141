"""Runs in PostgreSQL: takes old to new in one transaction, the machine in between is pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from asyncpg import Record
from pydantic import TypeAdapter

from chassis.database import Connection, Database, affected, queries
from chassis.errors import Reject, Retry
from chassis.outbox import Outbox, Outgoing
from chassis.telemetry import log
from contracts.envelope import derived_id
from contracts.message import Event
from contracts.orchestrator import OldestRun, Run
from contracts.problem import not_found
from orchestrator.deadlines import Deadlines
from orchestrator.domain import Message, RunPlanned, RunState, view
from orchestrator.machine import Ignored, IllegalMessage, Moved, transition

_STATE = TypeAdapter(RunState)
_queries = queries("orchestrator")


@dataclass(frozen=True)
class _Watched:
    """When a run is to be looked after, and how often that was in vain."""

    look_at: datetime | None
    repeats: int


def state_of(row: Record) -> RunState:
    """The run in a row of `runs`."""
    return _STATE.validate_python(row["state"])


class RunStore:
    """The runs of all organisations, each behind its organisation's row-level security."""

    def __init__(self, database: Database, outbox: Outbox, deadlines: Deadlines) -> None:
        self._database = database
        self._outbox = outbox
        self._deadlines = deadlines

    async def apply(
        self,
        run_id: UUID,
        org_id: UUID,
        message: Message,
        *,
        message_id: UUID,
        at: datetime,
        actor: str,
    ) -> RunState | None:
        """Let the machine decide on one message; returns the new state, None if nothing moved.

        Inbox, snapshot, run events and outbox are one transaction, so a crash leaves either
        everything or nothing. Raises Retry when another replica moved the run meanwhile, Reject
        for a message that the run cannot have caused.
        """
        async with self._database.organization(org_id) as connection:
            moved = await self.apply_in(
                connection, run_id, org_id, message, message_id=message_id, at=at, actor=actor
            )
        if moved is not None:
            self._outbox.wake()
        return moved

    async def apply_in(
        self,
        connection: Connection,
        run_id: UUID,
        org_id: UUID,
        message: Message,
        *,
        message_id: UUID,
        at: datetime,
        actor: str,
        now: datetime | None = None,
        repeats: int = 0,
    ) -> RunState | None:
        """As `apply`, in the caller's transaction; what it says leaves when that commits.

        `now`: for deadlines, the database's by default. `repeats`: how often its owners were asked
        again since the run last moved.
        """
        if isinstance(message, RunPlanned) and not await _queries.is_open(connection):
            log.debug("run_stays_queued", run_id=str(run_id), reason="drained")
            return None
        if affected(await _queries.receive(connection, message_id=message_id)) == 0:
            log.debug("message_repeated", run_id=str(run_id), id=str(message_id))
            return None
        row = await _queries.run_for_update(connection, run_id=run_id)
        old = state_of(row) if row else None
        try:
            result = transition(old, message, at)
        except IllegalMessage as error:
            raise Reject(str(error)) from error
        if isinstance(result, Ignored):
            log.debug("message_ignored", run_id=str(run_id), reason=result.reason)
            return None
        revision, look_at = None, None
        if row is not None:
            clock: datetime = now or row["now"]
            result = replace(result, state=self._deadlines.set(result.state, clock))
            look_at = self._deadlines.look_at(result.state, clock, repeats)
            revision = row["revision"]
        watched = _Watched(look_at, repeats)
        await self._save(connection, org_id, result, revision, watched, at, actor)
        _tell(old, result.state)
        return result.state

    async def _save(
        self,
        connection: Connection,
        org_id: UUID,
        moved: Moved,
        revision: int | None,
        watched: "_Watched",
        at: datetime,
        actor: str,
    ) -> None:
        state = moved.state
        snapshot = _STATE.dump_python(state, mode="json")
        if revision is None:
            status = await _queries.insert_run(
                connection,
                run_id=state.run_id,
                org_id=org_id,
                pipeline_id=state.pipeline_id,
                status=state.status,
                writes=list(state.writes),
                actor=actor,
                created_at=state.created_at,
                state=snapshot,
            )
        else:
            status = await _queries.update_run(
                connection,
                run_id=state.run_id,
                revision=revision,
                status=state.status,
                state=snapshot,
                look_at=watched.look_at,
                repeats=watched.repeats,
            )
        if affected(status) != 1:
            raise Retry("the run was moved by another replica", after=0.05)
        for message in moved.messages:
            version = getattr(message, "version", None)
            if isinstance(message, Event) and version is not None:
                await _queries.insert_run_event(
                    connection,
                    org_id=org_id,
                    run_id=state.run_id,
                    version=version,
                    type=message.token.rpartition(".")[0],
                    time=at,
                    data=message.model_dump(mode="json"),
                )
        if state.has_ended:
            await _queries.release_claims(connection, run_id=state.run_id)
        await self._outbox.put(connection, _outgoing(moved, org_id, at, actor, revision or 0))

    async def claim(self, run_id: UUID, org_id: UUID) -> RunState | None:
        """Reserve the tables of a queued run; None when it may not start now.

        Claims are kept until the run ends, so repeating this after a crash is harmless.
        """
        async with self._database.organization(org_id) as connection:
            row = await _queries.run_for_update(connection, run_id=run_id)
            if row is None:
                return None
            state = state_of(row)
            if state.status != "queued":
                return None
            tables = list(state.writes)
            claimed = affected(
                await _queries.claim_tables(
                    connection, run_id=run_id, org_id=org_id, table_ids=tables
                )
            )
            if claimed < len(tables):
                await _queries.release_claims(connection, run_id=run_id)
                return None
            return state

    async def admissible(self, cap: int, batch: int) -> Sequence[tuple[UUID, UUID]]:
        """(run id, organisation id) of queued runs that could start now, fairest first."""
        async with self._database.system() as connection:
            rows = _queries.admissible_runs(connection, cap=cap, batch=batch)
            return [(row["id"], row["org_id"]) async for row in rows]

    async def forget_received(self) -> None:
        """Drop inbox rows that no repeat can refer to any more."""
        async with self._database.transaction() as connection:
            await _queries.forget_received(connection)

    async def get(self, org_id: UUID, run_id: UUID) -> Run:
        """One run; raises a 404 problem."""
        return view(await self.state(org_id, run_id))

    async def state(self, org_id: UUID, run_id: UUID) -> RunState:
        """One run as the machine knows it; raises a 404 problem."""
        async with self._database.organization(org_id) as connection:
            row = await _queries.get_run(connection, run_id=run_id)
        if row is None:
            raise not_found("run", run_id)
        return state_of(row)

    async def oldest(self, org_id: UUID) -> OldestRun:
        """When the oldest of the runs that have not ended was created."""
        async with self._database.organization(org_id) as connection:
            return OldestRun(created_at=await _queries.oldest_open_run(connection))


def _outgoing(
    moved: Moved, org_id: UUID, at: datetime, actor: str, revision: int
) -> list[Outgoing]:
    """The machine's messages with ids that follow from the move, never from chance."""
    return [
        Outgoing(
            message,
            org_id,
            actor=actor,
            id=derived_id(moved.state.run_id, revision, index),
            time=at,
        )
        for index, message in enumerate(moved.messages)
    ]


def _tell(old: RunState | None, new: RunState) -> None:
    """One INFO line for each change of status, that a person can follow a run by."""
    if old is not None and old.status == new.status:
        return
    detail = {"error": new.error.detail} if new.error else {}
    log.info(f"run_{new.status}", run_id=str(new.run_id), kind=new.kind, **detail)
