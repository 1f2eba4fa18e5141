"""Pipelines set each other off, and new uploads set them off: each cause once, none in a circle."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from uuid import UUID

import pytest
import pytest_asyncio

from chassis.testing import eventually
from contracts.envelope import envelop, new_id, to_body, to_headers
from contracts.ingest import SourceSynced, SyncSource, UploadAdded
from contracts.message import Event, Outside
from contracts.orchestrator import (
    AfterPipeline,
    Cause,
    CreatePipeline,
    DeletePipeline,
    Firing,
    GetPipeline,
    ListFirings,
    ListRuns,
    OnUpload,
    Pipeline,
    RetryRun,
    Run,
    RunQueued,
    RunSucceeded,
    SetTriggers,
    TriggerRule,
    UpdatePipeline,
)
from contracts.outside import PipelineRun
from contracts.problem import ProblemError
from contracts.streams import EVT, EXT
from contracts.transform import PublishRun, RunPublished

UPLOAD = OnUpload(type="upload")


def after(pipeline: Pipeline, **more: object) -> AfterPipeline:
    given = {"type": "pipeline", "pipeline_id": pipeline.id} | more
    return AfterPipeline.model_validate(given)


class Office:
    """Pipelines of one source each, and what happens to their runs."""

    def __init__(self, neighbours) -> None:
        self.neighbours = neighbours

    async def ask(self, request):
        bus = self.neighbours.gateway
        return await bus.ask(request, org_id=self.neighbours.org_id, actor="tester")

    async def pipeline(self, name: str, *rules: TriggerRule) -> Pipeline:
        asked = CreatePipeline(
            pipeline_id=new_id(),
            name=name,
            source_ids=(self.neighbours.source(name),),
            transformation_ids=(),
        )
        pipeline = await self.ask(asked)
        return await self.set(pipeline, *rules) if rules else pipeline

    async def set(self, pipeline: Pipeline, *rules: TriggerRule, **more) -> Pipeline:
        return await self.ask(SetTriggers(pipeline_id=pipeline.id, triggers=rules, **more))

    async def refused(self, pipeline: Pipeline, *rules: TriggerRule):
        with pytest.raises(ProblemError) as caught:
            await self.set(pipeline, *rules)
        return caught.value.problem

    async def run(self, pipeline: Pipeline) -> UUID:
        """Start the pipeline by hand; the run's id."""
        return await self.neighbours.start(*pipeline.source_ids, pipeline_id=pipeline.id)

    async def succeed(self, run_id: UUID, *, unchanged: bool = False) -> RunSucceeded:
        """Do what a run asks for, until it has succeeded."""
        sync = await self.neighbours.hear(SyncSource, run_id=run_id)
        if unchanged:
            event = SourceSynced(
                run_id=run_id, step_id=sync.step_id, lease=1, tables=(), unchanged=True
            )
            await self.neighbours.ingest.publish(event, org_id=self.neighbours.org_id)
        else:
            await self.neighbours.synced(run_id, sync.step_id, sync.source_id)
            await self.neighbours.published(await self.neighbours.hear(PublishRun, run_id=run_id))
        return await self.neighbours.hear(RunSucceeded, run_id=run_id)

    async def upload(self, pipeline: Pipeline) -> UploadAdded:
        event = UploadAdded(source_id=pipeline.source_ids[0], upload_id=new_id())
        await self.say(event, new_id())
        return event

    async def say(self, event: Event, message_id: UUID) -> None:
        """Say it so that the bus cannot know that it was said before."""
        org_id = self.neighbours.org_id
        is_outside = isinstance(event, Outside)
        tellers = {"outside": "gateway", "ingest": "ingest", "transform": "transform"}
        bus = getattr(self.neighbours, tellers[event.owner])
        meta = envelop(event, source="/etl", org_id=org_id, actor="asha", id=message_id)
        headers = to_headers(meta) | {"Nats-Msg-Id": str(new_id())}
        stream = EXT if is_outside else EVT
        await bus.store(stream, event.subject(org_id), to_body(event), headers)

    async def fired(self, pipeline: Pipeline, count: int) -> tuple[Firing, ...]:
        """What came of the last causes, once there are so many."""

        async def look() -> tuple[Firing, ...] | None:
            found = (await self.ask(ListFirings(pipeline_id=pipeline.id))).firings
            return found if len(found) == count else None

        return await eventually(look)

    async def runs(self, pipeline: Pipeline) -> tuple[Run, ...]:
        return (await self.ask(ListRuns(pipeline_id=pipeline.id))).runs


@pytest_asyncio.fixture
async def office(neighbours, start_service) -> Office:
    # One run at a time: what comes second waits.
    await start_service("orchestrator", MAX_ACTIVE_RUNS_PER_ORGANIZATION="1")
    return Office(neighbours)


@pytest_asyncio.fixture
async def two_replicas(neighbours, run_service) -> AsyncIterator[Office]:
    async with AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(run_service("orchestrator"))
        yield Office(neighbours)


