"""Runs in PostgreSQL: takes old to new in one transaction, the machine in between is pure."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from asyncpg import DeadlockDetectedError, Record, UniqueViolationError
from pydantic import TypeAdapter

from chassis.database import Connection, Database, collect, queries
from chassis.errors import Reject, Retry
from chassis.outbox import Outbox, Row
from chassis.telemetry import carry, log
from contracts.envelope import derived_id
from contracts.orchestrator import OldestRun, Run, StartRun, StepStarted
from contracts.problem import not_found
from orchestrator.deadlines import Deadlines
from orchestrator.domain import Message, RoomFreed, RunPlanned, RunState, view
from orchestrator.firing import Follower, News, decide, followers_of, success
from orchestrator.machine import Ignored, IllegalMessage, Moved, transition
from orchestrator.remembered import Remembered, Snapshot
from orchestrator.room import Others, Slots, held, is_left, room, waiting, waits_outside
from orchestrator.saying import outbox_rows, outgoing, run_events, tell

_STATE = TypeAdapter(RunState)
_queries = queries("orchestrator")


@dataclass(frozen=True)
class _Applied:
    """What has come of a message."""

    state: RunState
    kept: Snapshot
    room_is_left: bool
    is_claimed: bool
    """It is new, and may start."""
    said: Sequence[Row]
    """What leaves with the commit."""
    set_off: bool
    """Other runs were started in the same transaction."""


@dataclass(frozen=True)
class _Move:
    """A message to a run, and what is to be known of its circumstances."""

    run_id: UUID
    org_id: UUID
    message: Message
    message_id: UUID
    at: datetime
    actor: str
    now: datetime | None
    repeats: int


def state_of(row: Record) -> RunState:
    """The run in a row of `runs`."""
    return _STATE.validate_python(row["state"])


class RunStore:
    """The runs of all organisations, each behind its organisation's row-level security."""

    def __init__(
        self, database: Database, outbox: Outbox, deadlines: Deadlines, slots: Slots
    ) -> None:
        """`slots`: how many steps of one organisation may be under way."""
        self._database = database
        self._outbox = outbox
        self._deadlines = deadlines
        self._slots = slots
        self._remembered = Remembered()
        self.woken = asyncio.Event()
        """Set when a queued run or a step that waits may begin."""
        self.claimed: list[tuple[RunState, UUID]] = []
        """Queued runs whose tables are their own already, each with its organisation's id."""
        self.has_line_moved = True
        """Whether other queued runs may be the first in line now."""
        self.is_room_left = True
        """Whether a step may begin: what the runs of an organisation hold has become less."""

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
        try:
            async with self._database.organization(org_id) as connection:
                applied = await self._apply(
                    connection, run_id, org_id, message, message_id=message_id, at=at, actor=actor
                )
        except (UniqueViolationError, DeadlockDetectedError) as error:
            # Another run took a table of this one's, or both waited for each other.
            raise Retry(str(error), after=0.05) from error
        if applied is None:
            return None
        self._remembered.keep(run_id, applied.kept)
        state = applied.state
        if applied.is_claimed:
            self.claimed.append((state, org_id))
        elif state.status == "queued" or state.has_ended:
            self.has_line_moved = True
        self.is_room_left |= applied.room_is_left
        if self.claimed or self.has_line_moved or self.is_room_left:
            self.woken.set()
        self._outbox.hand_over(applied.said)
        if applied.set_off:
            self._outbox.wake()
        return state

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
        applied = await self._apply(
            connection,
            run_id,
            org_id,
            message,
            message_id=message_id,
            at=at,
            actor=actor,
            now=now,
            repeats=repeats,
        )
        return applied.state if applied else None

    async def _apply(
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
    ) -> _Applied | None:
        move = _Move(run_id, org_id, message, message_id, at, actor, now, repeats)
        guess = self._remembered.of(run_id)
        if guess is None and isinstance(message, StartRun):
            guess = Snapshot(None, 0, Others(), at)
        if guess is not None:
            applied = await self._attempt(connection, move, guess, self._room(guess, message))
            if isinstance(applied, _Applied):
                return applied
            self._remembered.forget(run_id)
        row = await _queries.read_run(connection, message_id=message_id, run_id=run_id)
        if row["is_repeated"]:
            log.debug("message_repeated", run_id=str(run_id), id=str(message_id))
            return None
        known = _snapshot(row)
        own = held(known.state) if known.state else Slots()
        # When another run takes the slots at the same moment, this one keeps to those it has.
        for allowed in (self._room(known, message), own):
            applied = await self._attempt(connection, move, known, allowed)
            if isinstance(applied, IllegalMessage):
                raise Reject(str(applied)) from applied
            if isinstance(applied, Ignored):
                log.debug("message_ignored", run_id=str(run_id), reason=applied.reason)
                return None
            if applied is not None:
                return applied
        raise Retry("the run was moved by another replica, or nothing may start", after=0.05)

    def _room(self, known: Snapshot, message: Message) -> Slots:
        own = held(known.state) if known.state else Slots()
        return room(self._slots, known.others, own, isinstance(message, RoomFreed))

    async def _attempt(
        self, connection: Connection, move: _Move, known: Snapshot, allowed: Slots
    ) -> _Applied | Ignored | IllegalMessage | None:
        """Let the machine decide, and keep that; None when the run is not as it was known."""
        old = known.state
        try:
            result = transition(old, move.message, move.at, allowed)
        except IllegalMessage as error:
            return error
        if isinstance(result, Ignored):
            return result
        if old is None or (old.has_ended and not result.state.has_ended):
            begun = replace(result.state, trace=carry().get("traceparent"))
            result = replace(result, state=begun)
        said = self._outbox.rows(outgoing(result, move.org_id, move.at, move.actor, known.revision))
        if old is None:
            row = await self._insert(connection, move, result, said)
        else:
            now = move.now or known.clock
            result = replace(result, state=self._deadlines.set(result.state, now))
            row = await self._update(connection, move, known, old, result, now, said)
        if row is None:
            return None
        state = result.state
        tell(old, state)
        followers: list[Follower] = []
        if old is not None and row["is_followed"]:
            followers = await followers_of(connection, state)
        elif old is not None and old.has_ended and not state.has_ended:
            await _queries.stand_in_line(connection, run_id=state.run_id)
        if followers:
            await self.set_off(connection, move.org_id, followers, success(state), row["now"])
        others = Others() if old is None else _others(row)
        kept = Snapshot(state, row["revision"], others, row["now"])
        return _Applied(
            state,
            kept,
            room_is_left=is_left(self._slots, others, state),
            is_claimed=old is None and row["is_alone"],
            said=said,
            set_off=bool(followers),
        )

    async def set_off(
        self,
        connection: Connection,
        org_id: UUID,
        followers: Sequence[Follower],
        news: News,
        at: datetime,
    ) -> bool:
        """Start the pipelines that news set off, in the caller's transaction; whether any was."""
        started = False
        for follower in followers:
            command = await decide(connection, org_id, follower, news, at)
            if command is not None:
                started = True
                await self.apply_in(
                    connection,
                    command.run_id,
                    org_id,
                    command,
                    message_id=derived_id(command.run_id, "start"),
                    at=at,
                    actor=news.actor,
                )
        return started

    async def _insert(
        self, connection: Connection, move: _Move, moved: Moved, said: Sequence[Row]
    ) -> Record | None:
        state = moved.state
        return await _queries.insert_run(
            connection,
            message_id=move.message_id,
            run_id=state.run_id,
            org_id=move.org_id,
            pipeline_id=state.pipeline_id,
            status=state.status,
            writes=list(state.writes),
            actor=move.actor,
            created_at=state.created_at,
            state=_STATE.dump_python(state, mode="json"),
            time=move.at,
            **run_events(moved),
            **outbox_rows(said),
        )

    async def _update(
        self,
        connection: Connection,
        move: _Move,
        known: Snapshot,
        old: RunState,
        moved: Moved,
        now: datetime,
        said: Sequence[Row],
    ) -> Record | None:
        state, before, after = moved.state, held(old), held(moved.state)
        return await _queries.update_run(
            connection,
            message_id=move.message_id,
            run_id=state.run_id,
            revision=known.revision,
            status=state.status,
            state=_STATE.dump_python(state, mode="json"),
            look_at=self._deadlines.look_at(state, now, move.repeats),
            repeats=move.repeats,
            syncs=after.syncs,
            builds=after.builds,
            is_waiting=waiting(state) != Slots(),
            has_begun=any(isinstance(message, StepStarted) for message in moved.messages),
            is_planned=isinstance(move.message, RunPlanned),
            is_alone=known.is_guess,
            waits_outside=waits_outside(state),
            takes=after.syncs > before.syncs or after.builds > before.builds,
            max_syncs=self._slots.syncs,
            max_builds=self._slots.builds,
            time=move.at,
            **run_events(moved),
            **outbox_rows(said),
        )

    async def claim(self, cap: int, batch: int) -> Sequence[tuple[RunState, UUID]]:
        """Queued runs that may start now, the fairest first, each with its organisation's id.

        `cap`: runs of one organisation that may be under way at once. Their tables are reserved for
        them until they end, so repeating this after a crash is harmless.
        """
        try:
            async with self._database.system(awaits_disk=False) as connection:
                await _queries.lock_claims(connection)
                rows = await collect(_queries.claim_runs(connection, cap=cap, batch=batch))
        except (UniqueViolationError, DeadlockDetectedError):
            # Another replica saw another run first in line.
            self.woken.set()
            return ()
        return [(state_of(row), row["org_id"]) for row in rows]

    async def with_room(self, batch: int) -> Sequence[tuple[UUID, UUID, str, str | None]]:
        """Runs with steps for which there is room now: id, organisation's id, actor, trace."""
        most = {"max_syncs": self._slots.syncs, "max_builds": self._slots.builds}
        async with self._database.system() as connection:
            rows = await collect(_queries.runs_with_room(connection, batch=batch, **most))
        return [(row["id"], row["org_id"], row["actor"], row["trace"]) for row in rows]

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

    async def pinned(self, org_id: UUID, relations: Sequence[str]) -> tuple[str, ...]:
        """Those of the versions that runs which have not ended were planned on."""
        async with self._database.organization(org_id) as connection:
            return tuple(await _queries.pinned_versions(connection, relations=list(relations)))

    async def oldest(self, org_id: UUID) -> OldestRun:
        """When the oldest of the runs that have not ended was created."""
        async with self._database.organization(org_id) as connection:
            return OldestRun(created_at=await _queries.oldest_open_run(connection))

    async def count_queued(self, org_id: UUID, most: int) -> int:
        """How many runs of an organisation wait in the queue; counted no further than to `most`."""
        async with self._database.organization(org_id) as connection:
            return await _queries.count_queued_runs(connection, most=most)


def _snapshot(row: Record) -> Snapshot:
    """The run in a row of `read_run`."""
    if not row["state"]:
        return Snapshot(None, 0, Others(), row["now"])
    return Snapshot(state_of(row), row["revision"], _others(row), row["now"])


def _others(row: Record) -> Others:
    """How the other runs of the organisation stand, beside the run in a row."""
    return Others(
        held=Slots(row["syncs"], row["builds"]),
        waiting=Slots(row["syncs_wait"], row["builds_wait"]),
    )
