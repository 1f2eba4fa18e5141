"""Runs of which nothing is heard: asked about again, called off at their deadlines."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import pytest_asyncio

from chassis.service import Service, running
from chassis.testing import eventually
from contracts.envelope import derived_id
from contracts.ingest import SourceSynced, SyncSource
from contracts.orchestrator import RunCancelRequested, RunFailed, RunSucceeded
from contracts.transform import AbortPublish, PublishAborted, PublishRun
from orchestrator.app import build
from orchestrator.settings import Settings


class Clock:
    """The time of now, which a test moves."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    async def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def move(self, **by: float) -> None:
        """Forward."""
        self.ahead += timedelta(**by)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def run_orchestrator(ground, clock):
    def run() -> AbstractAsyncContextManager[Service[Settings]]:
        given = {key.lower(): value for key, value in ground.environment("orchestrator").items()}
        settings = Settings.model_validate(given | {"watch_every": 0.1})
        return running("orchestrator", settings, partial(build, clock=clock))

    return run


@pytest_asyncio.fixture
async def orchestrator(run_orchestrator) -> AsyncIterator[Service[Settings]]:
    async with run_orchestrator() as service:
        yield service


async def test_a_run_whose_outcome_was_buried_ends(orchestrator, neighbours, clock):
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
    # Of another organisation the run does not exist: the word is buried, and its id used up.
    used = derived_id(sync.step_id, 1, "the command")
    await neighbours.ingest.publish(event, org_id=derived_id(run_id, "another"), id=used)

    async def buried() -> bool:
        async with orchestrator.database.transaction() as connection:
            return await connection.fetchval(
                "SELECT EXISTS (SELECT FROM dead_letters WHERE encode(body, 'escape') LIKE $1)",
                f"%{sync.step_id}%",
            )

    await eventually(buried)
    await neighbours.ingest.publish(event, org_id=neighbours.org_id, id=used)

    clock.move(minutes=3)
    again = await neighbours.hear(SyncSource, run_id=run_id, repeated=True)
    assert again == sync.model_copy(update={"repeated": True})
    # What the owner has known all along, in answer to another message.
    answer = derived_id(sync.step_id, 1, "the command again")
    await neighbours.ingest.publish(event, org_id=neighbours.org_id, id=answer)
    await neighbours.published(await neighbours.hear(PublishRun, run_id=run_id))
    await neighbours.hear(RunSucceeded, run_id=run_id)


async def test_a_silent_run_is_asked_about_less_and_less_by_however_many(
    run_orchestrator, neighbours, clock
):
    wells = neighbours.source("wells")
    async with run_orchestrator(), run_orchestrator():
        run_id = await neighbours.start(wells)
        await neighbours.hear(SyncSource, run_id=run_id)
        for count, minutes in enumerate((3, 5, 9), start=1):
            clock.move(minutes=minutes)
            await neighbours.hear(SyncSource, run_id=run_id, repeated=True, count=count)
        clock.move(minutes=9)
        sync = await neighbours.hear(SyncSource, run_id=run_id)
        await neighbours.synced(run_id, sync.step_id, wells)
        await neighbours.hear(PublishRun, run_id=run_id)
        assert len(neighbours.told(SyncSource, run_id=run_id, repeated=True)) == 3
        # It has moved: from now on it is quick again.
        clock.move(minutes=3)
        publish = await neighbours.hear(PublishRun, run_id=run_id, count=2)
        await neighbours.published(publish)
        await neighbours.hear(RunSucceeded, run_id=run_id)


async def test_a_sync_past_its_deadline_fails_the_run_and_frees_its_tables(
    orchestrator, neighbours, clock
):
    wells = neighbours.source("wells")
    run_id = await neighbours.start(wells)
    await neighbours.hear(SyncSource, run_id=run_id)
    clock.move(hours=7)
    failed = await neighbours.hear(RunFailed, run_id=run_id)
    assert failed.run.error is not None
    assert failed.run.error.code == "timed_out"
    await neighbours.hear(RunCancelRequested, run_id=run_id)
    again = await neighbours.start(wells)
    await neighbours.hear(SyncSource, run_id=again)


async def test_a_publish_past_its_deadline_waits_for_transforms_word(
    orchestrator, neighbours, clock
):
    wells = neighbours.source("wells")
    run_id = await neighbours.start(wells)
    sync = await neighbours.hear(SyncSource, run_id=run_id)
    await neighbours.synced(run_id, sync.step_id, wells)
    await neighbours.hear(PublishRun, run_id=run_id)
    clock.move(minutes=31)
    await neighbours.hear(AbortPublish, run_id=run_id)
    assert await neighbours.status(run_id) == "publishing"
    # The abort was lost, or its answer.
    clock.move(minutes=3)
    await neighbours.hear(AbortPublish, run_id=run_id, count=2)
    await neighbours.transform.publish(PublishAborted(run_id=run_id), org_id=neighbours.org_id)
    failed = await neighbours.hear(RunFailed, run_id=run_id)
    assert failed.run.error is not None
    assert failed.run.error.code == "timed_out"
