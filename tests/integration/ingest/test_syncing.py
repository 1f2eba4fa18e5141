"""A sync says one outcome, says it again when it is asked again, and shows nothing by itself."""

import asyncio
from contextlib import suppress

import psutil
import pytest

from chassis.testing import eventually
from contracts.envelope import new_id
from contracts.ingest import (
    CsvConfig,
    DeleteSource,
    GetSource,
    SourceSynced,
    SourceSyncFailed,
    SyncProgress,
    UpdateSource,
)
from ingest.domain import rejects_key

from .stand import PEOPLE, creation, only_worker

MORE = PEOPLE + b"Chidi,45\n"


async def failed(stand, source) -> SourceSyncFailed:
    """The failure of a sync, with what is kept of it."""
    outcome = await stand.outcome(await stand.sync(source))
    assert isinstance(outcome, SourceSyncFailed), outcome
    kept = await stand.ask(GetSource(source_id=source.id))
    assert kept.last_error == outcome.problem.detail
    assert (kept.last_synced_at, kept.status) == (None, "ready")
    assert await stand.versions() == set()
    return outcome


async def test_a_sync_says_what_it_loaded_and_shows_nothing_yet(stand, ingest):
    source = await stand.source()
    outcome = await stand.synced(source)
    assert (outcome.lease, outcome.unchanged, outcome.warnings) == (1, False, ())
    (version,) = outcome.tables
    assert (version.table_id, version.rows) == (source.id, 2)
    assert version.bytes > 0
    assert [(column.name, column.physical, column.type) for column in version.columns] == [
        ("name", "name", "text"),
        ("age", "age", "integer"),
    ]
    assert await stand.versions() == {version.relation}
    kept = await stand.ask(GetSource(source_id=source.id))
    assert kept.last_synced_at is not None
    assert kept.last_error is None
    await stand.publish(version)
    assert await stand.live(source) == [("Asha", 31), ("Ben", 17)]


async def test_whoever_watches_is_told_how_far_a_sync_has_come(stand, ingest):
    source = await stand.source()
    told = []

    async def hear(message) -> None:
        told.append((message.subject, SyncProgress.model_validate_json(message.data)))

    gateway = await stand.as_("gateway")
    await gateway.watch("tick.>", hear)
    command = await stand.sync(source)
    await stand.outcome(command)

    async def all_was_told() -> bool:
        return bool(told) and told[-1][1].phase == "counting"

    await eventually(all_was_told)
    assert {subject for subject, _ in told} == {
        f"tick.{stand.org_id.hex}.ingest.{command.run_id.hex}"
    }
    assert {one.step_id for _, one in told} == {command.step_id}
    assert [one.phase for _, one in told] == ["reading", "writing", "loading", "counting"]
    assert told[2][1].total_rows == 2


async def test_what_a_person_should_know_is_said_with_the_outcome(stand, ingest):
    outcome = await stand.synced(await stand.source(b"a,b\n"))
    assert [notice.code for notice in outcome.warnings] == ["no_rows"]
    assert outcome.tables[0].rows == 0


async def test_rows_that_fit_nowhere_are_told_and_kept_aside(stand, orchestrator, ingest):
    source = await stand.source(b"a,b\n" + b"1,2\n" * 20 + b"3,4,5\n")
    outcome = await stand.synced(source)
    assert outcome.tables[0].rows == 20
    (warning,) = outcome.warnings
    assert warning.code == "rows_rejected"
    assert "line 22" in warning.message
    key = rejects_key(stand.org_id, source.id)
    async with stand.objects.local(key) as path:
        assert "3,4,5" in path.read_text()
    await stand.ask(DeleteSource(source_id=source.id))
    with pytest.raises(FileNotFoundError):
        async with stand.objects.local(key):
            pass


