"""Runs through the real orchestrator, ingest and transform: what is lost or called off still ends."""

import asyncio

import pytest
from nats.aio.msg import Msg

from contracts.auth import GetOrganization, Organization
from contracts.envelope import Meta, derived_id, from_body, from_headers, new_id
from contracts.ingest import Source, SourceSynced, SyncSource
from contracts.orchestrator import (
    CancelRun,
    RetryRun,
    RunCancelled,
    RunSucceeded,
    StartRun,
    Trigger,
)


class Office:
    """Tells the orchestrator what the gateway would, and hears what it tells ingest."""

    def __init__(self, stand) -> None:
        self.stand = stand
        self.run_id = new_id()
        self._syncs: asyncio.Queue[tuple[SyncSource, Meta]] = asyncio.Queue()

    async def tell(self, command: StartRun | CancelRun | RetryRun) -> None:
        gateway = await self.stand.as_("gateway")
        await gateway.send(command, org_id=self.stand.org_id, actor="tester")

    async def start(self, source: Source) -> None:
        await self.tell(
            StartRun(
                run_id=self.run_id,
                run_kind="sync",
                pipeline_id=None,
                source_ids=(source.id,),
                transformation_ids=(),
                trigger=Trigger(type="manual", actor="tester"),
            )
        )

    async def sync(self) -> tuple[SyncSource, Meta]:
        """The next sync that ingest is told to do."""
        return await asyncio.wait_for(self._syncs.get(), 20)

    async def take(self, message: Msg) -> None:
        meta = from_headers(message.headers, message.subject)
        await self._syncs.put((from_body(SyncSource, message.data), meta))


@pytest.fixture
async def office(stand, transform, stand_in, connect_bus) -> Office:
    async def organization(request: GetOrganization, meta: Meta) -> Organization:
        return Organization(id=stand.org_id, name="Wells", timezone="UTC")

    await stand_in("auth", {GetOrganization: organization})
    office = Office(stand)
    await (await connect_bus("migrator")).watch(SyncSource.subject(), office.take)
    return office


async def test_an_outcome_that_was_told_in_vain_is_told_again_and_the_run_ends(
    stand, office, run_ingest, start_service
):
    orchestrator = await start_service("orchestrator", ASK_AGAIN_AFTER="2", WATCH_EVERY="0.2")
    async with run_ingest():
        source = await stand.source()
        await office.start(source)
        command, meta = await office.sync()
        # As if it had been handled: the orchestrator will not look at the answer.
        async with orchestrator.database.transaction() as connection:
            await connection.execute(
                "INSERT INTO inbox (message_id) VALUES ($1)",
                derived_id(command.step_id, 1, meta.id),
            )
        first = await stand.outcome(command)
        again, _ = await office.sync()
        assert again == command.model_copy(update={"repeated": True})
        ended = await stand.hear(RunSucceeded, run_id=office.run_id)
    assert [step.status for step in ended.run.steps] == ["succeeded", "succeeded"]
    assert set(map(str, stand.heard(SourceSynced, run_id=office.run_id))) == {str(first)}
    assert await stand.versions() == {table.relation for table in first.tables}


async def test_a_run_that_was_called_off_is_retried_and_leaves_one_version(
    stand, office, run_ingest, start_service
):
    await start_service("orchestrator")
    async with run_ingest():
        # Long enough to be called off in the middle.
        source = await stand.source(b"name,age\n" + 200_000 * b"Asha,31\n")
        await office.start(source)
        command, _ = await office.sync()
        await office.tell(CancelRun(run_id=office.run_id))
        await stand.hear(RunCancelled, run_id=office.run_id)
        await office.tell(RetryRun(run_id=office.run_id, attempt=2))
        again, _ = await office.sync()
        assert (again.attempt, again.source_id) == (2, source.id)
        assert again.step_id != command.step_id
        ended = await stand.hear(RunSucceeded, run_id=office.run_id)
        outcome = await stand.outcome(again)
        await stand.idle()
    assert [step.attempt for step in ended.run.steps] == [2, 2]
    assert outcome.tables[0].rows == 200_000
    assert await stand.versions() == {table.relation for table in outcome.tables}
