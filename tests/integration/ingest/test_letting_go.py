"""An upload of which columns are masked or left out is deleted, once what was read is published."""

import pytest

from chassis.testing import eventually
from contracts.ingest import GetSource, SourceSyncFailed, UpdateSource
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


async def _is_gone(stand: Stand, upload_id) -> bool:
    return not await stand.stores(upload_id)
