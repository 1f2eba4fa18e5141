"""Pipelines run when they are due: each time once, and what was missed is told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import pytest
import pytest_asyncio

from chassis.service import Service, running
from chassis.testing import eventually
from contracts.envelope import new_id
from contracts.ingest import SyncSource
from contracts.orchestrator import (
    CreatePipeline,
    DeletePipeline,
    Firing,
    GetPipeline,
    GetRun,
    ListFirings,
    Pipeline,
    Schedule,
    ScheduleRule,
    SetSchedule,
)
from contracts.problem import ProblemError
from orchestrator.app import build
from orchestrator.settings import Settings


class Clock:
    """A clock on the wall that a test moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 28, 12, tzinfo=UTC)

    async def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        """Forward."""
        self.now += timedelta(**by)


RunOrchestrator = Callable[[], AbstractAsyncContextManager[Service[Settings]]]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def run_orchestrator(ground, clock) -> RunOrchestrator:
    """A replica that looks at the test's clock, several times a second."""

    def run() -> AbstractAsyncContextManager[Service[Settings]]:
        given = {key.lower(): value for key, value in ground.environment("orchestrator").items()}
        settings = Settings.model_validate(given | {"schedule_every": 0.1})
        return running("orchestrator", settings, partial(build, clock=clock))

    return run


@pytest_asyncio.fixture
async def replica(run_orchestrator) -> AsyncIterator[Service[Settings]]:
    async with run_orchestrator() as service:
        yield service


class Office:
    """A pipeline of one source, asked about as the gateway does."""

    def __init__(self, neighbours) -> None:
        self.neighbours = neighbours
        self.pipeline_id = new_id()

    async def ask(self, request):
        bus = self.neighbours.gateway
        return await bus.ask(request, org_id=self.neighbours.org_id, actor="tester")

    async def open(self) -> None:
        source = self.neighbours.source("wells")
        await self.ask(
            CreatePipeline(
                pipeline_id=self.pipeline_id,
                name="nightly",
                source_ids=(source,),
                transformation_ids=(),
            )
        )

    async def schedule(self, frequency: str = "daily", **more: object) -> Schedule:
        given = {"timezone": "Europe/Berlin", "run_at": "06:00"} | more
        rule = ScheduleRule.model_validate({"frequency": frequency} | given)
        return await self.ask(SetSchedule(pipeline_id=self.pipeline_id, rule=rule))

    async def pipeline(self) -> Pipeline:
        return await self.ask(GetPipeline(pipeline_id=self.pipeline_id))

    async def fired(self, count: int) -> tuple[Firing, ...]:
        """What came of the last times, once there are so many."""

        async def look() -> tuple[Firing, ...] | None:
            asked = ListFirings(pipeline_id=self.pipeline_id)
            found = (await self.ask(asked)).firings
            return found if len(found) == count else None

        return await eventually(look)

    async def end(self, run_id: UUID | None) -> None:
        """End a run, for another to begin."""
        assert run_id is not None
        await self.neighbours.hear(SyncSource, run_id=run_id)
        await self.neighbours.cancel(run_id)

        async def has_ended() -> bool:
            return (await self.ask(GetRun(run_id=run_id))).status == "cancelled"

        await eventually(has_ended)


@pytest_asyncio.fixture
async def office(neighbours, replica) -> Office:
    office = Office(neighbours)
    await office.open()
    return office


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


async def test_a_pipeline_without_a_schedule_has_none(office):
    assert (await office.pipeline()).schedule is None


async def test_the_next_five_times_are_told_across_a_change_of_clocks(office):
    schedule = await office.schedule()
    assert schedule.next_runs == tuple(
        utc(f"2026-{day}:00")
        for day in ("03-29T04:00", "03-30T04:00", "03-31T04:00", "04-01T04:00", "04-02T04:00")
    )
    assert schedule.next_run_at == schedule.next_runs[0]
    assert (await office.pipeline()).schedule == schedule


