"""Dead letters from their death to their replay, as an operator types it."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from chassis.bus import Bus
from chassis.database import Database
from chassis.errors import Reject
from chassis.jobs import Jobs
from chassis.outbox import Outgoing
from contracts import outside
from contracts.envelope import Meta, envelop, new_id, to_headers
from contracts.ingest import SyncSource
from contracts.orchestrator import RunCancelRequested
from contracts.streams import STREAMS

if TYPE_CHECKING:
    from uuid import UUID


class Worker:
    """Ingest's loop with a handler that rejects everything until it is mended."""

    def __init__(self, bus: Bus, database: Database) -> None:
        self.broken = True
        self.handled: list[UUID] = []
        self._jobs = Jobs(bus, database, "ingest")
        self._jobs.handle(SyncSource, self._sync)
        self._jobs.handle(RunCancelRequested, self._ignore)
        self._jobs.handle(outside.SourceSynced, self._ignore)

    async def _sync(self, command: SyncSource, meta: Meta) -> Sequence[Outgoing]:
        if self.broken:
            raise Reject("the disk is full")
        self.handled.append(meta.id)
        return []

    async def _ignore(self, message: object, meta: Meta) -> Sequence[Outgoing]:
        return []

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._jobs.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest_asyncio.fixture
async def database(connect_database) -> AsyncIterator[Database]:
    found = await connect_database("ingest")
    yield found
    async with found.transaction() as connection:
        await connection.execute("DELETE FROM dead_letters")


@pytest_asyncio.fixture
async def worker(connect_bus, database: Database) -> AsyncIterator[Worker]:
    async with database.transaction() as connection:
        await connection.execute("DELETE FROM dead_letters")
    # What other tests have left for ingest would die here too.
    jetstream = (await connect_bus("migrator")).jetstream
    for stream in STREAMS:
        await jetstream.purge_stream(stream.name)
    worker = Worker(await connect_bus("ingest"), database)
    async with worker.at_work():
        yield worker


@pytest.fixture
def listed(typed):
    async def ask(*more: str) -> list[dict[str, Any]]:
        result = await typed("dlq", "list", "--service", "ingest", "--json", *more)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return ask


async def test_a_letter_is_listed_shown_and_replayed_once_its_cause_is_mended(
    worker, database, listed, typed, connect_bus, work, org_id
):
    orchestrator = await connect_bus("orchestrator")
    source_id, message_id = new_id(), new_id()
    command = SyncSource(run_id=new_id(), step_id=new_id(), source_id=source_id, published=None)
    await orchestrator.send(command, org_id=org_id, id=message_id)
    await work.is_done()
    (letter,) = await listed()
    assert (letter["service"], letter["subject"]) == ("ingest", SyncSource.subject())
    assert (letter["reason"], letter["deliveries"]) == ("the disk is full", 1)
    assert letter["headers"]["ce-orgid"] == str(org_id)
    shown = await typed("dlq", "list")
    assert letter["id"] in shown.stdout
    assert str(org_id) in shown.stdout
    shown = await typed("dlq", "show", letter["id"])
    assert f'"source_id": "{source_id}"' in shown.stdout
    shown = await typed("dlq", "show", letter["id"], "--json")
    assert json.loads(shown.stdout)["body"]["source_id"] == str(source_id)

    worker.broken = False
    done = await typed("dlq", "replay", letter["id"])
    assert (done.exit_code, done.stdout.split()[0]) == (0, letter["id"])
    await work.is_done()
    assert worker.handled == [message_id]
    assert await listed() == []
    (kept,) = await listed("--replayed")
    assert (kept["id"], kept["replays"]) == (letter["id"], 1)
    assert kept["replayed_at"]

    # Not by mistake a second time, nor when the first died between the stream and the mark.
    refused = await typed("dlq", "replay", letter["id"])
    assert refused.exit_code == 1
    assert "1 letter not sent" in refused.stderr
    async with database.transaction() as connection:
        await connection.execute("UPDATE dead_letters SET replays = 0, replayed_at = NULL")
    assert (await typed("dlq", "replay", "--all", "--service", "ingest")).exit_code == 0
    await work.is_done()
    assert worker.handled == [message_id]
    assert (await typed("dlq", "replay", letter["id"], "--again")).exit_code == 0
    await work.is_done()
    assert worker.handled == [message_id, message_id]


async def test_what_cannot_be_read_dies_anew_as_a_letter_of_its_own_and_can_be_dropped(
    worker, listed, typed, connect_bus, work, org_id
):
    orchestrator = await connect_bus("orchestrator")
    command = SyncSource(run_id=new_id(), step_id=new_id(), source_id=new_id(), published=None)
    headers = to_headers(envelop(command, source="orchestrator", org_id=org_id))
    subject = SyncSource.subject()
    await orchestrator.jetstream.publish(subject, b"\xff no JSON", stream="CMD", headers=headers)
    await work.is_done()
    (letter,) = await listed()
    assert "SyncSource does not fit" in letter["reason"]
    shown = await typed("dlq", "show", letter["id"], "--json")
    assert json.loads(shown.stdout)["body_base64"] == "/yBubyBKU09O"

    assert (await typed("dlq", "replay", letter["id"])).exit_code == 0
    await work.is_done()
    (anew,) = await listed()
    assert anew["id"] != letter["id"]
    assert len(await listed("--replayed")) == 2

    kept = await typed("dlq", "drop", anew["id"], text="n\n")
    assert kept.exit_code == 1
    assert len(await listed()) == 1
    dropped = await typed("dlq", "drop", anew["id"], text="y\n")
    assert dropped.stdout.endswith("1 dead letter deleted.\n")
    assert (await typed("dlq", "drop", "--replayed", "--service", "ingest", "-y")).exit_code == 0
    assert await listed("--replayed") == []
    gone = await typed("dlq", "show", letter["id"])
    assert gone.exit_code == 1
    assert "There is no dead letter" in gone.stderr


async def test_while_the_bus_is_away_a_letter_stays(
    worker, listed, typed, connect_bus, work, org_id, monkeypatch
):
    orchestrator = await connect_bus("orchestrator")
    command = SyncSource(run_id=new_id(), step_id=new_id(), source_id=new_id(), published=None)
    await orchestrator.send(command, org_id=org_id)
    await work.is_done()
    (letter,) = await listed()
    monkeypatch.setenv("NATS_URL", "nats://127.0.0.1:1")
    refused = await typed("dlq", "replay", letter["id"])
    assert refused.exit_code == 1
    assert "The bus cannot be reached" in refused.stderr
    assert await listed() == [letter]
