"""The loop for durable messages, with ingest's consumer and handlers of the test's own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import UUID

import pytest
import pytest_asyncio
from nats.js import JetStreamContext

from chassis.bus import Bus
from chassis.database import Database
from chassis.errors import Reject, Retry
from chassis.jobs import Jobs, Stopped
from chassis.outbox import Outgoing
from chassis.testing import eventually
from contracts import outside
from contracts.envelope import Meta, derived_id, envelop, new_id, to_body, to_headers
from contracts.ingest import SourceSynced, SourceSyncFailed, SyncSource
from contracts.orchestrator import RunCancelRequested
from contracts.problem import Problem
from contracts.shares import Slots

Handler = Callable[[SyncSource, Meta], Awaitable[Sequence[Outgoing]]]


def _command() -> SyncSource:
    return SyncSource(run_id=new_id(), step_id=new_id(), source_id=new_id(), published=None)


def _synced(command: SyncSource, org_id: UUID | None) -> Outgoing:
    event = SourceSynced(
        run_id=command.run_id, step_id=command.step_id, lease=1, tables=(), unchanged=True
    )
    return Outgoing(event, org_id, id=derived_id(command.step_id, "synced"))


@pytest_asyncio.fixture
async def ingest(connect_bus) -> Bus:
    return await connect_bus("ingest")


@pytest_asyncio.fixture
async def orchestrator(connect_bus) -> Bus:
    return await connect_bus("orchestrator")


@pytest_asyncio.fixture
async def database(connect_database) -> Database:
    return await connect_database("ingest")


@pytest.fixture
def replica(ingest: Bus, database: Database) -> Callable[[], Jobs]:
    """A loop as another process of the service would have it; it follows nobody's events."""

    async def ignore(
        event: RunCancelRequested | outside.SourceSynced, meta: Meta
    ) -> Sequence[Outgoing]:
        return []

    def start() -> Jobs:
        jobs = Jobs(ingest, database, "ingest")
        jobs.handle(RunCancelRequested, ignore)
        jobs.handle(outside.SourceSynced, ignore)
        return jobs

    return start


