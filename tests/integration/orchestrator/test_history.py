"""What ran: found by filters, page by page, and told attempt by attempt."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from pydantic import TypeAdapter

from chassis.database import queries
from contracts.envelope import new_id
from contracts.ingest import SourceSynced, SourceSyncFailed, SyncSource
from contracts.orchestrator import (
    GetRunTimeline,
    ListRunEvents,
    ListRuns,
    RetryRun,
    Run,
    RunCancelled,
    RunFailed,
    RunQueued,
    RunStarted,
    RunSucceeded,
    StartRun,
    StepStarted,
    Trigger,
)
from contracts.problem import Problem, ProblemError
from contracts.transform import PublishRun
from orchestrator.domain import RunState
from orchestrator.history import History

MISSING = Problem(title="Gone", status=422, code="file_gone", detail="Upload it again.")


@pytest.fixture
async def orchestrator(start_service):
    return await start_service("orchestrator")


async def listed(neighbours: Any, **filters: object) -> list[Run]:
    """All runs that fit, a page of two at a time."""
    found: list[Run] = []
    cursor: str | None = None
    while True:
        asked = ListRuns.model_validate({"limit": 2, "cursor": cursor, **filters})
        page = await neighbours.gateway.ask(asked, org_id=neighbours.org_id)
        found += page.runs
        cursor = page.next_cursor
        if cursor is None:
            return found


async def test_runs_are_found_by_what_they_are_and_by_what_they_work_on(orchestrator, neighbours):
    wells, people = neighbours.source("wells"), neighbours.source("people")
    clean = neighbours.recipe("clean", wells)
    both = await neighbours.start(wells, people, recipes=(clean,))
    await neighbours.hear(SyncSource, run_id=both, source_id=people)
    gone = await neighbours.start(new_id())
    await neighbours.hear(RunFailed, run_id=gone)
    waiting = await neighbours.start(wells)
    await neighbours.hear(RunQueued, run_id=waiting)
    planned = StartRun(
        run_id=new_id(),
        run_kind="transform",
        pipeline_id=None,
        source_ids=(),
        transformation_ids=(neighbours.recipe("late"),),
        trigger=Trigger(type="schedule", actor="schedule"),
    )
    await neighbours.gateway.send(planned, org_id=neighbours.org_id)
    late = planned.run_id
    await neighbours.hear(RunStarted, run_id=late)

    async def ids(**filters: object) -> list[UUID]:
        return [run.id for run in await listed(neighbours, **filters)]

    everything = await listed(neighbours)
    assert [run.id for run in everything] == [late, waiting, gone, both]
    # A light one is the same run: what only the machine needs is not told by either.
    assert everything[-1] == await neighbours.run(both)
    assert len(everything[-1].steps) == 4
    assert await ids(statuses=["failed", "queued"]) == [waiting, gone]
    assert await ids(status="failed") == [gone]
    assert await ids(kinds=["pipeline"]) == [waiting, gone, both]
    assert await ids(triggers=["schedule", "event"]) == [late]
    assert await ids(source_id=str(wells)) == [waiting, both]
    assert await ids(source_id=str(people), statuses=["syncing"]) == [both]
    assert await ids(source_id=str(wells), transformation_id=str(clean)) == [both]
    assert await ids(pipeline_id=str(everything[1].pipeline_id)) == [waiting]
    since = everything[1].created_at.isoformat()
    assert await ids(created_after=since) == [late, waiting]
    assert await ids(created_before=since) == [gone, both]
    assert await ids(source_id=str(new_id())) == []


async def test_a_page_holds_no_more_than_an_answer_may(start_service, neighbours):
    await start_service("orchestrator", MAX_SYNCS_PER_ORGANIZATION="200")
    sources = [neighbours.source("w" * 1000) for _ in range(200)]
    run_id = new_id()
    for _ in range(2):
        run_id = await neighbours.start(*sources)
        await neighbours.hear(StepStarted, run_id=run_id, count=200)
        await neighbours.cancel(run_id)
        await neighbours.hear(RunCancelled, run_id=run_id)
    first = await neighbours.gateway.ask(ListRuns(limit=500), org_id=neighbours.org_id)
    assert [run.id for run in first.runs] == [run_id]
    assert first.next_cursor is not None
    assert len(await listed(neighbours, limit=500)) == 2

    answers, events, more = 0, [], True
    while more:
        asked = ListRunEvents(run_id=run_id, after_version=len(events))
        answer = await neighbours.gateway.ask(asked, org_id=neighbours.org_id)
        answers, more = answers + 1, answer.more
        events += answer.events
    assert answers > 1
    assert [event.version for event in events] == list(range(1, len(events) + 1))
    assert events[-1].type == "run_cancelled"


async def test_a_timeline_tells_every_attempt_with_what_was_done_in_it(orchestrator, neighbours):
    wells, people = neighbours.source("wells"), neighbours.source("people")
    run_id = await neighbours.start(wells, people)
    good = await neighbours.hear(SyncSource, run_id=run_id, source_id=wells)
    bad = await neighbours.hear(SyncSource, run_id=run_id, source_id=people)
    await neighbours.synced(run_id, good.step_id, wells)
    failure = SourceSyncFailed(run_id=run_id, step_id=bad.step_id, lease=1, problem=MISSING)
    await neighbours.ingest.publish(failure, org_id=neighbours.org_id)
    await neighbours.hear(RunFailed, run_id=run_id)
    again = RetryRun(run_id=run_id, attempt=2)
    await neighbours.gateway.send(again, org_id=neighbours.org_id)
    sync = await neighbours.hear(SyncSource, run_id=run_id, source_id=people, attempt=2)
    nothing = SourceSynced(
        run_id=run_id, step_id=sync.step_id, lease=1, tables=(), unchanged=True, reason="same file"
    )

    async def told() -> Any:
        asked = GetRunTimeline(run_id=run_id)
        return await neighbours.gateway.ask(asked, org_id=neighbours.org_id)

    first, second = (await told()).attempts
    assert (first.number, first.status, first.error) == (1, "failed", MISSING)
    assert (second.number, second.status, second.finished_at) == (2, "syncing", None)
    steps = {step.name: step for step in first.steps}
    assert {name: step.status for name, step in steps.items()} == {
        "wells": "succeeded",
        "people": "failed",
        "Publish": "cancelled",
    }
    assert steps["wells"].rows == 3
    assert steps["wells"].took_ms is not None
    assert steps["Publish"].waited_ms is None
    assert steps["Publish"].reason == "the run failed"
    # What went well is not done again.
    assert [(step.name, step.status) for step in second.steps] == [
        ("people", "running"),
        ("Publish", "pending"),
    ]
    assert second.started_at is not None
    assert first.finished_at is not None
    assert first.finished_at <= second.queued_at <= second.started_at

    await neighbours.ingest.publish(nothing, org_id=neighbours.org_id)
    await neighbours.published(await neighbours.hear(PublishRun, run_id=run_id))
    await neighbours.hear(RunSucceeded, run_id=run_id)
    second = (await told()).attempts[1]
    assert second.status == "succeeded"
    assert second.took_ms is not None
    assert second.steps[0].reason == "same file"
    with pytest.raises(ProblemError) as refused:
        await neighbours.gateway.ask(GetRunTimeline(run_id=run_id), org_id=new_id())
    assert refused.value.problem.status == 404


MANY = 20_000


@pytest.fixture
async def crowded(orchestrator, org_id, ground):
    """An organisation with many runs, each of one of a hundred sources, three in a thousand failed."""
    sources, pipelines = [new_id() for _ in range(100)], [new_id() for _ in range(50)]
    state = RunState(
        run_id=new_id(),
        kind="sync",
        pipeline_id=None,
        source_ids=(),
        transformation_ids=(),
        trigger=Trigger(type="manual", actor="tester"),
        force=False,
        status="succeeded",
        created_at=datetime.now(UTC),
        version=5,
    )
    database = orchestrator.database
    async with database.system() as connection:
        await connection.execute(
            """
            INSERT INTO runs (id, org_id, pipeline_id, status, writes, actor, created_at, ended_at, state)
            SELECT gen_random_uuid(), $1, ($4::uuid[])[1 + n % 50],
                CASE WHEN n % 1000 < 3 THEN 'failed' ELSE 'succeeded' END,
                ARRAY[($3::uuid[])[1 + n % 100]], 'tester', now() - n * interval '1 minute',
                now() - n * interval '1 minute', $2
            FROM generate_series(1, $5::int) AS n
            """,
            org_id,
            TypeAdapter(RunState).dump_python(state, mode="json"),
            sources,
            pipelines,
            MANY,
        )
        await connection.execute(
            "INSERT INTO run_targets SELECT id, writes[1], org_id FROM runs WHERE org_id = $1",
            org_id,
        )
    # As the server does by itself, sooner or later.
    owner = await asyncpg.connect(ground.migrator_url)
    await owner.execute("ANALYZE dalgo_orchestrator.runs, dalgo_orchestrator.run_targets")
    await owner.close()
    yield database, sources, pipelines
    async with database.system() as connection:
        await connection.execute("DELETE FROM runs WHERE org_id = $1", org_id)


async def test_no_filter_makes_a_page_read_all_runs(crowded, org_id):
    database, sources, pipelines = crowded
    named = queries("orchestrator")
    order = named.driver_adapter.var_sorted["list_runs"]
    filters: list[dict[str, object]] = [
        {},
        {"pipeline_id": pipelines[7]},
        {"source_id": sources[7]},
        {"statuses": ["failed"]},
        {"statuses": ["queued", "syncing"]},
        {"created_before": datetime.now(UTC)},
    ]
    for chosen in filters:
        given = dict.fromkeys(order) | {"page": 51} | chosen
        async with database.organization(org_id) as connection:
            await named.plan_each_time(connection)
            (plan,) = await connection.fetchval(
                f"EXPLAIN (ANALYZE, FORMAT json) {named.list_runs.sql}",
                *[given[name] for name in order],
            )
        assert read_by(plan["Plan"]) < MANY / 2, (chosen, plan)
    page = await History(database).list(org_id, ListRuns(limit=500))
    assert len(page.runs) == 500


def read_by(node: dict[str, Any]) -> float:
    """Rows of runs that a plan looked at."""
    own = 0.0
    if node.get("Relation Name") == "runs":
        own = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
    return own + sum(read_by(child) for child in node.get("Plans", ()))
