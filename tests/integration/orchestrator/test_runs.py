"""A run from its command to its end, with everything around the orchestrator real but the work."""

import pytest

from chassis.testing import eventually
from contracts.envelope import new_id
from contracts.ingest import SourceSynced, SourceSyncFailed, SyncSource
from contracts.orchestrator import (
    GetRun,
    ListRunEvents,
    RunCancelled,
    RunCancelRequested,
    RunFailed,
    RunQueued,
    RunStarted,
    RunSucceeded,
    StepFinished,
    StepStarted,
)
from contracts.problem import Problem, ProblemError
from contracts.transform import AbortPublish, BuildTransformation, PublishAborted, PublishRun

MISSING = Problem(title="Gone", status=422, code="file_gone", detail="Upload it again.")


@pytest.fixture
async def orchestrator(start_service):
    return await start_service("orchestrator", MAX_ACTIVE_RUNS_PER_ORGANIZATION="2")


async def test_no_transformation_begins_before_the_last_source_is_in(orchestrator, neighbours):
    wells, people = neighbours.source("wells"), neighbours.source("people")
    clean = neighbours.recipe("clean", wells)
    run_id = await neighbours.start(wells, people, recipes=(clean,))
    first = await neighbours.hear(SyncSource, run_id=run_id, source_id=wells)
    second = await neighbours.hear(SyncSource, run_id=run_id, source_id=people)

    await neighbours.synced(run_id, first.step_id, wells)
    await neighbours.hear(StepFinished, run_id=run_id)
    # The clean recipe reads only what is in already, and waits all the same.
    assert await neighbours.status(run_id) == "syncing"
    assert neighbours.told(BuildTransformation, run_id=run_id) == []

    await neighbours.synced(run_id, second.step_id, people)
    build = await neighbours.hear(BuildTransformation, run_id=run_id)
    assert build.recipe_version == 3
    assert build.timezone == "Africa/Nairobi"
    assert [table.table_id for table in build.inputs] == [wells]


async def test_recipes_are_built_in_the_order_of_what_they_read(orchestrator, neighbours):
    wells = neighbours.source("wells")
    clean = neighbours.recipe("clean", wells)
    summary = neighbours.recipe("summary", clean)
    run_id = await neighbours.start(wells, recipes=(summary, clean))
    sync = await neighbours.hear(SyncSource, run_id=run_id)
    await neighbours.synced(run_id, sync.step_id, wells)

    build = await neighbours.hear(BuildTransformation, run_id=run_id)
    assert build.transformation_id == clean
    await neighbours.built(run_id, build.step_id, clean)
    build = await neighbours.hear(BuildTransformation, run_id=run_id, count=2)
    assert build.transformation_id == summary
    await neighbours.built(run_id, build.step_id, summary)

    publish = await neighbours.hear(PublishRun, run_id=run_id)
    assert {table.table_id for table in publish.tables} == {wells, clean, summary}
    await neighbours.published(publish)
    ended = await neighbours.hear(RunSucceeded, run_id=run_id)
    assert [step.status for step in ended.run.steps] == ["succeeded"] * 4


async def test_the_history_of_a_run_has_no_gap_and_is_what_was_said(orchestrator, neighbours):
    wells = neighbours.source("wells")
    run_id = await neighbours.start(wells)
    sync = await neighbours.hear(SyncSource, run_id=run_id)
    await neighbours.synced(run_id, sync.step_id, wells)
    await neighbours.published(await neighbours.hear(PublishRun, run_id=run_id))
    await neighbours.hear(RunSucceeded, run_id=run_id)

    asked = ListRunEvents(run_id=run_id, after_version=0)
    events = (await neighbours.gateway.ask(asked, org_id=neighbours.org_id)).events
    assert [event.version for event in events] == list(range(1, len(events) + 1))
    kinds = (RunQueued, RunStarted, StepStarted, StepFinished, RunSucceeded)
    said = sorted(message.version for kind in kinds for message in neighbours.told(kind))
    assert said == [event.version for event in events]


