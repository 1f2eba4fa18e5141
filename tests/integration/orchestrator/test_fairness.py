"""Who goes first: slots of an organisation, turns of its runs, lines for tables."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from chassis.testing import eventually
from contracts.envelope import new_id
from contracts.ingest import PlannedSource, SyncSource
from contracts.orchestrator import RunQueued, RunStarted, RunSucceeded, StepStarted
from contracts.transform import BuildTransformation, PublishRun
from orchestrator.deadlines import Deadlines
from orchestrator.domain import RunPlanned
from orchestrator.room import Slots
from orchestrator.store import RunStore

RUNS, STEPS, SLOTS = 1000, 8, 2
FEW = {"MAX_SYNCS_PER_ORGANIZATION": str(SLOTS), "MAX_BUILDS_PER_ORGANIZATION": str(SLOTS)}


class Worker:
    """Takes commands of one kind in their order, as many at once as it has slots."""

    def __init__(self, neighbours, kind: type, flooder: UUID) -> None:
        self.neighbours, self.kind, self.flooder = neighbours, kind, flooder
        self.own_runs: set[UUID] = set()
        self.taken = 0
        self.seen = 0
        self.held: list = []
        self.ended: list[UUID] = []
        self.ends_when_queued: dict[UUID, int] = {}
        self.waited: list[int] = []
        """Of each step of the other organisation, how many of the flooder's ended first."""

    def is_floods(self, command) -> bool:
        return command.run_id not in self.own_runs

    @property
    def floods_ends(self) -> int:
        return sum(run_id not in self.own_runs for run_id in self.ended)

    def floods_under_way(self) -> int:
        told = sum(self.is_floods(command) for command in self.neighbours.told(self.kind))
        return told - self.floods_ends

    def take(self) -> None:
        commands = self.neighbours.told(self.kind)
        for command in commands[self.seen :]:
            self.ends_when_queued[command.step_id] = self.floods_ends
        self.seen = len(commands)
        while len(self.held) < SLOTS and self.taken < len(commands):
            command = commands[self.taken]
            self.taken += 1
            self.held.append(command)
            if not self.is_floods(command):
                waited = self.floods_ends - self.ends_when_queued[command.step_id]
                self.waited.append(waited)

    async def end(self, command) -> None:
        self.held.remove(command)
        self.ended.append(command.run_id)
        org_id = self.flooder if self.is_floods(command) else None
        if isinstance(command, SyncSource):
            say, target = self.neighbours.synced, command.source_id
        else:
            say, target = self.neighbours.built, command.transformation_id
        await say(command.run_id, command.step_id, target, org_id=org_id)

    async def carry_out(self, run_id: UUID, count: int) -> None:
        """The run's `count`-th step, from when its command is there to its end."""
        command = await self.neighbours.hear(self.kind, run_id=run_id, count=count)
        self.take()
        while command not in self.held:
            # All slots are the flooder's: the oldest of its steps ends.
            await self.end(self.held[0])
            self.take()
        # What came into the queue meanwhile is before this run's next step.
        await self.neighbours.until(lambda: self.floods_under_way() == SLOTS)
        await self.end(command)
        self.take()


@pytest.fixture
async def flooder(start_service, neighbours):
    """An organisation with a thousand queued runs, of many sources or of many recipes each."""
    flooder = new_id()
    # All runs of other tables go at once, so that steps of both kinds never run out.
    many = FEW | {"MAX_ACTIVE_RUNS_PER_ORGANIZATION": "10"}
    service = await start_service("orchestrator", **many)
    sources = [neighbours.source(f"source {n}") for n in range(5 * STEPS)]
    recipes = [neighbours.recipe(f"recipe {n}") for n in range(5 * STEPS)]
    for first in range(0, RUNS, 50):
        starts = []
        for n in range(first, first + 50):
            some = slice(n % 5 * STEPS, n % 5 * STEPS + STEPS)
            given = (sources[some], ()) if n % 2 else ((), tuple(recipes[some]))
            starts.append(neighbours.start(*given[0], recipes=given[1], org_id=flooder))
        await asyncio.gather(*starts)
    yield flooder
    async with service.database.system() as connection:
        await connection.execute("DELETE FROM runs WHERE org_id = $1", flooder)