async def test_a_chain_of_pipelines_runs_to_its_end_and_tells_the_cause_of_each(two_replicas):
    office = two_replicas
    first = await office.pipeline("first")
    second = await office.pipeline("second", after(first))
    third = await office.pipeline("third", after(second), UPLOAD)
    changed_only = await office.pipeline("changed only", after(first, only_if_changed=True))
    paused = await office.pipeline("paused", after(first, is_active=False))
    assert second.triggers == (after(first),)
    assert (await office.ask(GetPipeline(pipeline_id=third.id))).triggers == third.triggers

    run_id = await office.run(first)
    await office.succeed(run_id, unchanged=True)
    (firing,) = await office.fired(second, 1)
    assert firing.cause == Cause(type="pipeline", pipeline_id=first.id, run_id=run_id)
    (run,) = await office.runs(second)
    assert (run.id, run.trigger.type, run.trigger.actor) == (firing.run_id, "event", "tester")
    assert run.trigger.caused_by == firing.cause

    # Transform says once more that the first run was published, as it does when it is asked again.
    again = RunPublished(run_id=run_id, table_ids=first.source_ids)
    await asyncio.gather(*(office.say(again, new_id()) for _ in range(3)))
    await office.succeed(run.id)
    (last,) = await office.fired(third, 1)
    assert last.cause == Cause(type="pipeline", pipeline_id=second.id, run_id=run.id)
    assert last.run_id is not None
    await office.succeed(last.run_id)
    # Set off in the transaction in which the run ended, so there is nothing to wait for.
    assert await office.runs(changed_only) == await office.runs(paused) == ()

    run_id = await office.run(first)
    await office.succeed(run_id)
    (firing,) = await office.fired(changed_only, 1)
    assert firing.cause == Cause(type="pipeline", pipeline_id=first.id, run_id=run_id)
    assert await office.runs(paused) == ()
    assert len(await office.fired(second, 2)) == len(await office.runs(second))


async def test_a_run_that_does_not_succeed_sets_nothing_off(office):
    first = await office.pipeline("first")
    second = await office.pipeline("second", after(first))
    run_id = await office.run(first)
    await office.neighbours.hear(SyncSource, run_id=run_id)
    await office.neighbours.cancel(run_id)

    async def has_ended() -> bool:
        return await office.neighbours.status(run_id) == "cancelled"

    await eventually(has_ended)
    assert await office.runs(second) == ()
    # Its sources alone are no run of the pipeline.
    await office.succeed(await office.neighbours.start(*first.source_ids))
    assert await office.fired(second, 0) == ()


async def test_pipelines_that_would_set_each_other_off_are_refused_with_the_way(office):
    first = await office.pipeline("first")
    second = await office.pipeline("second", after(first))
    third = await office.pipeline("third", UPLOAD, after(second, is_active=False))
    problem = await office.refused(first, UPLOAD, after(third))
    assert (problem.status, problem.code) == (422, "cycle")
    assert "first → second → third → first" in problem.detail
    assert problem.errors[0].field == "triggers.1.pipeline_id"
    assert "second → second" in (await office.refused(second, after(second))).detail
    assert await office.ask(GetPipeline(pipeline_id=first.id)) == first

    # What is replaced is no part of the way any more.
    await office.set(third)
    assert (await office.set(first, after(third))).triggers == (after(third),)


async def test_two_that_are_saved_at_once_do_not_close_a_circle(office):
    pipelines = [await office.pipeline(f"pipeline {number}") for number in range(6)]
    following = [*pipelines[1:], pipelines[0]]
    saved = await asyncio.gather(
        *(
            office.set(later, after(earlier))
            for earlier, later in zip(pipelines, following, strict=True)
        ),
        return_exceptions=True,
    )
    refused = [one for one in saved if isinstance(one, ProblemError)]
    assert [one.problem.code for one in refused] == ["cycle"]


async def test_what_cannot_be_is_refused_at_its_place_and_the_rest_stays(office):
    other = await office.pipeline("other")
    pipeline = await office.pipeline("nightly", after(other), UPLOAD)
    nowhere = AfterPipeline(type="pipeline", pipeline_id=new_id())
    for rules, code, field in (
        ((UPLOAD, nowhere), "unknown_pipeline", "triggers.1.pipeline_id"),
        ((after(other), after(other)), "same_trigger", "triggers.1.pipeline_id"),
        (
            (OnUpload(type="upload", source_id=other.source_ids[0]),),
            "not_its_source",
            "triggers.0.source_id",
        ),
    ):
        problem = await office.refused(pipeline, *rules)
        assert (problem.status, problem.code) == (422, code)
        assert problem.errors[0].field == field
    with pytest.raises(ProblemError) as caught:
        await office.set(pipeline, UPLOAD, if_revision=pipeline.revision - 1)
    assert caught.value.problem.status == 412
    kept = await office.ask(GetPipeline(pipeline_id=pipeline.id))
    assert (kept.triggers, kept.revision) == (pipeline.triggers, pipeline.revision)

    await office.ask(DeletePipeline(pipeline_id=other.id))
    kept = await office.ask(GetPipeline(pipeline_id=pipeline.id))
    assert kept.triggers == (UPLOAD,)
    with pytest.raises(ProblemError) as caught:
        await office.set(other, UPLOAD)
    assert caught.value.problem.status == 404