async def test_news_that_come_twice_move_the_run_once(orchestrator, neighbours):
    wells, people = neighbours.source("wells"), neighbours.source("people")
    run_id = await neighbours.start(wells, people)
    sync = await neighbours.hear(SyncSource, run_id=run_id, source_id=wells)
    other = await neighbours.hear(SyncSource, run_id=run_id, source_id=people)
    for _ in range(3):
        # Each with an id of its own: what JetStream cannot tell apart, the machine must.
        await neighbours.synced(run_id, sync.step_id, wells)
    await neighbours.synced(run_id, other.step_id, people)
    await neighbours.published(await neighbours.hear(PublishRun, run_id=run_id))
    await neighbours.hear(RunSucceeded, run_id=run_id)
    assert len(neighbours.told(StepFinished, run_id=run_id)) == 3
    assert len(neighbours.told(PublishRun, run_id=run_id)) == 1


async def test_a_run_waits_for_neighbours_that_are_away(orchestrator, silent, stand_in):
    wells = silent.source("wells")
    run_id = await silent.start(wells)
    await silent.hear(RunQueued, run_id=run_id)
    for service, handlers in silent.answers().items():
        await stand_in(service, handlers)
    assert await silent.hear(SyncSource, run_id=run_id)


async def test_a_run_of_something_that_is_gone_fails_in_words(orchestrator, neighbours):
    run_id = await neighbours.start(new_id())
    failed = await neighbours.hear(RunFailed, run_id=run_id)
    assert failed.run.error is not None
    assert failed.run.error.status == 404
    assert "source" in failed.run.error.detail


async def test_every_source_reports_before_a_run_fails(orchestrator, neighbours):
    wells, people = neighbours.source("wells"), neighbours.source("people")
    run_id = await neighbours.start(wells, people)
    sync = await neighbours.hear(SyncSource, run_id=run_id, source_id=wells)
    other = await neighbours.hear(SyncSource, run_id=run_id, source_id=people)
    failure = SourceSyncFailed(run_id=run_id, step_id=sync.step_id, lease=1, problem=MISSING)
    await neighbours.ingest.publish(failure, org_id=neighbours.org_id)
    await neighbours.hear(StepFinished, run_id=run_id)
    assert await neighbours.status(run_id) == "syncing"
    await neighbours.synced(run_id, other.step_id, people)
    failed = await neighbours.hear(RunFailed, run_id=run_id)
    assert failed.run.error == MISSING
    assert neighbours.told(PublishRun, run_id=run_id) == []


async def test_two_runs_never_write_the_same_table_at_once(orchestrator, neighbours):
    wells = neighbours.source("wells")
    first = await neighbours.start(wells)
    sync = await neighbours.hear(SyncSource, run_id=first)
    second = await neighbours.start(wells)
    third = await neighbours.start(neighbours.source("people"))
    # One that came later and writes something else does not wait for the table.
    await neighbours.hear(SyncSource, run_id=third)
    assert await neighbours.status(second) == "queued"

    await neighbours.synced(first, sync.step_id, wells)
    await neighbours.published(await neighbours.hear(PublishRun, run_id=first))
    await neighbours.hear(SyncSource, run_id=second)


async def test_an_organisations_runs_wait_at_its_cap_and_nobody_elses(orchestrator, neighbours):
    runs = []
    for n in range(2):
        runs.append(await neighbours.start(neighbours.source(f"table {n}")))
        await neighbours.hear(SyncSource, run_id=runs[n])
    # Commands are taken side by side: only a run asked for later than these waits for certain.
    runs.append(await neighbours.start(neighbours.source("table 2")))
    stranger = await neighbours.start(neighbours.source("theirs"), org_id=new_id())
    await neighbours.hear(SyncSource, run_id=stranger)
    assert await neighbours.status(runs[2]) == "queued"
    await neighbours.cancel(runs[0])
    await neighbours.hear(SyncSource, run_id=runs[2])


async def test_a_cancelled_run_tells_its_workers_and_frees_its_tables(orchestrator, neighbours):
    wells = neighbours.source("wells")
    run_id = await neighbours.start(wells)
    sync = await neighbours.hear(SyncSource, run_id=run_id)
    await neighbours.cancel(run_id)
    await neighbours.hear(RunCancelRequested, run_id=run_id)
    ended = await neighbours.hear(RunCancelled, run_id=run_id)
    assert [step.status for step in ended.run.steps] == ["cancelled", "cancelled"]

    # What the worker says too late changes nothing.
    await neighbours.synced(run_id, sync.step_id, wells)
    again = await neighbours.start(wells)
    await neighbours.hear(SyncSource, run_id=again)
    assert await neighbours.status(run_id) == "cancelled"


