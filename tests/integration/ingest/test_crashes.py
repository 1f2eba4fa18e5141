"""A load that breaks at any stage: readers keep what they had, and the step ends right."""

import asyncio
import os
import sys

import asyncpg
import psutil
import pytest
import pytest_asyncio

from chassis.testing import eventually
from contracts.envelope import new_id
from contracts.ingest import SourceSynced, SourceSyncFailed, SyncSource
from ingest.steps import Claimed, Steps

from .stand import PEOPLE, STAGES, only_worker, workers

MORE = PEOPLE + b"Chidi,45\n"
BEFORE = [("Asha", 31), ("Ben", 17)]
AFTER = [*BEFORE, ("Chidi", 45)]
UNUSED = "v_" + "0" * 26


async def ends_right(stand, source, shown, command, leases=(2,)) -> None:
    """The step has one good outcome, whose version can be published, and nothing else is left."""
    assert await stand.live(source) == BEFORE
    outcome = await stand.outcome(command)
    assert isinstance(outcome, SourceSynced), outcome
    await stand.idle()
    assert stand.outcomes(command.step_id) == [outcome]
    assert outcome.lease in leases
    (version,) = outcome.tables
    assert version.rows == 3
    assert await stand.versions() == {shown.relation, version.relation}
    assert await stand.live(source) == BEFORE
    await stand.publish(version)
    assert await stand.live(source) == AFTER


@pytest_asyncio.fixture
async def grown(stand, transform, run_ingest):
    """A source that was published and whose file has grown since, with the published version."""
    async with run_ingest():
        source = await stand.source()
        shown = await stand.published(source)
    await stand.store(source.config.upload_id, MORE)
    return source, shown


@pytest.mark.parametrize("stage", STAGES)
async def test_a_worker_that_is_killed_is_replaced(stand, grown, run_ingest, stage):
    source, shown = grown
    async with run_ingest():
        async with stand.stopped(source, stage, published=shown, force=True) as (command, worker):
            worker.kill()
            await eventually(lambda: has_gone(worker))
        await ends_right(stand, source, shown, command)


@pytest.mark.parametrize("stage", ["describing", "copied", "counting"])
async def test_a_session_that_the_database_ends_is_begun_again(stand, grown, run_ingest, stage):
    source, shown = grown
    async with run_ingest():
        async with stand.stopped(source, stage, published=shown, force=True) as (command, _):
            assert await stand.cut("workers") > 0
        await ends_right(stand, source, shown, command)


SABOTAGE = """
    CREATE FUNCTION public.lose_a_row() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RETURN CASE WHEN NEW.name = 'Chidi' THEN NULL ELSE NEW END; END $$;
    CREATE FUNCTION public.sabotage() RETURNS event_trigger LANGUAGE plpgsql AS $$
        DECLARE made record;
        BEGIN
            FOR made IN SELECT * FROM pg_event_trigger_ddl_commands() LOOP
                IF made.object_identity LIKE '%.v\\_%' AND made.object_type = 'table' THEN
                    EXECUTE format('CREATE TRIGGER lose_a_row BEFORE INSERT ON %s FOR EACH ROW '
                        'EXECUTE FUNCTION public.lose_a_row()', made.object_identity);
                END IF;
            END LOOP;
        END $$;
    CREATE EVENT TRIGGER sabotage ON ddl_command_end WHEN TAG IN ('CREATE TABLE')
        EXECUTE FUNCTION public.sabotage();
"""
"""A database that loses one row of a version without a word."""


@pytest_asyncio.fixture
async def sabotaged(grown, ground):
    """The database loses a row from here on."""
    connection = await asyncpg.connect(ground.superuser_url)
    await connection.execute(SABOTAGE)
    yield
    await connection.execute("DROP EVENT TRIGGER sabotage")
    await connection.execute("DROP FUNCTION public.sabotage(), public.lose_a_row() CASCADE")
    await connection.close()


async def test_a_row_that_is_lost_on_the_way_fails_the_sync(stand, grown, sabotaged, run_ingest):
    source, shown = grown
    async with run_ingest():
        outcome = await stand.outcome(await stand.sync(source, published=shown, force=True))
    assert isinstance(outcome, SourceSyncFailed)
    assert outcome.problem.code == "rows_lost"
    assert "3 rows were read and 2 arrived" in outcome.problem.detail
    assert await stand.versions() == {shown.relation}
    assert await stand.live(source) == BEFORE


async def test_losing_every_session_with_the_database_is_survived(stand, grown, run_ingest):
    source, shown = grown
    async with run_ingest():
        async with stand.stopped(source, "copied", published=shown, force=True) as (command, _):
            assert await stand.cut("all") > 1
        await ends_right(stand, source, shown, command, leases=(2, 3))


@pytest.mark.parametrize("stage", STAGES)
async def test_a_replica_that_shuts_down_in_the_middle_hands_over(stand, grown, run_ingest, stage):
    source, shown = grown
    async with run_ingest() as leaving:
        stopped = stand.stopped(source, stage, published=shown, force=True)
        command, worker = await stopped.__aenter__()
        del leaving
    # Gone with all it had begun, although what it waited for is still held.
    assert workers() == []
    assert not psutil.pid_exists(worker.pid)
    assert await stand.has_settled()
    assert await stand.versions() == {shown.relation}
    await stopped.__aexit__(None, None, None)
    async with run_ingest():
        await ends_right(stand, source, shown, command)