async def test_news_that_are_told_again_and_again_to_two_replicas_start_one_run(two_replicas):
    office = two_replicas
    pipeline = await office.pipeline("uploads", UPLOAD)
    events = [
        (UploadAdded(source_id=pipeline.source_ids[0], upload_id=new_id()), new_id())
        for _ in range(6)
    ]
    await asyncio.gather(*(office.say(event, told) for event, told in events * 3))
    firings = await office.fired(pipeline, len(events))
    # One that runs and one that waits for it, or all came before the first began.
    started = {firing.run_id for firing in firings} - {None}
    assert 1 <= len(started) <= 2
    assert {run.id for run in await office.runs(pipeline)} == started
    assert {firing.reason for firing in firings} <= {None, "skipped: a run is waiting already"}
    causes = {firing.cause.upload_id for firing in firings if firing.cause is not None}
    assert causes == {event.upload_id for event, _ in events}

    first = await office.neighbours.hear(SyncSource, source_id=pipeline.source_ids[0])
    await office.succeed(first.run_id)
    for run_id in started - {first.run_id}:
        await office.succeed(run_id)
    asked = PipelineRun(pipeline_id=pipeline.id), new_id()
    await asyncio.gather(*(office.say(*asked) for _ in range(4)))
    newest, *_ = await office.fired(pipeline, len(events) + 1)
    assert newest.cause == Cause(type="event", event_id=asked[1], event_source="/etl")
    run = await office.neighbours.hear(RunQueued, run_id=newest.run_id)
    assert (run.run.trigger.actor, run.run.trigger.caused_by) == ("asha", newest.cause)
    assert len(await office.runs(pipeline)) == len(started) + 1


async def test_news_while_a_pipeline_runs_let_one_run_wait_or_are_skipped_by_choice(office):
    pipeline = await office.pipeline("uploads", UPLOAD)
    await office.upload(pipeline)
    (first,) = await office.fired(pipeline, 1)
    await office.neighbours.hear(SyncSource, run_id=first.run_id)
    await office.upload(pipeline)
    second, _ = await office.fired(pipeline, 2)
    assert second.run_id is not None
    await office.upload(pipeline)
    third, *_ = await office.fired(pipeline, 3)
    assert (third.run_id, third.reason) == (None, "skipped: a run is waiting already")

    await office.set(pipeline, OnUpload(type="upload", overlap="skip"))
    assert first.run_id is not None
    await office.succeed(first.run_id)
    await office.neighbours.hear(SyncSource, run_id=second.run_id)
    await office.upload(pipeline)
    fourth, *_ = await office.fired(pipeline, 4)
    assert (fourth.run_id, fourth.reason) == (None, "skipped: the run before has not ended")


async def test_a_run_that_will_not_see_the_news_does_not_stand_for_another(office):
    pipeline = await office.pipeline("uploads", UPLOAD)
    # Begun before: it keeps what it had read, so a new file needs a run of its own.
    begun = await office.run(pipeline)
    await office.neighbours.hear(SyncSource, run_id=begun)
    other = await office.run(await office.pipeline("other"))
    await office.neighbours.cancel(begun)
    await office.neighbours.hear(SyncSource, run_id=other)
    retry = RetryRun(run_id=begun, attempt=2)
    await office.neighbours.gateway.send(retry, org_id=office.neighbours.org_id, actor="tester")
    await office.neighbours.hear(RunQueued, run_id=begun, count=2)
    await office.upload(pipeline)
    (firing,) = await office.fired(pipeline, 1)
    assert firing.run_id is not None

    # It does less than the pipeline by now.
    more = office.neighbours.source("more")
    members = (*pipeline.source_ids, more)
    await office.ask(UpdatePipeline(pipeline_id=pipeline.id, source_ids=members))
    await office.say(UploadAdded(source_id=more, upload_id=new_id()), new_id())
    firing, _ = await office.fired(pipeline, 2)
    assert firing.run_id is not None
    await office.say(UploadAdded(source_id=more, upload_id=new_id()), new_id())
    firing, *_ = await office.fired(pipeline, 3)
    assert firing.reason == "skipped: a run is waiting already"


async def test_only_uploads_of_the_sources_that_are_meant_set_a_pipeline_off(office):
    own = await office.pipeline("own", UPLOAD)
    more = office.neighbours.source("more")
    members = (*own.source_ids, more)
    named = await office.pipeline("named")
    await office.ask(UpdatePipeline(pipeline_id=named.id, source_ids=members))
    await office.set(named, OnUpload(type="upload", source_id=more))
    await office.say(UploadAdded(source_id=new_id(), upload_id=new_id()), new_id())
    await office.say(PipelineRun(pipeline_id=new_id()), new_id())
    event = await office.upload(own)
    (firing,) = await office.fired(own, 1)
    assert firing.cause is not None
    assert firing.cause.upload_id == event.upload_id
    await office.say(UploadAdded(source_id=more, upload_id=new_id()), new_id())
    (firing,) = await office.fired(named, 1)
    assert firing.cause is not None
    assert firing.cause.source_id == more
    assert len(await office.runs(own)) == 1
