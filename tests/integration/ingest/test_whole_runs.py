"""Runs through the real orchestrator, ingest and transform: what is lost or called off still ends."""

import asyncio

import pytest
from nats.aio.msg import Msg

from contracts.auth import GetOrganization, Organization
from contracts.envelope import Meta, derived_id, from_body, from_headers, new_id
from contracts.ingest import (
    AddUpload,
    Source,
    SourceSynced,
    SyncSource,
    UpdateSource,
    UploadAdded,
)
from contracts.orchestrator import (
    CancelRun,
    Cause,
    CreatePipeline,
    OnUpload,
    RetryRun,
    RunCancelled,
    RunSucceeded,
    SetTriggers,
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


async def test_a_new_file_of_a_source_sets_its_pipeline_off_and_is_what_readers_see(
    stand, office, run_ingest, start_service
):
    await start_service("orchestrator")
    async with run_ingest():
        source = await stand.source()
        pipeline_id = new_id()
        creation = CreatePipeline(
            pipeline_id=pipeline_id, name="x", source_ids=(source.id,), transformation_ids=()
        )
        await stand.ask(creation)
        await stand.ask(SetTriggers(pipeline_id=pipeline_id, triggers=(OnUpload(type="upload"),)))
        for age in (1, 2):
            upload = await stand.upload(b"name,age\nAsha,%d\n" % age)
            addition = AddUpload(source_id=source.id, upload_id=upload.upload_id)
            changed = source.config.model_copy(update={"upload_id": upload.upload_id})
            # Both are ways to give a source another file.
            request = addition if age == 1 else UpdateSource(source_id=source.id, config=changed)
            await stand.ask(request)
            # Said again, it is no news; and what is read in another way has no new file.
            await stand.ask(addition)
            await stand.ask(UpdateSource(source_id=source.id, name=f"people {age}"))
            command, _ = await office.sync()
            ended = await stand.hear(RunSucceeded, run_id=command.run_id)
            assert (ended.run.pipeline_id, ended.run.trigger.actor) == (pipeline_id, "tester")
            assert ended.run.trigger.caused_by == Cause(
                type="upload", source_id=source.id, upload_id=upload.upload_id
            )
            assert await stand.live(source) == [("Asha", age)]
        told = stand.heard(UploadAdded, source_id=source.id)
    assert len({event.upload_id for event in told}) == len(told) == 2