async def test_a_thousand_runs_of_one_organisation_delay_anothers_steps_by_one_of_theirs(
    flooder, neighbours
):
    ingest = Worker(neighbours, SyncSource, flooder)
    transform = Worker(neighbours, BuildTransformation, flooder)
    for worker in (ingest, transform):
        await neighbours.until(lambda worker=worker: worker.floods_under_way() == SLOTS, 60)
        worker.take()
    wells = neighbours.source("wells")
    clean = neighbours.recipe("clean", wells)
    summary = neighbours.recipe("summary", clean)
    for _ in range(4):
        run_id = await neighbours.start(wells, recipes=(clean, summary))
        for worker in (ingest, transform):
            worker.own_runs.add(run_id)
        # Behind a thousand commands, and nothing of the flooder ends meanwhile.
        await neighbours.until(lambda run_id=run_id: neighbours.told(RunQueued, run_id=run_id), 60)
        await ingest.carry_out(run_id, 1)
        await transform.carry_out(run_id, 1)
        await transform.carry_out(run_id, 2)
        await neighbours.published(await neighbours.hear(PublishRun, run_id=run_id))
        await neighbours.hear(RunSucceeded, run_id=run_id)
    assert len(ingest.waited) == 4
    assert len(transform.waited) == 8
    assert max(ingest.waited + transform.waited) == 1


async def test_an_organisation_never_has_more_steps_under_way_than_slots(run_service, neighbours):
    under_way = 0

    async def carry_out(run_id: UUID, count: int) -> None:
        nonlocal under_way
        for n in range(1, count + 1):
            sync = await neighbours.hear(SyncSource, run_id=run_id, count=n)
            told = len(neighbours.told(SyncSource))
            assert told - under_way <= SLOTS
            under_way += 1
            await neighbours.synced(run_id, sync.step_id, sync.source_id)
        await neighbours.published(await neighbours.hear(PublishRun, run_id=run_id))
        await neighbours.hear(RunSucceeded, run_id=run_id)

    many = FEW | {"MAX_ACTIVE_RUNS_PER_ORGANIZATION": "12"}
    async with run_service("orchestrator", **many), run_service("orchestrator", **many):
        # All at once, so that they are admitted side by side.
        runs = await asyncio.gather(
            *(
                neighbours.start(*(neighbours.source(f"{run} {n}") for n in range(3)))
                for run in range(12)
            )
        )
        await asyncio.gather(*(carry_out(run_id, 3) for run_id in runs))
    assert under_way == 36


async def test_runs_that_begin_at_the_same_moment_share_the_slots(start_service, silent):
    # All runs of other tables go at once, so that steps of both kinds never run out.
    many = FEW | {"MAX_ACTIVE_RUNS_PER_ORGANIZATION": "10"}
    service = await start_service("orchestrator", **many)
    sources = {await silent.start(source): source for source in map(silent.source, "abcdef")}
    for run_id in sources:
        await silent.hear(RunQueued, run_id=run_id)
    # Nobody answers admission, so it is the test that plans them, side by side.
    slots = Slots(SLOTS, SLOTS)
    store = RunStore(service.database, service.outbox, Deadlines.of(service.settings), slots)
    plans = {
        run_id: RunPlanned(
            (PlannedSource(source_id=source, name="one", table_id=source),), (), (), {}, "UTC"
        )
        for run_id, source in sources.items()
    }
    moved = await asyncio.gather(
        *(
            store.apply(
                run_id,
                silent.org_id,
                plan,
                message_id=new_id(),
                at=datetime.now(UTC),
                actor="tester",
            )
            for run_id, plan in plans.items()
        )
    )
    assert [state.status for state in moved if state] == ["syncing"] * 6
    begun = [step for state in moved if state for step in state.steps if step.view.started_at]
    assert len(begun) == SLOTS
    for count in range(1, 7):
        sync = await silent.hear(SyncSource, count=count)
        await silent.synced(sync.run_id, sync.step_id, sync.source_id)


async def test_runs_that_come_at_once_keep_to_the_cap(run_service, neighbours):
    one = {"MAX_ACTIVE_RUNS_PER_ORGANIZATION": "1"}
    async with run_service("orchestrator", **one), run_service("orchestrator", **one):
        runs = await asyncio.gather(
            *(neighbours.start(neighbours.source(f"table {n}")) for n in range(6))
        )
        for run_id in runs:
            await neighbours.hear(RunQueued, run_id=run_id)
        for count in range(1, 7):
            sync = await neighbours.hear(SyncSource, count=count)
            assert len(neighbours.told(SyncSource)) == count
            await neighbours.synced(sync.run_id, sync.step_id, sync.source_id)
            await neighbours.published(await neighbours.hear(PublishRun, run_id=sync.run_id))
            await neighbours.hear(RunSucceeded, run_id=sync.run_id)


