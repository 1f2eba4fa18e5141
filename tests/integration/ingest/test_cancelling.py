"""A run that is called off: nothing is loaded for it, said of it or left of it."""

import asyncio

import pytest

from chassis.testing import eventually
from contracts.envelope import new_id
from contracts.ingest import SourceSynced, SourceSyncFailed

from .stand import STAGES, workers


@pytest.fixture
def is_marked(stand):
    """Asks whether ingest knows that a run was called off."""

    async def ask(run_id) -> bool:
        return bool(await stand.fetch("SELECT FROM cancelled_runs WHERE run_id = $1", run_id))

    return ask


def running(count: int):
    """Asks whether so many workers run."""

    async def ask() -> bool:
        return len(workers()) == count

    return ask


async def test_a_run_that_was_called_off_before_is_not_begun(stand, ingest, is_marked):
    source = await stand.source()
    run_id = new_id()
    await stand.cancel(run_id)
    await eventually(lambda: is_marked(run_id))
    command = await stand.sync(source, run_id=run_id)
    await stand.idle()
    assert stand.heard(SourceSynced, SourceSyncFailed) == []
    assert await stand.fetch("SELECT FROM sync_runs WHERE step_id = $1", command.step_id) == []
    assert await stand.versions() == set()


async def test_a_run_that_is_begun_again_is_not_the_one_that_was_called_off(
    stand, ingest, is_marked
):
    source = await stand.source()
    run_id = new_id()
    await stand.cancel(run_id)
    await eventually(lambda: is_marked(run_id))
    again = await stand.sync(source, run_id=run_id, attempt=2)
    assert isinstance(await stand.outcome(again), SourceSynced)
    # A call that comes late is about the attempt before.
    await stand.cancel(run_id)
    third = await stand.sync(source, run_id=run_id, attempt=2, force=True)
    assert isinstance(await stand.outcome(third), SourceSynced)


@pytest.mark.parametrize("stage", STAGES)
async def test_a_run_that_is_called_off_meanwhile_stops_at_once_and_leaves_nothing(
    stand, ingest, stage
):
    source = await stand.source()
    shown = await stand.published(source)
    async with stand.stopped(source, stage, published=shown, force=True) as (command, _):
        await stand.cancel(command.run_id)
        # It was stopped where it stands, and would never end by itself.
        await eventually(running(0))
        await stand.idle()
        # Not only the process: what it had the database do ends as well.
        assert await stand.has_settled()
    assert await stand.versions() == {shown.relation}
    assert stand.heard(SourceSynced, SourceSyncFailed, step_id=command.step_id) == []
    assert await stand.live(source) == [("Asha", 31), ("Ben", 17)]

    # Called off is the run, not the source.
    assert not (await stand.synced(source, published=shown, force=True)).unchanged


async def test_a_command_of_a_run_that_was_called_off_meanwhile_is_not_begun_again(stand, ingest):
    source = await stand.source()
    await stand.published(source)
    async with stand.stopped(source, "copied") as (command, _):
        await stand.cancel(command.run_id)
        await stand.idle()
    await stand.send(command)
    await stand.idle()
    assert stand.heard(SourceSynced, SourceSyncFailed, step_id=command.step_id) == []
    assert len(await stand.versions()) == 1


async def test_a_run_that_is_called_off_afterwards_keeps_its_outcome(stand, ingest, is_marked):
    source = await stand.source()
    command = await stand.sync(source)
    outcome = await stand.outcome(command)
    await stand.cancel(command.run_id)
    await eventually(lambda: is_marked(command.run_id))
    await stand.send(command)
    await stand.idle()
    assert stand.outcomes(command.step_id) == [outcome]
    assert len(await stand.versions()) == 1


async def test_only_the_run_that_was_called_off_stops(stand, transform, run_ingest):
    async with run_ingest(max_syncs=1), run_ingest(max_syncs=1):
        source = await stand.source()
        await stand.published(source)
        async with stand.stopped(source, "copied") as (stopping, _):
            staying = await stand.sync(source)
            await eventually(running(2))
            await stand.cancel(stopping.run_id)
            await eventually(running(1))
        assert isinstance(await stand.outcome(staying), SourceSynced)
        await stand.idle()
        assert stand.heard(SourceSynced, SourceSyncFailed, step_id=stopping.step_id) == []


async def test_a_run_that_was_called_off_while_no_replica_listened_is_not_worked_on(
    stand, transform, run_ingest
):
    async with run_ingest():
        source = await stand.source()
    command = await stand.sync(source)
    await stand.cancel(command.run_id)
    async with run_ingest():
        await stand.idle()
    assert stand.heard(SourceSynced, SourceSyncFailed) == []
    assert await stand.versions() == set()


async def test_a_second_cancel_does_not_disturb_the_first(stand, ingest):
    source = await stand.source()
    shown = await stand.published(source)
    async with stand.stopped(source, "copied", force=True) as (command, _):
        await asyncio.gather(*(stand.cancel(command.run_id) for _ in range(5)))
        await stand.idle()
    assert await stand.versions() == {shown.relation}
