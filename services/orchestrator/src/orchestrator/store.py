"""Runs in PostgreSQL: takes old to new in one transaction, the machine in between is pure."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import DeadlockDetectedError, Record, UniqueViolationError
from pydantic import TypeAdapter

from chassis.database import Connection, Database, collect, queries
from chassis.errors import Reject, Retry
from chassis.outbox import Outbox, Outgoing, Row
from chassis.telemetry import log
from contracts.envelope import derived_id
from contracts.message import Event
from contracts.orchestrator import OldestRun, Run, StepStarted
from contracts.problem import not_found
from orchestrator.deadlines import Deadlines
from orchestrator.domain import Message, RoomFreed, RunPlanned, RunState, view
from orchestrator.firing import Follower, News, decide, end_run, success
from orchestrator.machine import Ignored, IllegalMessage, Moved, transition
from orchestrator.room import Others, Slots, held, is_left, room, waiting, waits_outside

_STATE = TypeAdapter(RunState)
_queries = queries("orchestrator")


@dataclass(frozen=True)
class _Applied:
    """What has come of a message."""

    state: RunState
    room_is_left: bool
    said: Sequence[Row]
    """What leaves with the commit."""
    set_off: bool
    """Other runs were started in the same transaction."""


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
        self.woken = asyncio.Event()
        """Set when a queued run or a step that waits may begin."""
        self.is_room_left = False
        """Whether a step may: what the runs of an organisation hold has become less."""

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
            applied = await self._apply(
                connection, run_id, org_id, message, message_id=message_id, at=at, actor=actor
            )
        if applied is None:
            return None
        self._outbox.hand_over(applied.said)
        if applied.set_off:
            self._outbox.wake()
        if applied.room_is_left:
            self.is_room_left = True
            self.woken.set()
        return applied.state

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
        if isinstance(message, RunPlanned) and not await _queries.is_open(connection):
            log.debug("run_stays_queued", run_id=str(run_id), reason="drained")
            return None
        row = await _queries.receive(connection, message_id=message_id, run_id=run_id)
        if not row["is_new"]:
            log.debug("message_repeated", run_id=str(run_id), id=str(message_id))
            return None
        old = state_of(row) if row["state"] else None
        revision = row["revision"] or 0
        own = held(old) if old else Slots()
        others = _others(row) if old else Others()
        has_turn = isinstance(message, RoomFreed)
        # When another run takes the slots at the same moment, this one keeps to those it has.
        for allowed in (room(self._slots, others, own, has_turn), own):
            try:
                result = transition(old, message, at, allowed)
            except IllegalMessage as error:
                raise Reject(str(error)) from error
            if isinstance(result, Ignored):
                log.debug("message_ignored", run_id=str(run_id), reason=result.reason)
                return None
            said = self._outbox.rows(_outgoing(result, org_id, at, actor, revision))
            if old is None:
                kept = await self._insert(connection, org_id, result, at, actor, said)
            else:
                result = replace(result, state=self._deadlines.set(result.state, now or row["now"]))
                kept = await self._update(connection, old, row, result, at, now, repeats, said)
            if kept:
                break
        else:
            raise Retry("the run was moved by another replica", after=0.05)
        _tell(old, result.state)
        followers: list[Follower] = []
        if result.state.has_ended:
            followers = await end_run(connection, result.state)
        elif old is not None and old.has_ended:
            await _queries.stand_in_line(connection, run_id=run_id)
        if followers:
            await self.set_off(connection, org_id, followers, success(result.state), row["now"])
        room_is_left = is_left(self._slots, others, result.state)
        return _Applied(result.state, room_is_left, said, set_off=bool(followers))

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
        self,
        connection: Connection,
        org_id: UUID,
        moved: Moved,
        at: datetime,
        actor: str,
        said: Sequence[Row],
    ) -> bool:
        state = moved.state
        count = await _queries.insert_run(
            connection,
            run_id=state.run_id,
            org_id=org_id,
            pipeline_id=state.pipeline_id,
            status=state.status,
            writes=list(state.writes),
            actor=actor,
            created_at=state.created_at,
            state=_STATE.dump_python(state, mode="json"),
            time=at,
            **_told(moved),
            **_put(said),
        )
        return count == 1

    async def _update(
        self,
        connection: Connection,
        old: RunState,
        row: Record,
        moved: Moved,
        at: datetime,
        now: datetime | None,
        repeats: int,
        said: Sequence[Row],
    ) -> bool:
        state, before, after = moved.state, held(old), held(moved.state)
        count = await _queries.update_run(
            connection,
            run_id=state.run_id,
            revision=row["revision"],
            status=state.status,
            state=_STATE.dump_python(state, mode="json"),
            look_at=self._deadlines.look_at(state, now or row["now"], repeats),
            repeats=repeats,
            syncs=after.syncs,
            builds=after.builds,
            is_waiting=waiting(state) != Slots(),
            has_begun=any(isinstance(message, StepStarted) for message in moved.messages),
            waits_outside=waits_outside(state),
            takes=after.syncs > before.syncs or after.builds > before.builds,
            max_syncs=self._slots.syncs,
            max_builds=self._slots.builds,
            time=at,
            **_told(moved),
            **_put(said),
        )
        return count == 1

    async def claim(self, cap: int, batch: int) -> Sequence[tuple[RunState, UUID]]:
        """Queued runs that may start now, the fairest first, each with its organisation's id.

        `cap`: runs of one organisation that may be under way at once. Their tables are reserved for
        them until they end, so repeating this after a crash is harmless.
        """
        try:
            async with self._database.system(awaits_disk=False) as connection:
                rows = await collect(_queries.claim_runs(connection, cap=cap, batch=batch))
        except (UniqueViolationError, DeadlockDetectedError):
            # Another replica saw another run first in line.
            self.woken.set()
            return ()
        return [(state_of(row), row["org_id"]) for row in rows]

    async def with_room(self, batch: int) -> Sequence[tuple[UUID, UUID, str]]:
        """Runs with steps for which there is room now: id, organisation's id, actor."""
        most = {"max_syncs": self._slots.syncs, "max_builds": self._slots.builds}
        async with self._database.system() as connection:
            rows = await collect(_queries.runs_with_room(connection, batch=batch, **most))
        return [(row["id"], row["org_id"], row["actor"]) for row in rows]

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