async def test_another_replica_takes_over_at_once(stand, grown, run_ingest):
    source, shown = grown
    async with run_ingest():
        async with run_ingest():
            stopped = stand.stopped(source, "starting", published=shown, force=True)
            command, _ = await stopped.__aenter__()
            (holding,) = await stand.fetch(
                "SELECT lease FROM sync_runs WHERE step_id = $1", command.step_id
            )
            assert holding["lease"] == 1
        await stopped.__aexit__(None, None, None)
        await ends_right(stand, source, shown, command, leases=(1, 2))


async def test_a_process_that_is_killed_leaves_its_step_to_the_next(
    stand, grown, run_ingest, ground
):
    source, shown = grown
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "ingest",
        env=ground.environment("ingest")
        | {"PATH": os.environ["PATH"], "HTTP_PORT": "0", "WARM_WORKERS": "0"},
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with stand.stopped(source, "copied", published=shown, force=True) as (
            command,
            worker,
        ):
            process.kill()
            await process.wait()
            await eventually(lambda: has_gone(worker))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    await eventually(stand.has_settled)
    async with run_ingest():
        await ends_right(stand, source, shown, command)


async def test_an_outcome_that_was_kept_but_not_said_is_said_by_the_next(stand, grown, run_ingest):
    source, shown = grown
    async with run_ingest() as service:
        command = await stand.sync(source, published=shown, force=True)
        outcome = await stand.outcome(command)
        steps = Steps(service.database)
        assert await steps.claim(stand.org_id, command, new_id(), UNUSED) == outcome
        assert not await steps.finish(stand.org_id, source.id, outcome)
    await stand.send(command)
    async with run_ingest():
        await stand.idle()
    assert stand.heard(SourceSynced, step_id=command.step_id) == [outcome, outcome]
    assert len(await stand.versions()) == 2


async def test_a_sync_that_is_asked_for_again_is_left_to_its_holder(stand, grown, run_ingest):
    source, shown = grown
    async with run_ingest() as service:
        async with stand.stopped(source, "copied", published=shown, force=True) as (command, _):
            again = command.model_copy(update={"repeated": True})
            assert (
                await Steps(service.database).claim(stand.org_id, again, new_id(), UNUSED) is None
            )
        outcome = await stand.outcome(command)
        assert outcome.lease == 1
        await stand.send(again)
        await stand.idle()
        assert stand.heard(SourceSynced, step_id=command.step_id) == [outcome, outcome]


async def test_a_step_whose_message_and_holder_are_gone_is_taken_over(
    stand, grown, run_ingest, ground
):
    source, shown = grown
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "ingest",
        env=ground.environment("ingest")
        | {"PATH": os.environ["PATH"], "HTTP_PORT": "0", "WARM_WORKERS": "0"},
        stderr=asyncio.subprocess.DEVNULL,
    )
    async with stand.stopped(source, "copied", published=shown, force=True) as (command, worker):
        process.kill()
        await process.wait()
        await eventually(lambda: has_gone(worker))
    await eventually(stand.has_settled)
    # The store of the bus is lost: the command will not be delivered again.
    migrator = await stand.as_("migrator")
    await migrator.jetstream.purge_stream("CMD", subject=SyncSource.subject())
    again = command.model_copy(update={"repeated": True})
    async with run_ingest():
        await stand.send(again)
        await stand.idle()
        assert stand.outcomes(command.step_id) == []
        await stand.fetch(
            "UPDATE sync_runs SET heartbeat_at = now() - interval '31 s' WHERE step_id = $1",
            command.step_id,
        )
        await stand.send(again)
        await ends_right(stand, source, shown, command)


async def test_a_holder_that_was_silent_stops_once_another_has_taken_its_step(
    stand, grown, run_ingest
):
    source, shown = grown
    async with run_ingest() as service:
        async with stand.stopped(source, "starting", published=shown, force=True) as (command, _):
            await stand.fetch(
                "UPDATE sync_runs SET heartbeat_at = now() - interval '31 s' WHERE step_id = $1",
                command.step_id,
            )
            again = command.model_copy(update={"repeated": True})
            claimed = await Steps(service.database).claim(stand.org_id, again, new_id(), UNUSED)
            assert isinstance(claimed, Claimed)
            # Its worker is suspended: only the heartbeat can end this work.
            await stand.idle()
            assert workers() == []
        assert stand.outcomes(command.step_id) == []


async def test_an_older_lease_never_commits(stand, grown, run_ingest):
    source, shown = grown
    async with run_ingest() as service:
        async with stand.stopped(source, "copied", published=shown, force=True) as (command, _):
            # Another replica claims the step, and dies with it.
            claimed = await Steps(service.database).claim(stand.org_id, command, new_id(), UNUSED)
            assert isinstance(claimed, Claimed)
            assert claimed.lease == 2
        await stand.idle()
        assert stand.heard(SourceSynced, SourceSyncFailed, step_id=command.step_id) == []
        assert await stand.versions() == {shown.relation}
        await stand.send(command)
        await ends_right(stand, source, shown, command, leases=(3,))


async def test_the_very_first_load_of_an_organisation_may_break_too(stand, transform, run_ingest):
    async with run_ingest():
        source = await stand.source(MORE)
        command = await stand.sync(source, run_id=new_id())
        worker = await eventually(only_worker)
        worker.kill()
        outcome = await stand.outcome(command)
        assert isinstance(outcome, SourceSynced)
        assert outcome.tables[0].rows == 3
        assert await stand.versions() == {outcome.tables[0].relation}


async def has_gone(worker: psutil.Process) -> bool:
    return worker not in workers()