async def test_a_cancel_while_publishing_leaves_the_word_to_transform(orchestrator, neighbours):
    wells = neighbours.source("wells")
    run_id = await neighbours.start(wells)
    sync = await neighbours.hear(SyncSource, run_id=run_id)
    await neighbours.synced(run_id, sync.step_id, wells)
    await neighbours.hear(PublishRun, run_id=run_id)
    await neighbours.cancel(run_id)
    await neighbours.hear(AbortPublish, run_id=run_id)
    assert await neighbours.status(run_id) == "publishing"
    await neighbours.transform.publish(PublishAborted(run_id=run_id), org_id=neighbours.org_id)
    await neighbours.hear(RunCancelled, run_id=run_id)


async def test_a_cancel_that_comes_after_the_publish_is_too_late(orchestrator, neighbours):
    wells = neighbours.source("wells")
    run_id = await neighbours.start(wells)
    sync = await neighbours.hear(SyncSource, run_id=run_id)
    await neighbours.synced(run_id, sync.step_id, wells)
    publish = await neighbours.hear(PublishRun, run_id=run_id)
    await neighbours.cancel(run_id)
    await neighbours.hear(AbortPublish, run_id=run_id)
    await neighbours.published(publish)
    ended = await neighbours.hear(RunSucceeded, run_id=run_id)
    assert ended.run.status == "succeeded"


async def test_another_orchestrator_goes_on_where_one_ended(run_service, neighbours):
    wells = neighbours.source("wells")
    async with run_service("orchestrator"):
        run_id = await neighbours.start(wells)
        sync = await neighbours.hear(SyncSource, run_id=run_id)
    await neighbours.synced(run_id, sync.step_id, wells)
    async with run_service("orchestrator"):
        await neighbours.published(await neighbours.hear(PublishRun, run_id=run_id))
        await neighbours.hear(RunSucceeded, run_id=run_id)


async def test_two_orchestrators_side_by_side_do_everything_once(run_service, neighbours):
    async with run_service("orchestrator"), run_service("orchestrator"):
        sources = [neighbours.source(f"table {n}") for n in range(6)]
        run_id = await neighbours.start(*sources)
        for source_id in sources:
            sync = await neighbours.hear(SyncSource, run_id=run_id, source_id=source_id)
            await neighbours.synced(run_id, sync.step_id, source_id)
        await neighbours.published(await neighbours.hear(PublishRun, run_id=run_id))
        ended = await neighbours.hear(RunSucceeded, run_id=run_id)
    assert len(neighbours.told(SyncSource, run_id=run_id)) == len(sources)
    assert len(neighbours.told(PublishRun, run_id=run_id)) == 1
    assert [step.status for step in ended.run.steps] == ["succeeded"] * 7


async def test_news_of_a_run_from_another_organisation_are_buried(orchestrator, neighbours, ground):
    wells = neighbours.source("wells")
    run_id = await neighbours.start(wells)
    sync = await neighbours.hear(SyncSource, run_id=run_id)
    event = SourceSynced(
        run_id=run_id,
        step_id=sync.step_id,
        lease=1,
        tables=(neighbours.version(wells),),
        unchanged=False,
    )
    await neighbours.ingest.publish(event, org_id=new_id())

    async def buried() -> bool:
        async with orchestrator.database.transaction() as connection:
            found = await connection.fetchval(
                "SELECT reason FROM dead_letters WHERE encode(body, 'escape') LIKE $1",
                f"%{sync.step_id}%",
            )
        return found is not None

    await eventually(buried)
    assert await neighbours.status(run_id) == "syncing"


async def test_another_organisations_run_does_not_exist(orchestrator, neighbours):
    run_id = await neighbours.start(neighbours.source("wells"))
    await neighbours.hear(RunQueued, run_id=run_id)
    with pytest.raises(ProblemError) as refused:
        await neighbours.gateway.ask(GetRun(run_id=run_id), org_id=new_id())
    assert refused.value.problem.status == 404
