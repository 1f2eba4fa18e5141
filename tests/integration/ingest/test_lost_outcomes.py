"""A run whose sync was done and told, but never heard by the orchestrator: it ends all the same."""

import asyncio

from nats.aio.msg import Msg

from contracts.auth import GetOrganization, Organization
from contracts.envelope import Meta, derived_id, from_body, from_headers, new_id
from contracts.ingest import SourceSynced, SyncSource
from contracts.orchestrator import RunSucceeded, StartRun, Trigger


async def test_an_outcome_that_was_told_in_vain_is_told_again_and_the_run_ends(
    stand, transform, run_ingest, start_service, stand_in, connect_bus
):
    async def organization(request: GetOrganization, meta: Meta) -> Organization:
        return Organization(id=stand.org_id, name="Wells", timezone="UTC")

    await stand_in("auth", {GetOrganization: organization})
    commands: asyncio.Queue[tuple[SyncSource, Meta]] = asyncio.Queue()

    async def take(message: Msg) -> None:
        meta = from_headers(message.headers, message.subject)
        await commands.put((from_body(SyncSource, message.data), meta))

    await (await connect_bus("migrator")).watch(SyncSource.subject(), take)
    orchestrator = await start_service("orchestrator", ASK_AGAIN_AFTER="2", WATCH_EVERY="0.2")
    async with run_ingest():
        source = await stand.source()
        run_id = new_id()
        start = StartRun(
            run_id=run_id,
            run_kind="sync",
            pipeline_id=None,
            source_ids=(source.id,),
            transformation_ids=(),
            trigger=Trigger(type="manual", actor="tester"),
        )
        await (await stand.as_("gateway")).send(start, org_id=stand.org_id, actor="tester")
        command, meta = await asyncio.wait_for(commands.get(), 20)
        # As if it had been handled: the orchestrator will not look at the answer.
        async with orchestrator.database.transaction() as connection:
            await connection.execute(
                "INSERT INTO inbox (message_id) VALUES ($1)",
                derived_id(command.step_id, 1, meta.id),
            )
        first = await stand.outcome(command)
        again, _ = await asyncio.wait_for(commands.get(), 20)
        assert again == command.model_copy(update={"repeated": True})
        ended = await stand.hear(RunSucceeded, run_id=run_id)
    assert [step.status for step in ended.run.steps] == ["succeeded", "succeeded"]
    assert set(map(str, stand.heard(SourceSynced, run_id=run_id))) == {str(first)}
    assert await stand.versions() == {table.relation for table in first.tables}
