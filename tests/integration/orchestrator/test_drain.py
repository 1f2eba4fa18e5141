"""Drained, no run starts and what runs ends; a letter of a run that has ended moves nothing."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import pytest_asyncio

from chassis.database import become_system
from chassis.service import Service
from contracts.envelope import envelop, new_id, to_body, to_headers
from contracts.ingest import SourceSynced, SyncSource
from contracts.message import Command, Event
from contracts.orchestrator import (
    AfterPipeline,
    CreatePipeline,
    ListFirings,
    RunCancelled,
    RunQueued,
    RunSucceeded,
    SetTriggers,
    StartRun,
    Trigger,
)
from contracts.transform import PublishRun


@pytest_asyncio.fixture
async def orchestrator(ground, start_service, typed) -> AsyncIterator[Service[Any]]:
    """The service, with no run of an earlier test under way or due: a drain counts them all."""
    migrator = await asyncpg.connect(ground.migrator_url)
    async with migrator.transaction():
        await become_system(migrator, "orchestrator")
        # Before the service starts: it fires at once what is due, of whichever organisation.
        await migrator.execute(
            "DELETE FROM dalgo_orchestrator.schedules; DELETE FROM dalgo_orchestrator.runs"
            " WHERE status IN ('queued', 'syncing', 'transforming', 'publishing')"
        )
    await migrator.close()
    service = await start_service("orchestrator")
    yield service
    await typed("drain", "--undo")


async def test_a_drain_lets_what_runs_end_and_all_else_wait_until_it_is_undone(
    orchestrator, neighbours, typed
):
    wells = neighbours.source("wells")
    running = await neighbours.start(wells)
    sync = await neighbours.hear(SyncSource, run_id=running)

    said = await typed("drain")
    assert said.exit_code == 0
    assert "no run starts. 1 run under way, 0 queued." in said.stdout
    assert "dalgo drain --undo" in said.stdout
    waiting = await neighbours.start(neighbours.source("people"))
    await neighbours.hear(RunQueued, run_id=waiting)
    impatient = await typed("drain", "--wait", "--timeout", "1.5", "--json")
    assert impatient.exit_code == 1
    standing = json.loads(impatient.stdout)
    assert (standing["running"], standing["queued"]) == (1, 1)

    patient = asyncio.create_task(typed("drain", "--wait", "--json"))
    await neighbours.synced(running, sync.step_id, wells)
    await neighbours.published(await neighbours.hear(PublishRun, run_id=running))
    await neighbours.hear(RunSucceeded, run_id=running)
    done = await patient
    assert done.exit_code == 0
    ended = json.loads(done.stdout)
    assert (ended["running"], ended["queued"]) == (0, 1)
    # Saying it again does not begin it anew.
    assert ended["drained_since"] == standing["drained_since"]
    assert neighbours.told(SyncSource, run_id=waiting) == []

    undone = await typed("drain", "--undo")
    assert "Not drained" in undone.stdout
    assert await neighbours.hear(SyncSource, run_id=waiting)


async def test_what_a_run_sets_off_while_it_is_drained_waits_too(orchestrator, neighbours, typed):
    async def ask(request):
        return await neighbours.gateway.ask(request, org_id=neighbours.org_id, actor="tester")

    async def keep(name, source_id):
        given = {"pipeline_id": new_id(), "name": name, "transformation_ids": ()}
        return await ask(CreatePipeline.model_validate(given | {"source_ids": (source_id,)}))

    wells, people = neighbours.source("wells"), neighbours.source("people")
    first, second = await keep("first", wells), await keep("second", people)
    rule = AfterPipeline(type="pipeline", pipeline_id=first.id)
    await ask(SetTriggers(pipeline_id=second.id, triggers=(rule,)))
    running = await neighbours.start(wells, pipeline_id=first.id)
    sync = await neighbours.hear(SyncSource, run_id=running)
    await typed("drain")
    await neighbours.synced(running, sync.step_id, wells)
    await neighbours.published(await neighbours.hear(PublishRun, run_id=running))
    await neighbours.hear(RunSucceeded, run_id=running)
    standing = json.loads((await typed("drain", "--wait", "--json")).stdout)
    assert (standing["running"], standing["queued"]) == (0, 1)
    (firing,) = (await ask(ListFirings(pipeline_id=second.id))).firings
    await neighbours.hear(RunQueued, run_id=firing.run_id)
    assert neighbours.told(SyncSource, run_id=firing.run_id) == []
    await typed("drain", "--undo")
    assert await neighbours.hear(SyncSource, run_id=firing.run_id)


async def test_a_start_that_was_planned_before_a_drain_does_not_slip_through(
    orchestrator, silent, stand_in, typed
):
    asked, drained = asyncio.Event(), asyncio.Event()
    answers = silent.answers()
    plan = silent.plan_sources

    async def slowly(request, meta):
        asked.set()
        await drained.wait()
        return await plan(request, meta)

    answers["ingest"] = dict.fromkeys(answers["ingest"], slowly)
    for service, handlers in answers.items():
        await stand_in(service, handlers)
    run_id = await silent.start(silent.source("wells"))
    await asked.wait()
    said = json.loads((await typed("drain", "--json")).stdout)
    assert (said["running"], said["queued"]) == (0, 1)
    drained.set()
    other = await silent.start(silent.source("people"))
    await silent.hear(RunQueued, run_id=other)
    said = json.loads((await typed("drain", "--wait", "--timeout", "3", "--json")).stdout)
    assert (said["running"], said["queued"]) == (0, 2)
    await typed("drain", "--undo")
    assert await silent.hear(SyncSource, run_id=run_id)
    assert await silent.hear(SyncSource, run_id=other)


async def test_replayed_letters_of_a_run_that_has_ended_change_nothing(
    orchestrator, neighbours, typed
):
    wells = neighbours.source("wells")
    run_id = await neighbours.start(wells)
    sync = await neighbours.hear(SyncSource, run_id=run_id)
    await neighbours.cancel(run_id)
    before = (await neighbours.hear(RunCancelled, run_id=run_id)).run
    late = SourceSynced(
        run_id=run_id,
        step_id=sync.step_id,
        lease=1,
        tables=(neighbours.version(wells),),
        unchanged=False,
    )
    again = StartRun(
        run_id=run_id,
        run_kind="pipeline",
        pipeline_id=new_id(),
        source_ids=(wells,),
        transformation_ids=(),
        trigger=Trigger(type="manual", actor="tester"),
    )
    letters = [
        await _bury(orchestrator.database, message, neighbours.org_id) for message in (late, again)
    ]

    done = await typed("dlq", "replay", *letters)
    assert done.exit_code == 0, done.output
    # What is sent afterwards on both streams is handled: so were the letters.
    other = await neighbours.start(wells)
    sync = await neighbours.hear(SyncSource, run_id=other)
    await neighbours.synced(other, sync.step_id, wells)
    await neighbours.hear(PublishRun, run_id=other)
    assert await neighbours.run(run_id) == before
    assert neighbours.told(PublishRun, run_id=run_id) == []
    assert len(neighbours.told(SyncSource, run_id=run_id)) == 1
    left = await typed("dlq", "list", "--service", "orchestrator")
    assert not any(str(letter) in left.stdout for letter in letters)
    assert (await typed("dlq", "drop", *letters, "--yes")).exit_code == 0


async def _bury(database, message: Command | Event, org_id: UUID) -> UUID:
    """A letter of the orchestrator, as it would be had the message failed twelve times."""
    letter_id = new_id()
    is_event = isinstance(message, Event)
    subject = message.subject(org_id) if isinstance(message, Event) else message.subject()
    async with database.transaction() as connection:
        await connection.execute(
            "INSERT INTO dead_letters (id, stream, subject, headers, body, reason, deliveries) "
            "VALUES ($1, $2, $3, $4, $5, 'given up', 12)",
            letter_id,
            "EVT" if is_event else "CMD",
            subject,
            to_headers(envelop(message, source="tester", org_id=org_id)),
            to_body(message),
        )
    return letter_id
