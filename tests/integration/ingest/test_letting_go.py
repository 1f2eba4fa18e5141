"""An upload of which columns are masked or left out is deleted, once what was read is published."""

import pytest

from chassis.testing import eventually
from contracts.ingest import (
    AddUpload,
    ColumnOption,
    GetSource,
    RegisterUpload,
    SourceSyncFailed,
    UpdateSource,
)
from contracts.problem import ProblemError

from .stand import Stand, creation

MASKED = {"name": {"mask": "redact"}}


async def heard_publish(stand: Stand) -> None:
    """Wait until ingest has handled every event that it follows."""
    migrator = await stand.as_("migrator")

    async def handled() -> bool:
        state = await migrator.jetstream.consumer_info("EVT", "ingest_events")
        return state.num_pending == 0 and state.num_ack_pending == 0

    await eventually(handled, within=40)


async def test_the_file_goes_when_what_was_read_of_it_is_published(stand, ingest):
    source = await stand.ask(creation(await stand.upload(), columns=MASKED))
    upload_id = source.config.upload_id
    (unpublished,) = (await stand.synced(source)).tables
    assert await stand.stores(upload_id)
    version = await stand.published(source)
    await eventually(lambda: _is_gone(stand, upload_id))
    assert unpublished.fingerprint == version.fingerprint
    # Nothing of it is needed while it is read as before, even by another version of the connector.
    for published in (version, version.model_copy(update={"fingerprint": "of an older one"})):
        assert (await stand.synced(source, published=published)).unchanged
    forced = await stand.outcome(await stand.sync(source, published=version, force=True))
    assert isinstance(forced, SourceSyncFailed)
    assert forced.problem.code == "upload_gone"
    assert "Upload it again" in forced.problem.detail
    other_rules = source.config.model_copy(update={"columns": {}})
    with pytest.raises(ProblemError) as caught:
        await stand.ask(UpdateSource(source_id=source.id, config=other_rules))
    assert (caught.value.problem.status, caught.value.problem.code) == (422, "upload_gone")
    again = creation(await stand.upload(), columns=MASKED).config
    await stand.ask(UpdateSource(source_id=source.id, config=again))
    assert (await stand.ask(GetSource(source_id=source.id))).config == again
    assert (await stand.synced(source, published=version)).unchanged


async def test_a_file_of_which_everything_is_kept_stays(stand, ingest):
    source = await stand.ask(creation(await stand.upload(), columns={"name": {"type": "text"}}))
    await stand.published(source)
    await heard_publish(stand)
    assert await stand.stores(source.config.upload_id)


async def test_a_file_stays_while_another_source_needs_it(stand, ingest):
    upload = await stand.upload()
    first = await stand.ask(creation(upload, "first", columns=MASKED))
    second = await stand.ask(creation(upload, "second", columns={"age": {"skip": True}}))
    await stand.published(first)
    await heard_publish(stand)
    assert await stand.stores(upload.upload_id)
    await stand.published(second)
    await eventually(lambda: _is_gone(stand, upload.upload_id))


async def test_a_file_that_came_after_the_published_one_stays(stand, ingest):
    source = await stand.ask(creation(await stand.upload(), columns=MASKED))
    (version,) = (await stand.synced(source)).tables
    later = await stand.upload(b"name,age\nCleo,3\n")
    config = creation(later, columns=MASKED).config
    await stand.ask(UpdateSource(source_id=source.id, config=config))
    await stand.publish(version)
    await heard_publish(stand)
    assert await stand.stores(later.upload_id)


async def test_a_refused_further_file_of_a_masked_source_is_erased(stand, ingest):
    config = {"mode": "append", "columns": MASKED}
    source = await stand.ask(creation(await stand.upload(), **config))
    for content in (b"colour,size\nred,4\n", b"%PDF-1.7 names", b""):
        refused = await stand.upload(content, "secret.csv")
        with pytest.raises(ProblemError) as caught:
            await stand.ask(AddUpload(source_id=source.id, upload_id=refused.upload_id))
        assert caught.value.problem.status == 422
        assert "The file was deleted" in caught.value.problem.detail
        assert not await stand.stores(refused.upload_id)
        assert not await stand.fetch("SELECT FROM uploads WHERE id = $1", refused.upload_id)
    # The source is as it was, and takes the next.
    later = await stand.upload(b"name,age\nCleo,3\n")
    await stand.ask(AddUpload(source_id=source.id, upload_id=later.upload_id))
    assert await stand.stores(later.upload_id)
    assert await stand.stores(source.config.upload_id)