@asynccontextmanager
async def _running(jobs: Jobs) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(jobs.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _letter(database: Database, message_id: UUID) -> str | None:
    async with database.transaction() as connection:
        return await connection.fetchval(
            "SELECT reason FROM dead_letters WHERE headers ->> 'ce-id' = $1", str(message_id)
        )


@pytest.mark.parametrize(
    "error",
    [RuntimeError("broken"), Retry("not yet", after=0.1), OSError("the database is away")],
    ids=["exception", "Retry", "OSError"],
)
async def test_a_handler_that_raises_is_called_again_and_says_its_outcome_once(
    error: Exception, replica, orchestrator: Bus, work, admin: JetStreamContext, org_id: UUID
) -> None:
    heard: list[UUID] = []

    async def handle(command: SyncSource, meta: Meta) -> Sequence[Outgoing]:
        heard.append(meta.id)
        if len(heard) == 1:
            raise error
        return [_synced(command, meta.org_id)]

    jobs = replica()
    jobs.handle(SyncSource, handle)
    message_id = new_id()
    async with _running(jobs):
        await orchestrator.send(_command(), org_id=org_id, id=message_id)
        await work.is_done()

    assert heard == [message_id, message_id]
    info = await admin.stream_info("EVT", subjects_filter=f"evt.{org_id.hex}.>")
    assert info.state.subjects == {f"evt.{org_id.hex}.ingest.source_synced.v1": 1}


async def test_an_outcome_said_again_after_a_crash_is_kept_once(
    replica, orchestrator: Bus, work, admin: JetStreamContext, org_id: UUID
) -> None:
    command = _command()

    async def handle(command: SyncSource, meta: Meta) -> Sequence[Outgoing]:
        return [_synced(command, meta.org_id)]

    jobs = replica()
    jobs.handle(SyncSource, handle)
    async with _running(jobs):
        for _ in range(2):
            await orchestrator.send(command, org_id=org_id)
        await work.is_done()

    info = await admin.stream_info("EVT", subjects_filter=f"evt.{org_id.hex}.>")
    assert info.state.subjects == {f"evt.{org_id.hex}.ingest.source_synced.v1": 1}


@pytest.mark.parametrize("body", [b"{", b'{"run_id": "none"}', b""], ids=["half", "wrong", "empty"])
async def test_a_message_that_does_not_parse_goes_to_the_dead_letters_and_off_the_stream(
    body: bytes, replica, orchestrator: Bus, database: Database, work, org_id: UUID
) -> None:
    heard: list[SyncSource] = []

    async def handle(command: SyncSource, meta: Meta) -> Sequence[Outgoing]:
        heard.append(command)
        return []

    jobs = replica()
    jobs.handle(SyncSource, handle)
    meta = envelop(_command(), source="orchestrator", org_id=org_id)
    good = _command()
    async with _running(jobs):
        await orchestrator.jetstream.publish(work.subject, body, headers=to_headers(meta))
        await orchestrator.send(good, org_id=org_id)
        await work.is_done()

    assert heard == [good]
    reason = await _letter(database, meta.id)
    assert reason is not None
    assert "SyncSource does not fit" in reason


async def test_a_message_without_headers_goes_to_the_dead_letters(
    replica, orchestrator: Bus, database: Database, work
) -> None:
    async def handle(command: SyncSource, meta: Meta) -> Sequence[Outgoing]:
        raise AssertionError("nobody said who sent it")

    jobs = replica()
    jobs.handle(SyncSource, handle)
    body = to_body(_command())
    async with _running(jobs):
        await orchestrator.jetstream.publish(work.subject, body)
        await work.is_done()

    async with database.transaction() as connection:
        reason = await connection.fetchval("SELECT reason FROM dead_letters WHERE body = $1", body)
    assert reason is not None
    assert "broken CloudEvents headers" in reason


async def test_a_reject_is_buried_with_its_reason_and_its_failure_is_said(
    replica, orchestrator: Bus, database: Database, work, admin: JetStreamContext, org_id: UUID
) -> None:
    async def handle(command: SyncSource, meta: Meta) -> Sequence[Outgoing]:
        raise Reject("there is no such source")

    async def on_dead(command: SyncSource, meta: Meta, reason: str) -> Sequence[Outgoing]:
        problem = Problem(title="Gone", status=404, code="not_found", detail=reason)
        failed = SourceSyncFailed(
            run_id=command.run_id, step_id=command.step_id, lease=1, problem=problem
        )
        return [Outgoing(failed, meta.org_id)]

    jobs = replica()
    jobs.handle(SyncSource, handle, on_dead=on_dead)
    message_id = new_id()
    async with _running(jobs):
        await orchestrator.send(_command(), org_id=org_id, id=message_id)
        await work.is_done()

    assert await _letter(database, message_id) == "there is no such source"
    subject = f"evt.{org_id.hex}.ingest.source_sync_failed.v1"
    said = await admin.get_last_msg("EVT", subject)
    assert said.data is not None
    event = SourceSyncFailed.model_validate_json(said.data)
    assert event.problem.detail == "there is no such source"


async def test_a_reject_that_nobody_can_be_told_of_is_off_the_stream_all_the_same(
    replica, orchestrator: Bus, database: Database, work, org_id: UUID
) -> None:
    async def handle(command: SyncSource, meta: Meta) -> Sequence[Outgoing]:
        raise Reject("it names no organisation")

    async def on_dead(command: SyncSource, meta: Meta, reason: str) -> Sequence[Outgoing]:
        raise Reject("it names no organisation")

    jobs = replica()
    jobs.handle(SyncSource, handle, on_dead=on_dead)
    message_id = new_id()
    async with _running(jobs):
        await orchestrator.send(_command(), org_id=org_id, id=message_id)
        await work.is_done()
    assert await _letter(database, message_id) == "it names no organisation"


class Blocked:
    """A handler that never ends by itself."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def __call__(self, command: SyncSource, meta: Meta) -> Sequence[Outgoing]:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return [_synced(command, meta.org_id)]


async def test_stop_cancels_the_work_with_its_key_and_acknowledges(
    replica, orchestrator: Bus, work, admin: JetStreamContext, org_id: UUID
) -> None:
    blocked, command = Blocked(), _command()
    jobs = replica()
    jobs.handle(SyncSource, blocked, key=lambda command: command.run_id)
    async with _running(jobs):
        await orchestrator.send(command, org_id=org_id)
        await asyncio.wait_for(blocked.begun.wait(), 10)
        assert jobs.stop(new_id()) == 0
        assert not blocked.cancelled.is_set()

        assert jobs.stop(command.run_id) == 1
        await work.is_done()
        assert blocked.cancelled.is_set()
        assert jobs.stop(command.run_id) == 0

    info = await admin.stream_info("EVT", subjects_filter=f"evt.{org_id.hex}.>")
    assert not info.state.subjects


async def test_a_stop_that_was_said_elsewhere_is_asked_for_while_the_work_runs(
    replica, orchestrator: Bus, work, org_id: UUID
) -> None:
    blocked, command = Blocked(), _command()

    async def heartbeat(asked: SyncSource, meta: Meta) -> bool:
        return asked.run_id == command.run_id and meta.org_id == org_id

    jobs = replica()
    jobs.handle(SyncSource, blocked, heartbeat=heartbeat)
    async with _running(jobs):
        await orchestrator.send(command, org_id=org_id)
        await asyncio.wait_for(blocked.begun.wait(), 10)
        await work.is_done()
    assert blocked.cancelled.is_set()


async def test_a_heartbeat_that_gets_no_connection_is_tried_again(
    replica, orchestrator: Bus, work, org_id: UUID
) -> None:
    blocked, again, tries, deliveries = Blocked(), asyncio.Event(), 0, 0

    async def handle(command: SyncSource, meta: Meta) -> Sequence[Outgoing]:
        nonlocal deliveries
        deliveries += 1
        return await blocked(command, meta)

    async def heartbeat(_: SyncSource, __: Meta) -> bool:
        nonlocal tries
        tries += 1
        if tries == 1:
            # As one does that waits for a pool whose connections are all in use.
            await asyncio.Event().wait()
        again.set()
        return True

    jobs = replica()
    jobs.handle(SyncSource, handle, heartbeat=heartbeat)
    async with _running(jobs):
        await orchestrator.send(_command(), org_id=org_id)
        await asyncio.wait_for(again.wait(), 2 * work.consumer.ack_wait)
        await work.is_done()
    assert blocked.cancelled.is_set()
    assert deliveries == 1


async def test_a_handler_that_finds_its_work_called_off_is_not_called_again(
    replica, orchestrator: Bus, database: Database, work, org_id: UUID
) -> None:
    heard: list[UUID] = []

    async def handle(command: SyncSource, meta: Meta) -> Sequence[Outgoing]:
        heard.append(meta.id)
        raise Stopped

    jobs = replica()
    jobs.handle(SyncSource, handle)
    message_id = new_id()
    async with _running(jobs):
        await orchestrator.send(_command(), org_id=org_id, id=message_id)
        await work.is_done()
    assert heard == [message_id]
    assert await _letter(database, message_id) is None


async def test_a_replica_that_shuts_down_hands_its_work_to_another_at_once(
    replica, orchestrator: Bus, work, org_id: UUID
) -> None:
    blocked, taken = Blocked(), asyncio.Event()

    async def handle(command: SyncSource, meta: Meta) -> Sequence[Outgoing]:
        taken.set()
        return []

    leaving, staying = replica(), replica()
    leaving.handle(SyncSource, blocked)
    staying.handle(SyncSource, handle)
    async with _running(leaving):
        await orchestrator.send(_command(), org_id=org_id)
        await asyncio.wait_for(blocked.begun.wait(), 10)
    assert blocked.cancelled.is_set()
    assert await work.stored() == 1
    async with _running(staying):
        # Sooner than the silence of ack_wait would have given it back.
        await asyncio.wait_for(taken.wait(), work.consumer.ack_wait / 2)
        await work.is_done()


async def test_work_that_is_handed_back_at_a_restart_is_no_failure_of_its_message(
    replica, orchestrator: Bus, database: Database, work, org_id: UUID
) -> None:
    message_id, tries = new_id(), 0
    await orchestrator.send(_command(), org_id=org_id, id=message_id)
    # More restarts than failures after which a message is given up.
    for _ in range(12):
        blocked, leaving = Blocked(), replica()
        leaving.handle(SyncSource, blocked)
        async with _running(leaving):
            await asyncio.wait_for(blocked.begun.wait(), 10)

    async def handle(command: SyncSource, meta: Meta) -> Sequence[Outgoing]:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise Retry("not yet", after=0.05)
        return []

    staying = replica()
    staying.handle(SyncSource, handle)
    async with _running(staying):
        await work.is_done()
    assert tries == 2
    assert await _letter(database, message_id) is None


async def test_no_more_is_worked_on_at_once_than_there_are_slots(
    replica, orchestrator: Bus, work, org_id: UUID
) -> None:
    running, most, go = 0, 0, asyncio.Event()

    async def handle(command: SyncSource, meta: Meta) -> Sequence[Outgoing]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == 2:
            go.set()
        await go.wait()
        running -= 1
        return []

    jobs = replica()
    jobs.handle(SyncSource, handle, slots=2)
    for _ in range(6):
        await orchestrator.send(_command(), org_id=org_id)
    async with _running(jobs):
        await work.is_done()
    assert most == 2


class Gated:
    """A handler whose work begins, and ends when it is let."""

    def __init__(self) -> None:
        self.begun: list[UUID] = []
        self._ends: dict[UUID, asyncio.Event] = {}

    async def __call__(self, command: SyncSource, meta: Meta) -> Sequence[Outgoing]:
        self.begun.append(command.run_id)
        await self._ends.setdefault(command.run_id, asyncio.Event()).wait()
        return []

    def end(self, *commands: SyncSource) -> None:
        for command in commands:
            self._ends.setdefault(command.run_id, asyncio.Event()).set()

    async def has_begun(self, *commands: SyncSource) -> None:
        async def all_of_them() -> bool:
            return self.begun == [command.run_id for command in commands]

        await eventually(all_of_them)


SHARED = Slots("test", "", total=3, each=2, waiting=10)


async def test_an_organisation_that_fills_its_share_leaves_a_slot_to_others(
    replica, orchestrator: Bus, work, org_id: UUID
) -> None:
    gated, jobs = Gated(), replica()
    jobs.handle(SyncSource, gated, share=SHARED)
    first, second, third, fourth, other = (_command() for _ in range(5))
    async with _running(jobs):
        for command in (first, second, third, fourth):
            await orchestrator.send(command, org_id=org_id)
        await orchestrator.send(other, org_id=new_id())
        await gated.has_begun(first, second, other)
        # The slot of another is not one more of theirs; their own are, in their order.
        gated.end(other)
        gated.end(first)
        await gated.has_begun(first, second, other, third)
        gated.end(second, third, fourth)
        await work.is_done()
    assert gated.begun[-1] == fourth.run_id


async def test_a_message_that_waits_for_its_turn_can_be_stopped_and_is_nobody_elses(
    replica, orchestrator: Bus, work, org_id: UUID
) -> None:
    gated, jobs, elsewhere = Gated(), replica(), Gated()
    asked = asyncio.Event()
    first, waits, cancelled, other = (_command() for _ in range(4))

    async def heartbeat(command: SyncSource, meta: Meta) -> bool:
        if command == waits:
            asked.set()
        return command == cancelled

    share = replace(SHARED, each=1)
    jobs.handle(SyncSource, gated, share=share, key=lambda each: each.run_id, heartbeat=heartbeat)
    async with _running(jobs):
        for command in (first, waits, cancelled):
            await orchestrator.send(command, org_id=org_id)
        await orchestrator.send(other, org_id=new_id())
        await gated.has_begun(first, other)
        # It says to be alive, so that no other replica gets it.
        await asyncio.wait_for(asked.wait(), work.consumer.ack_wait)
        second = replica()
        second.handle(SyncSource, elsewhere)
        async with _running(second):
            assert jobs.stop(waits.run_id) == 1
            gated.end(first, other)
            await work.is_done()
    assert gated.begun == [first.run_id, other.run_id]
    assert elsewhere.begun == []


async def test_messages_past_those_that_may_wait_are_handed_back_for_a_while(
    replica, orchestrator: Bus, work, org_id: UUID
) -> None:
    gated, jobs = Gated(), replica()
    jobs.handle(SyncSource, gated, share=replace(SHARED, each=1, waiting=1))
    first, waits, handed_back, other = (_command() for _ in range(4))
    async with _running(jobs):
        for command in (first, waits, handed_back):
            await orchestrator.send(command, org_id=org_id)
        await orchestrator.send(other, org_id=new_id())
        await gated.has_begun(first, other)
        gated.end(first, waits, handed_back, other)
        await gated.has_begun(first, other, waits)

        async def only_the_one_handed_back_is_left() -> bool:
            return await work.stored() == 1

        # It comes back after seconds.
        await eventually(only_the_one_handed_back_is_left)
    assert handed_back.run_id not in gated.begun


async def test_a_service_that_leaves_a_consumer_unhandled_ends_loudly(replica) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        await replica().run()
    assert caught.group_contains(RuntimeError, match="nobody handles the messages of ingest_")


async def test_the_loop_is_ready_once_it_pulls(replica) -> None:
    jobs = replica()
    jobs.handle(SyncSource, Blocked())

    async def pulls() -> bool:
        try:
            jobs.check()
        except RuntimeError:
            return False
        return True

    async with _running(jobs):
        with pytest.raises(RuntimeError, match="cannot pull from ingest_"):
            await _until_it_has_begun(jobs)
        await eventually(pulls)


async def _until_it_has_begun(jobs: Jobs) -> None:
    """One turn of the event loop is enough for the task to name its consumers."""
    await asyncio.sleep(0)
    jobs.check()