def _others(row: Record) -> Others:
    """How the other runs of the organisation stand, beside the run in a row of `receive`."""
    return Others(
        held=Slots(row["syncs"], row["builds"]),
        waiting=Slots(row["syncs_wait"], row["builds_wait"]),
    )


def _told(moved: Moved) -> dict[str, list[Any]]:
    """The run events of a move, by column."""
    events = [
        (version, message.token.rpartition(".")[0], message.model_dump(mode="json"))
        for message in moved.messages
        if isinstance(message, Event) and (version := getattr(message, "version", None))
    ]
    versions, types, data = zip(*events, strict=True) if events else ((), (), ())
    return {"versions": list(versions), "types": list(types), "data": list(data)}


def _put(said: Sequence[Row]) -> dict[str, list[Any]]:
    """What a move says, by column of the outbox."""
    ids, streams, subjects, headers, bodies = zip(*said, strict=True) if said else ((),) * 5
    return {
        "ids": list(ids),
        "streams": list(streams),
        "subjects": list(subjects),
        "headers": list(headers),
        "bodies": list(bodies),
    }


def _outgoing(
    moved: Moved, org_id: UUID, at: datetime, actor: str, revision: int
) -> list[Outgoing]:
    """The machine's messages with ids that follow from the move, never from chance.

    Commands go first: work begins while the news of it is on its way.
    """
    said = [
        Outgoing(
            message,
            org_id,
            actor=actor,
            id=derived_id(moved.state.run_id, revision, index),
            time=at,
        )
        for index, message in enumerate(moved.messages)
    ]
    return sorted(said, key=lambda outgoing: isinstance(outgoing.message, Event))


def _tell(old: RunState | None, new: RunState) -> None:
    """One INFO line for each change of status, that a person can follow a run by."""
    if old is not None and old.status == new.status:
        return
    detail = {"error": new.error.detail} if new.error else {}
    log.info(f"run_{new.status}", run_id=str(new.run_id), kind=new.kind, **detail)
