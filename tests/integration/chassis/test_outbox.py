"""From the outbox to the bus: in order, once, and only what was committed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import pytest
import pytest_asyncio
from nats.aio.msg import Msg

from chassis.bus import Bus
from chassis.database import Database
from chassis.outbox import Outbox, Outgoing, Relay
from chassis.testing import eventually
from contracts.envelope import from_body, from_headers, new_id
from contracts.orchestrator import RunCancelRequested


def _messages(org_id: UUID, numbers: range) -> list[Outgoing]:
    return [
        Outgoing(RunCancelRequested(run_id=org_id, version=number), org_id, actor="key:7")
        for number in numbers
    ]


class Heard:
    """What was said on an organisation's subjects, repeats too."""

    def __init__(self) -> None:
        self.versions: list[int] = []
        self.actors: set[str] = set()

    async def hear(self, message: Msg) -> None:
        event = from_body(RunCancelRequested, message.data)
        self.versions.append(event.version)
        self.actors.add(from_headers(message.headers, message.subject).actor)

    async def until(self, version: int) -> None:
        """Wait for the event that was put last."""

        async def said() -> bool:
            return version in self.versions

        await eventually(said)


@pytest_asyncio.fixture
async def database(connect_database) -> Database:
    return await connect_database("orchestrator")


@pytest_asyncio.fixture
async def speaker(connect_bus) -> Bus:
    return await connect_bus("orchestrator")


@pytest_asyncio.fixture
async def heard(bus: Bus, org_id: UUID) -> Heard:
    """The gateway's ear, which may watch the orchestrator's events."""
    ear = Heard()
    await bus.watch(f"evt.{org_id.hex}.orchestrator.>", ear.hear)
    return ear


@pytest.fixture
def outbox() -> Outbox:
    return Outbox("orchestrator")


@asynccontextmanager
async def _relaying(*relays: Relay) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(relay.run()) for relay in relays]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _unpublished(database: Database, org_id: UUID) -> int | None:
    async with database.transaction() as connection:
        return await connection.fetchval(
            "SELECT count(*) FROM outbox "
            "WHERE published_at IS NULL AND headers ->> 'ce-orgid' = $1",
            str(org_id),
        )


async def _all_published(database: Database, org_id: UUID) -> None:
    async def none_left() -> bool:
        return await _unpublished(database, org_id) == 0

    await eventually(none_left)


async def _put_and_fail(database: Database, outbox: Outbox, messages: list[Outgoing]) -> None:
    async with database.transaction() as connection:
        await outbox.put(connection, messages)
        raise ZeroDivisionError


async def test_what_was_committed_is_said_in_order_and_once_though_two_replicas_relay(
    database: Database, speaker: Bus, outbox: Outbox, heard: Heard, org_id: UUID
) -> None:
    other = Outbox("orchestrator")
    async with _relaying(Relay(database, speaker, outbox), Relay(database, speaker, other)):
        for first in range(0, 500, 100):
            async with database.transaction() as connection:
                await outbox.put(connection, _messages(org_id, range(first, first + 100)))
            outbox.wake()
            other.wake()
        await heard.until(499)
        await _all_published(database, org_id)
    assert heard.versions == list(range(500))
    assert heard.actors == {"key:7"}


async def test_nothing_of_a_transaction_that_was_rolled_back_is_said(
    database: Database, speaker: Bus, outbox: Outbox, heard: Heard, org_id: UUID
) -> None:
    async with _relaying(Relay(database, speaker, outbox)):
        with pytest.raises(ZeroDivisionError):
            await _put_and_fail(database, outbox, _messages(org_id, range(3)))
        outbox.wake()
        async with database.transaction() as connection:
            await outbox.put(connection, _messages(org_id, range(3, 5)))
        outbox.wake()
        await heard.until(4)
    assert heard.versions == [3, 4]


async def test_what_was_committed_while_nobody_relayed_is_said_afterwards(
    database: Database, speaker: Bus, outbox: Outbox, heard: Heard, org_id: UUID
) -> None:
    async with database.transaction() as connection:
        await outbox.put(connection, _messages(org_id, range(3)))
    assert await _unpublished(database, org_id) == 3
    async with _relaying(Relay(database, speaker, outbox)):
        await heard.until(2)
    assert heard.versions == [0, 1, 2]


async def test_the_same_message_put_twice_is_said_once(
    database: Database, speaker: Bus, outbox: Outbox, heard: Heard, org_id: UUID
) -> None:
    messages = _messages(org_id, range(2))
    for _ in range(2):
        async with database.transaction() as connection:
            await outbox.put(connection, messages)
    async with _relaying(Relay(database, speaker, outbox)):
        await heard.until(1)
        await _all_published(database, org_id)
    assert heard.versions == [0, 1]


async def test_what_is_published_again_after_a_crash_is_stored_once(
    database: Database, speaker: Bus, outbox: Outbox, heard: Heard, admin, org_id: UUID
) -> None:
    async with database.transaction() as connection:
        await outbox.put(connection, _messages(org_id, range(3)))
    async with _relaying(Relay(database, speaker, outbox)):
        await heard.until(2)
        await _all_published(database, org_id)
        # As if the relay had died between the stream's word and its own commit.
        async with database.transaction() as connection:
            await connection.execute(
                "UPDATE outbox SET published_at = NULL WHERE headers ->> 'ce-orgid' = $1",
                str(org_id),
            )
        outbox.wake()
        await _all_published(database, org_id)
    info = await admin.stream_info("EVT", subjects_filter=f"evt.{org_id.hex}.>")
    assert sum((info.state.subjects or {}).values()) == 3


async def test_an_event_of_no_organisation_is_told_on_the_systems_subject(
    database: Database, outbox: Outbox
) -> None:
    event = Outgoing(RunCancelRequested(run_id=new_id(), version=1), None)
    async with database.transaction() as connection:
        await outbox.put(connection, [event])
        # Taken back before anybody relays it: the stream is shared with other tests.
        subject = await connection.fetchval(
            "DELETE FROM outbox WHERE id = $1 RETURNING subject", event.id
        )
    assert subject == "evt.system.orchestrator.run_cancel_requested.v1"