async def test_a_refused_further_file_stays_where_nothing_is_masked_or_another_source_has_it(
    stand, ingest
):
    refused = await stand.upload(b"colour,size\nred,4\n")
    plain = await stand.ask(creation(await stand.upload(), mode="append"))
    asked = AddUpload(source_id=plain.id, upload_id=refused.upload_id)
    with pytest.raises(ProblemError) as caught:
        await stand.ask(asked)
    assert "deleted" not in caught.value.problem.detail
    assert await stand.stores(refused.upload_id)

    await stand.ask(creation(refused, "colours"))
    masked = creation(await stand.upload(b"name,age\nDia,9\n"), "masked", mode="append")
    config = masked.config.model_copy(update={"columns": {"name": ColumnOption(mask="redact")}})
    source = await stand.ask(masked.model_copy(update={"config": config}))
    with pytest.raises(ProblemError):
        await stand.ask(AddUpload(source_id=source.id, upload_id=refused.upload_id))
    assert await stand.stores(refused.upload_id)


async def test_a_replaced_file_goes_too_once_its_source_is_masked(stand, ingest):
    source = await stand.source()
    former = source.config.upload_id
    shown = await stand.published(source)
    later = await stand.upload(b"name,age\nCleo,3\n")
    config = creation(later, columns=MASKED).config
    source = await stand.ask(UpdateSource(source_id=source.id, config=config))
    assert await stand.stores(former)
    await stand.published(source, published=shown)
    await eventually(lambda: _is_gone(stand, later.upload_id))
    await eventually(lambda: _is_gone(stand, former))


async def test_a_refused_file_of_a_source_that_would_be_masked_is_erased(stand, ingest):
    file = await stand.upload(b"")
    with pytest.raises(ProblemError) as caught:
        await stand.ask(creation(file, "empty", columns=MASKED))
    assert caught.value.problem.code == "empty_file"
    assert "upload it again" in caught.value.problem.detail
    assert not await stand.stores(file.upload_id)
    # Of what nothing is masked the file stays, for another try.
    file = await stand.upload(b"")
    with pytest.raises(ProblemError) as caught:
        await stand.ask(creation(file, "empty"))
    assert "upload it again" not in caught.value.problem.detail
    assert await stand.stores(file.upload_id)


async def test_a_refused_request_of_which_the_file_is_not_at_fault_keeps_it(stand, ingest):
    await stand.ask(creation(await stand.upload(), "taken"))
    file = await stand.upload()
    rules = {"nobody": {"mask": "redact"}}
    for name, columns, code in (
        ("taken", MASKED, "name_taken"),
        ("free", rules, "unknown_column"),
    ):
        with pytest.raises(ProblemError) as caught:
            await stand.ask(creation(file, name, columns=columns))
        assert caught.value.problem.code == code
        assert "upload it again" not in caught.value.problem.detail
    assert (await stand.ask(creation(file, "free", columns=MASKED))).name == "free"


async def test_a_refused_file_that_would_replace_a_masked_one_is_erased(stand, ingest):
    source = await stand.ask(creation(await stand.upload(), columns=MASKED))
    plain = await stand.ask(creation(await stand.upload(), "plain"))
    for changed, columns in ((source, {}), (source, MASKED), (plain, MASKED)):
        file = await stand.upload(b"")
        config = creation(file, columns=columns).config
        with pytest.raises(ProblemError) as caught:
            await stand.ask(UpdateSource(source_id=changed.id, config=config))
        assert "upload it again" in caught.value.problem.detail
        assert not await stand.stores(file.upload_id)
    # A file that the source has already is not its to lose.
    config = creation(await stand.upload(), columns={"nobody": {"mask": "redact"}}).config
    config = config.model_copy(update={"upload_id": source.config.upload_id})
    with pytest.raises(ProblemError):
        await stand.ask(UpdateSource(source_id=source.id, config=config))
    assert await stand.stores(source.config.upload_id)


async def test_an_upload_of_which_no_source_is_made_is_erased_in_time(stand, transform, run_ingest):
    async with run_ingest():
        unused, recent = await stand.upload(b"a\n1\n"), await stand.upload(b"b\n1\n")
        again = await stand.upload(b"c\n1\n")
        used = await stand.upload()
        source = await stand.ask(creation(used, mode="append"))
        further = await stand.upload(b"name,age\nCleo,3\n")
        await stand.ask(AddUpload(source_id=source.id, upload_id=further.upload_id))
        old = [one.upload_id for one in (unused, again, used, further)]
        query = "UPDATE uploads SET created_at = now() - interval '25 hours' WHERE id = ANY($1)"
        await stand.fetch(query, old)
        # Uploaded once more it is as new.
        given = again.model_dump(include=set(RegisterUpload.model_fields))
        await stand.ask(RegisterUpload.model_validate(given))
    async with run_ingest():
        await eventually(lambda: _is_gone(stand, unused.upload_id), within=30)
        query = "SELECT FROM uploads WHERE id = $1"
        # The row goes with the transaction, after the file.
        await eventually(lambda: _is_forgotten(stand, unused.upload_id))
        for upload in (recent, again, used, further):
            assert await stand.stores(upload.upload_id)
            assert await stand.fetch(query, upload.upload_id)


async def _is_gone(stand: Stand, upload_id) -> bool:
    return not await stand.stores(upload_id)


async def _is_forgotten(stand: Stand, upload_id) -> bool:
    return not await stand.fetch("SELECT FROM uploads WHERE id = $1", upload_id)