async def test_a_pipeline_runs_when_it_is_due(office, clock):
    await office.schedule()
    clock.move(hours=16)
    (firing,) = await office.fired(1)
    assert (firing.scheduled_for, firing.reason) == (utc("2026-03-29T04:00"), None)
    run = await office.ask(GetRun(run_id=firing.run_id))
    assert (run.trigger.type, run.trigger.scheduled_for) == ("schedule", firing.scheduled_for)
    assert run.pipeline_id == office.pipeline_id
    await office.neighbours.hear(SyncSource, run_id=run.id)
    schedule = (await office.pipeline()).schedule
    assert schedule is not None
    assert schedule.next_run_at == utc("2026-03-30T04:00")


async def test_of_many_replicas_one_starts_each_time(office, clock, run_orchestrator):
    async with run_orchestrator(), run_orchestrator():
        await office.schedule("hourly", run_at=None, overlap="queue")
        for count in (1, 2):
            clock.move(hours=1)
            firings = await office.fired(count)
            assert len({firing.run_id for firing in firings}) == count


async def test_missed_times_are_made_up_for_once_within_the_grace(
    neighbours, run_orchestrator, clock
):
    office = Office(neighbours)
    async with run_orchestrator():
        await office.open()
        await office.schedule("hourly", run_at=None)
    clock.move(hours=5, minutes=30)
    async with run_orchestrator():
        (firing,) = await office.fired(1)
        assert firing.scheduled_for == utc("2026-03-28T17:00")
        assert firing.run_id is not None


async def test_what_is_missed_for_too_long_is_recorded_with_the_reason(
    neighbours, run_orchestrator, clock
):
    office = Office(neighbours)
    async with run_orchestrator():
        await office.open()
        await office.schedule(grace_minutes=30)
    clock.move(hours=16 + 24, minutes=31)
    async with run_orchestrator():
        (firing,) = await office.fired(1)
        assert (firing.scheduled_for, firing.run_id) == (utc("2026-03-30T04:00"), None)
        assert firing.reason == (
            "missed: nothing ran at the time, and 1 before it, and it is more than 30 minutes ago"
        )
        schedule = (await office.pipeline()).schedule
        assert schedule is not None
        assert schedule.next_run_at == utc("2026-03-31T04:00")


async def test_a_time_that_comes_while_the_pipeline_runs_is_skipped_and_recorded(office, clock):
    await office.schedule("hourly", run_at=None)
    clock.move(hours=1)
    (first,) = await office.fired(1)
    clock.move(hours=1)
    second, _ = await office.fired(2)
    assert (second.run_id, second.reason) == (None, "skipped: the run before has not ended")
    await office.end(first.run_id)
    clock.move(hours=1)
    third, *_ = await office.fired(3)
    assert third.run_id is not None


async def test_with_queue_one_run_waits_and_no_more(office, clock):
    await office.schedule("hourly", run_at=None, overlap="queue")
    firings = ()
    for count in (1, 2, 3):
        clock.move(hours=1)
        firings = await office.fired(count)
        # The first is under way before the second comes.
        await office.neighbours.hear(SyncSource, run_id=firings[-1].run_id)
    third, second, first = firings
    assert first.run_id is not None
    assert second.run_id is not None
    assert third.reason == "skipped: a run is waiting already"


async def test_who_resumes_does_not_run_for_the_time_of_the_pause(office, clock):
    await office.schedule("hourly", run_at=None)
    paused = await office.schedule("hourly", run_at=None, is_active=False)
    assert (paused.next_run_at, paused.next_runs) == (None, ())
    clock.move(hours=2, minutes=30)
    await asyncio.sleep(0.3)
    resumed = await office.schedule("hourly", run_at=None)
    assert resumed.next_run_at == utc("2026-03-28T15:00")
    await asyncio.sleep(0.3)
    assert await office.fired(0) == ()
    clock.move(minutes=30)
    (firing,) = await office.fired(1)
    assert firing.scheduled_for == utc("2026-03-28T15:00")


async def test_a_schedule_goes_with_its_pipeline(office, clock):
    await office.schedule("hourly", run_at=None)
    await office.ask(DeletePipeline(pipeline_id=office.pipeline_id))
    with pytest.raises(ProblemError) as caught:
        await office.schedule()
    assert caught.value.problem.status == 404


async def test_what_cannot_be_is_refused_and_the_schedule_stays(office):
    kept = await office.schedule()
    with pytest.raises(ProblemError) as caught:
        await office.schedule("cron", cron="every day")
    assert caught.value.problem.errors[0].field == "cron"
    assert (await office.pipeline()).schedule == kept
