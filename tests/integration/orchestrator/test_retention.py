"""What ended long ago goes in small batches, with everything that is kept of it elsewhere."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from pydantic import TypeAdapter

from chassis.testing import eventually
from contracts.envelope import new_id
from contracts.orchestrator import RunsForgotten, StartRun, Trigger
from orchestrator.deadlines import Deadlines
from orchestrator.domain import RunState
from orchestrator.retention import Retention
from orchestrator.room import Slots
from orchestrator.store import RunStore

DAYS, KEPT = 30, 3


@pytest.fixture
async def orchestrator(start_service):
    return await start_service("orchestrator")


@pytest.fixture
def ended(orchestrator, org_id):
    """Puts a run there that ended so many days ago, or is open."""

    async def put(days: float, *, pipeline_id: UUID | None = None, status: str = "failed") -> UUID:
        run_id = new_id()
        async with orchestrator.database.organization(org_id) as connection:
            now = await connection.fetchval("SELECT now()")
            state = RunState(
                run_id=run_id,
                kind="sync",
                pipeline_id=pipeline_id,
                source_ids=(new_id(),),
                transformation_ids=(),
                trigger=Trigger(type="manual", actor="tester"),
                force=False,
                status=status,  # pyright: ignore[reportArgumentType]
                created_at=now,
                version=1,
            )
            await connection.execute(
                """
                INSERT INTO runs (id, org_id, pipeline_id, status, writes, actor, created_at,
                    ended_at, state)
                VALUES ($1, $2, $3, $4, '{}', 'tester', now() - $5 * interval '1 day',
                    CASE WHEN $4 = 'failed' THEN now() - $5 * interval '1 day' END, $6)
                """,
                run_id,
                org_id,
                pipeline_id,
                status,
                days,
                TypeAdapter(RunState).dump_python(state, mode="json"),
            )
            await connection.execute(
                "INSERT INTO run_events (org_id, run_id, version, type, time, data) "
                "VALUES ($1, $2, 1, 'run_queued', now(), '{}')",
                org_id,
                run_id,
            )
            await connection.execute(
                "INSERT INTO run_targets VALUES ($1, $2, $3)", run_id, new_id(), org_id
            )
        return run_id

    return put


def retention(orchestrator: Any, kept: int = KEPT) -> Retention:
    return Retention(orchestrator.database, orchestrator.outbox, days=DAYS, kept=kept)


async def left(orchestrator: Any, org_id: UUID) -> set[UUID]:
    async with orchestrator.database.organization(org_id) as connection:
        for table in ("run_events", "run_targets"):
            orphans = await connection.fetchval(
                f"SELECT count(*) FROM {table} WHERE run_id NOT IN (SELECT id FROM runs)"
            )
            assert orphans == 0
        return {row["id"] for row in await connection.fetch("SELECT id FROM runs")}


async def test_old_runs_go_but_no_open_one_and_no_pipelines_last(
    orchestrator, neighbours, ended, org_id
):
    monthly = new_id()
    async with orchestrator.database.organization(org_id) as connection:
        await connection.execute(
            "INSERT INTO pipelines (id, org_id, name, name_key, source_ids, transformation_ids, "
            "digest) VALUES ($1, $2, 'Monthly', 'monthly', '{}', '{}', '')",
            monthly,
            org_id,
        )
    old = {await ended(DAYS + 1), await ended(85, pipeline_id=monthly), await ended(80)}
    orphan = await ended(70, pipeline_id=new_id())
    kept = {
        await ended(60, pipeline_id=monthly),
        await ended(200, status="syncing"),
        await ended(DAYS - 1),
    }
    assert await retention(orchestrator, kept=100).forget() >= 4
    assert await left(orchestrator, org_id) == kept
    told = await neighbours.hear(RunsForgotten)
    assert set(told.run_ids) == {*old, orphan}
    assert await retention(orchestrator, kept=100).forget() == 0


async def test_of_too_many_runs_the_oldest_go_but_none_of_the_last_day(orchestrator, ended, org_id):
    runs = [await ended(days) for days in (9, 8, 7, 6, 5)]
    today = [await ended(0.5), await ended(0.1)]
    await retention(orchestrator).forget()
    assert await left(orchestrator, org_id) == {runs[-1], *today}
    more = [await ended(0.1) for _ in range(3)]
    await retention(orchestrator).forget()
    assert await left(orchestrator, org_id) == {*today, *more}


async def test_replicas_forget_side_by_side_in_batches_each_run_once(
    orchestrator, neighbours, ended, org_id, monkeypatch
):
    monkeypatch.setattr("orchestrator.retention._BATCH", 5)
    runs = {await ended(DAYS + number / 10) for number in range(40)}
    replicas = [retention(orchestrator, kept=100) for _ in range(3)]
    await asyncio.gather(*(replica.forget() for replica in replicas))
    assert await left(orchestrator, org_id) == set()

    async def told() -> list[UUID] | None:
        found = [one for message in neighbours.told(RunsForgotten) for one in message.run_ids]
        return found if len(found) >= len(runs) else None

    assert sorted(await eventually(told)) == sorted(runs)


async def test_a_start_that_is_said_again_does_not_bring_a_forgotten_run_back(
    orchestrator, ended, org_id
):
    run_id = await ended(DAYS + 1)
    await retention(orchestrator, kept=100).forget()
    start = StartRun(
        run_id=run_id,
        run_kind="sync",
        pipeline_id=None,
        source_ids=(new_id(),),
        transformation_ids=(),
        trigger=Trigger(type="manual", actor="tester"),
    )
    deadlines = Deadlines.of(orchestrator.settings)
    runs = RunStore(orchestrator.database, orchestrator.outbox, deadlines, Slots(2, 2))
    async with orchestrator.database.organization(org_id) as connection:
        at = await connection.fetchval("SELECT now()")
    said = {"message_id": start.message_id, "at": at, "actor": "tester"}
    assert await runs.apply(run_id, org_id, start, **said) is None
    assert await left(orchestrator, org_id) == set()