async def test_a_command_that_comes_again_has_its_outcome_said_again(stand, ingest):
    source = await stand.source()
    command = await stand.sync(source)
    first = await stand.outcome(command)
    await stand.send(command)
    await stand.idle()
    assert stand.heard(SourceSynced, step_id=command.step_id) == [first, first]
    assert len(await stand.versions()) == 1


async def test_a_failure_that_is_asked_for_again_stays_a_failure(stand, ingest):
    source = await stand.source()
    await stand.lose(source.config.upload_id)
    command = await stand.sync(source)
    first = await stand.outcome(command)
    await stand.store(source.config.upload_id, PEOPLE)
    await stand.send(command)
    await stand.idle()
    assert stand.heard(SourceSyncFailed, step_id=command.step_id) == [first, first]
    # Another run has another step, and another chance.
    assert (await stand.synced(source)).tables[0].rows == 2
    kept = await stand.ask(GetSource(source_id=source.id))
    assert kept.last_error is None


async def test_a_file_that_is_gone_says_to_upload_it_again(stand, ingest):
    source = await stand.source()
    await stand.lose(source.config.upload_id)
    outcome = await failed(stand, source)
    assert (outcome.problem.status, outcome.problem.code) == (422, "upload_gone")
    assert outcome.problem.detail.startswith("The file people.csv")
    assert "Upload it again" in outcome.problem.detail


async def test_a_file_of_which_too_much_does_not_fit_is_refused_with_lines(stand, ingest):
    source = await stand.source()
    content = b"name,age\n" + b"Asha,31\n" * 5000 + b"Ben,17,too much\n" * 1000
    await stand.store(source.config.upload_id, content)
    outcome = await failed(stand, source)
    assert outcome.problem.code == "bad_rows"
    assert "line 5002" in outcome.problem.detail


async def test_what_the_database_refuses_is_said_and_nothing_is_left(stand, ingest):
    content = b'a;b\n{"x": 1};2\n'
    request = creation(await stand.upload(content), columns={"a": {"type": "json"}})
    source = await stand.ask(request)
    await stand.store(source.config.upload_id, b'a;b\n{"x": "\\u0000"};2\n')
    outcome = await failed(stand, source)
    assert outcome.problem.code == "refused"


async def test_a_source_that_was_deleted_meanwhile_fails_by_name(stand, orchestrator, ingest):
    source = await stand.source()
    await stand.ask(DeleteSource(source_id=source.id))
    outcome = await stand.outcome(await stand.sync(source))
    assert isinstance(outcome, SourceSyncFailed)
    assert (outcome.problem.status, outcome.problem.code) == (404, "not_found")
    assert str(source.id) in outcome.problem.detail


async def test_a_failed_sync_leaves_what_readers_see(stand, ingest):
    source = await stand.source()
    shown = await stand.published(source)
    await stand.store(source.config.upload_id, PEOPLE + b"Chidi,45,too much\n")
    outcome = await stand.outcome(await stand.sync(source, published=shown, force=True))
    assert isinstance(outcome, SourceSyncFailed)
    assert await stand.live(source) == [("Asha", 31), ("Ben", 17)]
    assert await stand.versions() == {shown.relation}


async def test_what_did_not_change_is_not_loaded_unless_it_is_forced(stand, ingest):
    source = await stand.source()
    shown = await stand.published(source)
    unchanged = await stand.synced(source, published=shown)
    assert unchanged.unchanged
    assert unchanged.tables == (shown,)
    assert await stand.versions() == {shown.relation}

    forced = await stand.synced(source, published=shown, force=True)
    assert not forced.unchanged
    assert forced.tables[0].version_id != shown.version_id
    assert forced.tables[0].fingerprint == shown.fingerprint
    assert await stand.versions() == {shown.relation, forced.tables[0].relation}


async def test_a_renamed_source_has_not_changed(stand, ingest):
    source = await stand.source()
    shown = await stand.published(source)
    await stand.ask(UpdateSource(source_id=source.id, name="villagers"))
    assert (await stand.synced(source, published=shown)).unchanged