async def test_a_run_that_was_claimed_and_has_not_begun_counts_to_the_cap(start_service, silent):
    service = await start_service("orchestrator", MAX_ACTIVE_RUNS_PER_ORGANIZATION="1")
    store = RunStore(service.database, service.outbox, Deadlines.of(service.settings), Slots(9, 9))
    claimed = await silent.start(silent.source("wells"))
    await silent.hear(RunQueued, run_id=claimed)

    async def claims() -> list[UUID]:
        runs = await store.claim(1, 10)
        return [state.run_id for state, org_id in runs if org_id == silent.org_id]

    async def is_claimed() -> bool:
        return await claims() == [claimed]

    await eventually(is_claimed)
    # Nobody answers what it needs to begin. One that was queued before it is committed only now.
    older = await silent.start(silent.source("people"))
    await silent.hear(RunQueued, run_id=older)
    async with service.database.system() as connection:
        await connection.execute(
            "UPDATE run_claims SET since = since - interval '1 hour' WHERE run_id = $1", older
        )
    assert await claims() == [claimed]
    assert await store.claim(1, 10) != ()


async def test_a_run_leaves_the_next_slot_to_another_of_its_organisation(start_service, neighbours):
    await start_service("orchestrator", **FEW)
    long = await neighbours.start(*(neighbours.source(f"table {n}") for n in range(6)))
    first = await neighbours.hear(SyncSource, run_id=long, count=1)
    await neighbours.hear(SyncSource, run_id=long, count=2)
    short = await neighbours.start(neighbours.source("wells"))
    await neighbours.hear(RunStarted, run_id=short)
    assert neighbours.told(SyncSource, run_id=short) == []

    await neighbours.synced(long, first.step_id, first.source_id)
    sync = await neighbours.hear(SyncSource, run_id=short)
    assert len(neighbours.told(SyncSource, run_id=long)) == 2
    await neighbours.synced(short, sync.step_id, sync.source_id)
    await neighbours.published(await neighbours.hear(PublishRun, run_id=short))
    await neighbours.hear(SyncSource, run_id=long, count=3)


async def test_a_cancel_gives_what_a_run_held_to_the_next(start_service, neighbours):
    await start_service("orchestrator", **FEW)
    long = await neighbours.start(*(neighbours.source(f"table {n}") for n in range(6)))
    await neighbours.hear(SyncSource, run_id=long, count=2)
    short = await neighbours.start(*(neighbours.source(f"other {n}") for n in range(3)))
    await neighbours.hear(RunStarted, run_id=short)
    await neighbours.cancel(long)
    await neighbours.hear(SyncSource, run_id=short, count=2)
    ended = await neighbours.run(long)
    assert {step.status for step in ended.steps} == {"cancelled"}
    assert len(neighbours.told(StepStarted, run_id=long)) == 2


async def test_a_run_of_two_tables_is_not_overtaken_by_those_of_one(start_service, neighbours):
    await start_service(
        "orchestrator", MAX_ACTIVE_RUNS_PER_ORGANIZATION="9", MAX_SYNCS_PER_ORGANIZATION="9"
    )
    wells, people = neighbours.source("wells"), neighbours.source("people")

    async def queue(*sources: UUID) -> UUID:
        run_id = await neighbours.start(*sources)
        await neighbours.hear(RunQueued, run_id=run_id)
        return run_id

    async def end(run_id: UUID, *sources: UUID) -> None:
        for source_id in sources:
            sync = await neighbours.hear(SyncSource, run_id=run_id, source_id=source_id)
            await neighbours.synced(run_id, sync.step_id, source_id)
        await neighbours.published(await neighbours.hear(PublishRun, run_id=run_id))
        await neighbours.hear(RunSucceeded, run_id=run_id)

    of_wells, of_people = await queue(wells), await queue(people)
    both = await queue(wells, people)
    next_of_wells, next_of_people = await queue(wells), await queue(people)
    await end(of_wells, wells)
    # One of another table is started: so the line was looked at, and nobody jumped it.
    await end(await queue(elsewhere := neighbours.source("elsewhere")), elsewhere)
    assert await neighbours.status(next_of_wells) == "queued"
    await end(of_people, people)
    await end(both, wells, people)
    await end(next_of_wells, wells)
    await end(next_of_people, people)
    started = [event.run_id for event in neighbours.told(RunStarted)]
    assert set(started[:2]) == {of_wells, of_people}
    assert started.index(both) < started.index(next_of_wells)
    assert started.index(both) < started.index(next_of_people)


async def test_a_run_that_waits_for_another_system_takes_no_place(start_service, neighbours):
    await start_service(
        "orchestrator", MAX_ACTIVE_RUNS_PER_ORGANIZATION="1", MAX_SYNCS_PER_ORGANIZATION="1"
    )
    outside, wells = neighbours.source("outside"), neighbours.source("wells")
    neighbours.patience[outside] = timedelta(hours=1)
    waits = await neighbours.start(outside)
    await neighbours.hear(SyncSource, run_id=waits)
    works = await neighbours.start(wells)
    await neighbours.hear(SyncSource, run_id=works)
    third = await neighbours.start(neighbours.source("people"))
    await neighbours.hear(RunQueued, run_id=third)
    assert await neighbours.status(third) == "queued"
