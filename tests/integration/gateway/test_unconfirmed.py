"""A run that was accepted starts, though the bus lost the command before anybody took it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from uuid import UUID

import pytest

from chassis import streams
from chassis.answers import Answers
from chassis.bus import Bus
from chassis.settings import BusSettings
from chassis.testing import eventually
from contracts.envelope import Meta, new_id
from contracts.orchestrator import CancelRun, GetRun, Run, StartRun, Trigger
from contracts.problem import not_found
from contracts.shares import UNCONFIRMED
from gateway.unconfirmed import Sent, Unconfirmed
from stack.servers import Servers

PASSWORD = "only-for-tests"


@pytest.fixture
def own_servers() -> Iterator[Servers]:
    """Servers that nobody else uses: a stream of theirs is lost here."""
    with Servers.temporary(password=PASSWORD) as servers:
        yield servers


def _settings(servers: Servers, user: str) -> BusSettings:
    return BusSettings.model_validate(
        {"nats_url": servers.nats_url, "nats_user": user, "nats_password": PASSWORD}
    )


class Orchestrator:
    """Answers what it knows of a run."""

    def __init__(self) -> None:
        self.run: Run | None = None
        self.asked = asyncio.Event()

    async def get_run(self, request: GetRun, meta: Meta) -> Run:
        self.asked.set()
        if self.run is None:
            raise not_found("run", request.run_id)
        return self.run


@pytest.fixture
async def migrator(own_servers: Servers) -> AsyncIterator[Bus]:
    """Who may make streams, which are there."""
    bus = await Bus.connect(_settings(own_servers, "migrator"), "auth")
    await streams.apply(bus.jetstream)
    yield bus
    await bus.close()


async def test_a_command_whose_stream_was_lost_is_sent_again_until_a_run_shows_it(
    own_servers: Servers, migrator: Bus, org_id: UUID
):
    owner = Orchestrator()
    answers = Answers(_settings(own_servers, "orchestrator"), "orchestrator")
    answers.answer(GetRun, owner.get_run)
    trigger = Trigger(type="manual", actor="tester")
    command = StartRun(
        run_id=new_id(),
        run_kind="sync",
        pipeline_id=None,
        source_ids=(new_id(),),
        transformation_ids=(),
        trigger=trigger,
    )

    async def is_stored() -> bool:
        return (await migrator.jetstream.stream_info("CMD")).state.messages == 1

    async with AsyncExitStack() as stack:
        await answers.start()
        stack.push_async_callback(answers.stop)
        bus = await Bus.connect(_settings(own_servers, "gateway"), "gateway")
        stack.push_async_callback(bus.close)
        unconfirmed = Unconfirmed(bus)
        looking = asyncio.create_task(unconfirmed.run())
        stack.callback(looking.cancel)
        await bus.send(command, org_id=org_id, id=command.message_id)
        unconfirmed.keep(
            Sent(command, command.message_id, org_id, "tester", command.run_id, lambda _: True)
        )
        await migrator.jetstream.delete_stream("CMD")
        await streams.apply(migrator.jetstream)
        await eventually(is_stored, within=30)
        # As long as it is stored, a repeat is dropped.
        owner.asked.clear()
        await asyncio.wait_for(owner.asked.wait(), 30)
        assert await is_stored()
        owner.run = Run(
            id=command.run_id,
            kind="sync",
            pipeline_id=None,
            status="queued",
            trigger=trigger,
            created_at=datetime.now(UTC),
            version=1,
        )

        async def is_confirmed() -> bool:
            return not unconfirmed.waiting

        await eventually(is_confirmed, within=30)


async def test_an_organisation_with_many_pushes_out_its_own_alone(bus: Bus):
    unconfirmed = Unconfirmed(bus)
    org_id, other = new_id(), new_id()

    def keep(owner: UUID) -> None:
        run_id = new_id()
        command = CancelRun(run_id=run_id)
        unconfirmed.keep(Sent(command, new_id(), owner, "tester", run_id, lambda _: True))

    keep(other)
    for _ in range(UNCONFIRMED.each + 50):
        keep(org_id)
    assert unconfirmed.waiting == UNCONFIRMED.each + 1