@pytest.mark.parametrize("change", ["another file", "read in another way"])
async def test_another_file_or_another_way_to_read_it_is_a_change(stand, ingest, change):
    source = await stand.source()
    shown = await stand.published(source)
    if change == "another file":
        config = CsvConfig(upload_id=(await stand.upload(MORE)).upload_id)
    else:
        config = source.config.model_copy(update={"types": "text"})
    await stand.ask(UpdateSource(source_id=source.id, config=config))
    outcome = await stand.synced(source, published=shown)
    assert not outcome.unchanged
    assert outcome.tables[0].fingerprint != shown.fingerprint


async def test_the_same_file_uploaded_again_has_not_changed(stand, ingest):
    source = await stand.source()
    shown = await stand.published(source)
    again = await stand.upload()
    await stand.ask(UpdateSource(source_id=source.id, config=CsvConfig(upload_id=again.upload_id)))
    assert (await stand.synced(source, published=shown)).unchanged


async def test_a_step_that_somebody_else_took_over_is_finished_by_them_alone(
    stand, run_ingest, transform
):
    async with run_ingest(), run_ingest():
        source = await stand.source()
        command = await stand.sync(source)
        slow = await eventually(only_worker)
        slow.suspend()
        # The command comes again, as it does to another replica when its holder falls silent.
        await stand.send(command)
        outcome = await stand.outcome(command)
        assert isinstance(outcome, SourceSynced)
        assert outcome.lease == 2
        with suppress(psutil.NoSuchProcess):  # its replica has heard that another one took over
            slow.resume()
        await stand.idle()
        assert stand.outcomes(command.step_id) == [outcome]
        assert await stand.versions() == {outcome.tables[0].relation}


async def test_several_sources_of_one_organisation_are_synced_at_once(stand, run_ingest, transform):
    async with run_ingest(max_syncs=3):
        upload = await stand.upload()
        sources = [await stand.ask(creation(upload, name)) for name in ("a", "b", "c")]
        outcomes = await asyncio.gather(*(stand.synced(source) for source in sources))
        assert {outcome.tables[0].rows for outcome in outcomes} == {2}
        assert len(await stand.versions()) == 3


async def test_a_sync_that_never_succeeds_is_given_up_and_kept_as_a_dead_letter(
    stand, run_ingest, transform
):
    async with run_ingest():
        source = await stand.source()
        (good,) = (await stand.synced(source)).tables
        await stand.idle()
    command = await stand.sync(source)
    # As if eleven replicas in a row had taken it and handed it back.
    await stand.hand_back(11)
    async with stand.held("_dlt_loads"), run_ingest():
        worker = await eventually(only_worker)
        worker.kill()
        outcome = await stand.outcome(command)
        await stand.idle()
    assert isinstance(outcome, SourceSyncFailed)
    assert outcome.problem.code == "sync_gave_up"
    assert "given up after 12 tries" in outcome.problem.detail
    (letter,) = await stand.fetch(
        "SELECT reason, deliveries FROM dead_letters WHERE convert_from(body, 'UTF8') LIKE $1",
        f"%{command.step_id}%",
    )
    assert letter["deliveries"] == 12
    assert letter["reason"] in outcome.problem.detail
    assert await stand.versions() == {good.relation}


async def test_a_command_for_no_organisation_is_given_up_at_once(stand, ingest):
    bus = await stand.as_("orchestrator")
    source = await stand.source()
    command = await stand.sync(source, run_id=new_id())
    await stand.outcome(command)
    lost = command.model_copy(update={"step_id": new_id()})
    await bus.send(lost, org_id=None)
    await stand.idle()
    (letter,) = await stand.fetch(
        "SELECT reason FROM dead_letters WHERE convert_from(body, 'UTF8') LIKE $1",
        f"%{lost.step_id}%",
    )
    assert "names no organisation" in letter["reason"]
