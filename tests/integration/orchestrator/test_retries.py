"""Runs that are begun again from where they stopped, and those that cannot be."""

import pytest

from contracts.envelope import new_id
from contracts.ingest import SyncSource
from contracts.orchestrator import (
    CheckRetry,
    ListRunEvents,
    RetryRun,
    Run,
    RunFailed,
    RunQueued,
    RunSucceeded,
)
from contracts.problem import Problem, ProblemError
from contracts.transform import (
    BuildTransformation,
    PublishFailed,
    PublishRun,
    RunPublished,
    TransformationFailed,
)

BROKEN = Problem(title="Broken", status=422, code="broken", detail="The recipe is broken.")


@pytest.fixture
async def orchestrator(start_service):
    return await start_service("orchestrator")


class Failed:
    """A run of a source and a recipe that fails in the recipe."""

    def __init__(self, neighbours) -> None:
        self.neighbours = neighbours
        self.wells = neighbours.source("wells")
        self.clean = neighbours.recipe("clean", self.wells)

    async def begin(self) -> BuildTransformation:
        self.run_id = await self.neighbours.start(self.wells, recipes=(self.clean,))
        sync = await self.neighbours.hear(SyncSource, run_id=self.run_id)
        await self.neighbours.synced(self.run_id, sync.step_id, self.wells)
        build = await self.neighbours.hear(BuildTransformation, run_id=self.run_id)
        failure = TransformationFailed(
            run_id=self.run_id, step_id=build.step_id, lease=1, problem=BROKEN
        )
        await self.neighbours.transform.publish(failure, org_id=self.neighbours.org_id)
        await self.neighbours.hear(RunFailed, run_id=self.run_id)
        return build

    async def check(self) -> Run:
        request = CheckRetry(run_id=self.run_id)
        return await self.neighbours.gateway.ask(request, org_id=self.neighbours.org_id)

    async def refusal(self) -> str:
        with pytest.raises(ProblemError) as refused:
            await self.check()
        assert refused.value.problem.status == 409
        return refused.value.problem.code

    async def retry(self, attempt: int = 2) -> None:
        command = RetryRun(run_id=self.run_id, attempt=attempt)
        await self.neighbours.gateway.send(command, org_id=self.neighbours.org_id)


@pytest.fixture
async def failed(orchestrator, neighbours):
    return Failed(neighbours)


async def test_a_failed_run_goes_on_from_the_step_that_failed(failed, neighbours):
    build = await failed.begin()
    assert (await failed.check()).attempt == 1
    for _ in range(3):
        await failed.retry()
    again = await neighbours.hear(BuildTransformation, run_id=failed.run_id, attempt=2)
    assert again.inputs == build.inputs
    assert again.as_of == build.as_of
    assert await failed.refusal() == "not_ended"
    # A zombie of the attempt before.
    await neighbours.built(failed.run_id, build.step_id, failed.clean)
    await neighbours.built(failed.run_id, again.step_id, failed.clean)
    publish = await neighbours.hear(PublishRun, run_id=failed.run_id)
    assert {table.table_id for table in publish.tables} == {failed.wells, failed.clean}

    # Publishing fails too, and its word comes once more when it is tried again.
    word = PublishFailed(run_id=failed.run_id, problem=BROKEN, attempt=2)
    await neighbours.transform.publish(word, org_id=neighbours.org_id)
    await neighbours.hear(RunFailed, run_id=failed.run_id, count=2)
    await failed.retry(attempt=3)
    publish = await neighbours.hear(PublishRun, run_id=failed.run_id, attempt=3)
    await neighbours.transform.publish(word, org_id=neighbours.org_id)
    await neighbours.published(publish)
    ended = await neighbours.hear(RunSucceeded, run_id=failed.run_id)
    assert [step.attempt for step in ended.run.steps] == [1, 2, 3]
    assert len(neighbours.told(SyncSource, run_id=failed.run_id)) == 1
    assert len(neighbours.told(RunQueued, run_id=failed.run_id)) == 3
    assert await failed.refusal() == "succeeded"

    asked = ListRunEvents(run_id=failed.run_id)
    events = (await neighbours.gateway.ask(asked, org_id=neighbours.org_id)).events
    assert [event.version for event in events] == list(range(1, len(events) + 1))


async def test_a_retried_run_waits_for_its_tables_like_any_other(failed, neighbours):
    await failed.begin()
    other = await neighbours.start(failed.wells)
    sync = await neighbours.hear(SyncSource, run_id=other)
    await failed.retry()
    await neighbours.hear(RunQueued, run_id=failed.run_id, count=2)
    assert await neighbours.status(failed.run_id) == "queued"
    # What the other publishes is newer than what the retried one has: it may not go back.
    await neighbours.synced(other, sync.step_id, failed.wells)
    publish = await neighbours.hear(PublishRun, run_id=other)
    neighbours.seen = {table.table_id: table for table in publish.tables}
    await neighbours.published(publish)
    await neighbours.hear(RunPublished, run_id=other)
    end = await neighbours.hear(RunFailed, run_id=failed.run_id, count=2)
    assert end.run.error is not None
    assert end.run.error.code == "newer_data"
    assert "'wells'" in end.run.error.detail
    assert await failed.refusal() == "newer_data"


async def test_a_run_whose_versions_are_gone_cannot_be_retried(failed, neighbours):
    build = await failed.begin()
    neighbours.gone = {table.relation for table in build.inputs}
    assert await failed.refusal() == "versions_gone"
    failed.run_id = new_id()
    with pytest.raises(ProblemError) as unknown:
        await failed.check()
    assert unknown.value.problem.status == 404
