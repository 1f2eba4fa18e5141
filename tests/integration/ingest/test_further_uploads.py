"""Further files of a source: the next version from the published one and what is new."""

from uuid import UUID

import pytest

from chassis.testing import eventually
from contracts.envelope import new_id
from contracts.ingest import (
    AddUpload,
    CsvConfig,
    DeleteSource,
    GetSource,
    Source,
    SourceSyncFailed,
    UpdateSource,
    Upload,
)
from contracts.problem import Problem, ProblemError
from contracts.transform import GetTable
from ingest.domain import rejects_key
from warehouse.names import live_name, live_schema

from .stand import Stand, creation, only_worker

pytestmark = pytest.mark.usefixtures("ingest")

SECOND = b"age,name\n45,Chidi\n18,Ben\n"


def first_file(source: Source) -> UUID:
    """The upload that a source's config names."""
    assert isinstance(source.config, CsvConfig)
    return source.config.upload_id


async def grown(stand: Stand, mode: str, key: tuple[str, ...] = ()) -> Source:
    """A source of PEOPLE with a mode."""
    return await stand.ask(creation(await stand.upload(), mode=mode, key=key))


async def add(stand: Stand, source: Source, content: bytes, name: str = "more.csv") -> Upload:
    """Give a source a further file."""
    upload = await stand.upload(content, name)
    await stand.ask(AddUpload(source_id=source.id, upload_id=upload.upload_id))
    return upload


async def refused(stand: Stand, request) -> Problem:
    """The problem with which a request is answered."""
    with pytest.raises(ProblemError) as caught:
        await stand.ask(request)
    return caught.value.problem


async def loads(stand: Stand, relation: str) -> int:
    """How many loads a version's rows came in."""
    schema = f"org_{stand.org_id.hex}_data"
    (row,) = await stand.fetch(f"SELECT count(DISTINCT _dlt_load_id) FROM {schema}.{relation}")
    return row[0]


async def test_a_further_file_adds_its_rows_to_what_is_published(stand):
    source = await grown(stand, "append")
    shown = await stand.published(source)
    assert (await stand.synced(source, published=shown)).unchanged
    upload = await add(stand, source, SECOND)
    again = AddUpload(source_id=source.id, upload_id=upload.upload_id)
    assert (await stand.ask(again)).revision == 2

    outcome = await stand.synced(source, published=shown)
    (version,) = outcome.tables
    assert (version.rows, outcome.warnings) == (4, ())
    assert [(column.name, column.type) for column in version.columns] == [
        ("name", "text"),
        ("age", "integer"),
    ]
    assert await stand.live(source) == [("Asha", 31), ("Ben", 17)]
    assert await stand.versions() == {shown.relation, version.relation}
    await stand.publish(version)
    assert await stand.live(source) == [("Asha", 31), ("Ben", 17), ("Ben", 18), ("Chidi", 45)]
    assert await loads(stand, version.relation) == 2
    assert (await stand.synced(source, published=version)).unchanged

    # The first file's rows were not read again; forced, all files are.
    await stand.lose(first_file(source))
    await add(stand, source, b"name,age\nDivya,50\n")
    (third,) = (await stand.synced(source, published=version)).tables
    assert third.rows == 5
    failed = await stand.outcome(await stand.sync(source, published=version, force=True))
    assert isinstance(failed, SourceSyncFailed)
    assert failed.problem.code == "upload_gone"


async def test_of_a_key_the_last_row_counts_in_one_file_and_over_all(stand):
    source = await grown(stand, "upsert", ("name",))
    await add(stand, source, SECOND + b"19,Ben\n")
    shown = await stand.published(source)
    assert await stand.live(source) == [("Asha", 31), ("Ben", 19), ("Chidi", 45)]
    await add(stand, source, b"name,age,village\nAsha,32,Kibera\n,9,Lari\n")
    outcome = await stand.synced(source, published=shown)
    assert [one.code for one in outcome.warnings] == ["key_empty", "schema_changed"]
    await stand.publish(*outcome.tables)
    view = f"{live_schema(stand.org_id)}.{live_name('source', source.id)}"
    rows = await stand.fetch(f"SELECT name, age, village FROM {view} ORDER BY name")
    assert [tuple(row) for row in rows] == [
        ("Asha", 32, "Kibera"),
        ("Ben", 19, None),
        ("Chidi", 45, None),
        (None, 9, "Lari"),
    ]

    # All files from the first give the same table.
    (forced,) = (await stand.synced(source, published=outcome.tables[0], force=True)).tables
    assert (forced.rows, forced.fingerprint) == (4, outcome.tables[0].fingerprint)


async def test_a_sync_that_breaks_or_is_called_off_changes_nothing_and_the_next_goes_on(stand):
    source = await grown(stand, "upsert", ("name",))
    shown = await stand.published(source)
    bad, good = (
        await add(stand, source, SECOND, "bad.csv"),
        await add(stand, source, b"name\nEve\n"),
    )
    await stand.store(bad.upload_id, b"\x89PNG\r\n\x1a\n" + b"\0" * 64)
    failed = await stand.outcome(await stand.sync(source, published=shown))
    assert isinstance(failed, SourceSyncFailed)
    await stand.idle()
    assert await stand.versions() == {shown.relation}

    await stand.store(bad.upload_id, SECOND)
    async with stand.stopped(source, "copied", published=shown) as (command, _):
        await stand.cancel(command.run_id)
        await stand.idle()
    assert await stand.versions() == {shown.relation}

    async with stand.stopped(source, "copied", published=shown) as (command, worker):
        worker.kill()
        await eventually(only_worker_is_not(worker))
    outcome = await stand.outcome(command)
    assert not isinstance(outcome, SourceSyncFailed)
    assert outcome.tables[0].rows == 4
    await stand.idle()
    assert await stand.live(source) == [("Asha", 31), ("Ben", 17)]
    assert await stand.versions() == {shown.relation, outcome.tables[0].relation}
    assert await stand.stores(good.upload_id)


def only_worker_is_not(worker):
    """Asks whether another worker has taken over, or none is left."""

    async def ask() -> bool:
        return await only_worker() != worker

    return ask


async def test_a_file_that_replaces_another_keeps_it_until_the_version_before_is_its(stand):
    source = await stand.source()
    files = [first_file(source)]
    shown = await stand.published(source)
    for name in (b"Chidi", b"Divya", b"Eve"):
        upload = await add(stand, source, b"name,age\n" + name + b",1\n")
        files.append(upload.upload_id)
        kept = await stand.ask(GetSource(source_id=source.id))
        assert first_file(kept) == upload.upload_id
        if name == b"Divya":
            continue  # Replaced before it was ever loaded.
        (shown,) = (await stand.synced(source, published=shown)).tables
        assert [await stand.stores(one) for one in files[:2]] == [True, True]
        await stand.publish(shown)
        assert await stand.live(source) == [(name.decode(), 1)]
    assert (await stand.synced(source, published=shown)).unchanged
    assert [await stand.stores(one) for one in files] == [False, True, False, True]


async def test_the_files_of_a_deleted_source_go_unless_another_reads_them(stand, orchestrator):
    source = await grown(stand, "append")
    added, shared = await add(stand, source, SECOND), await add(stand, source, SECOND)
    other = await stand.ask(creation(shared, "other"))
    await stand.ask(DeleteSource(source_id=source.id))
    stored = [await stand.stores(one) for one in (first_file(source), added.upload_id)]
    assert stored == [False, False]
    assert await stand.stores(shared.upload_id)
    left = await stand.fetch("SELECT upload_id FROM source_uploads WHERE source_id = $1", source.id)
    assert left == []
    await stand.ask(DeleteSource(source_id=other.id))
    assert not await stand.stores(shared.upload_id)


async def test_another_file_in_the_config_begins_the_list_anew(stand):
    source = await grown(stand, "append")
    await add(stand, source, SECOND)
    config = source.config.model_copy(update={"upload_id": (await stand.upload()).upload_id})
    await stand.ask(UpdateSource(source_id=source.id, config=config))
    assert (await stand.synced(source)).tables[0].rows == 2


async def test_the_columns_of_all_files_are_expected_and_what_is_set_aside_is_kept(stand):
    source = await grown(stand, "append")
    rows = b"name,village,age\n" + b"Chidi,Kibera,4.5\n" * 20
    await add(stand, source, rows + b"a,b,1,2\n", "one.csv")
    await add(stand, source, rows + b"c,d,3,4\n", "two.csv")
    table = await stand.ask(GetTable(name=str(source.table_id)))
    assert [(column.name, column.type) for column in table.columns] == [
        ("name", "text"),
        ("age", "decimal"),
        ("village", "text"),
    ]
    outcome = await stand.synced(source)
    assert outcome.tables[0].rows == 42
    told = [warning.message for warning in outcome.warnings if warning.code == "rows_rejected"]
    assert [message.partition(":")[0] for message in told] == ["one.csv", "two.csv"]
    async with stand.objects.local(rejects_key(stand.org_id, source.id)) as path:
        assert path.read_text().splitlines()[0] == "file,line,reason,text"
        assert [line.partition(",")[0] for line in path.read_text().splitlines()[1:]] == [
            "one.csv",
            "two.csv",
        ]


async def test_a_file_that_does_not_fit_is_refused_and_not_kept(stand):
    source = await grown(stand, "append")
    upload = await stand.upload(b"village,wells\nKibera,3\n")
    problem = await refused(stand, AddUpload(source_id=source.id, upload_id=upload.upload_id))
    assert (problem.status, problem.code) == (422, "other_columns")
    assert "'village', 'wells'" in problem.detail
    assert await stand.ask(GetSource(source_id=source.id)) == source
    held = "SELECT FROM source_uploads WHERE source_id = $1"
    assert await stand.fetch(held, source.id) == []


async def test_an_upsert_without_a_key_is_refused(stand):
    problem = await refused(stand, creation(await stand.upload(), mode="upsert"))
    assert (problem.status, problem.code) == (422, "key_missing")
    assert "'name', 'age'" in problem.detail


async def test_what_is_not_there_is_not_found(stand, other):
    upload, theirs = await stand.upload(), await other.source()
    for request in (
        AddUpload(source_id=new_id(), upload_id=upload.upload_id),
        AddUpload(source_id=theirs.id, upload_id=upload.upload_id),
    ):
        assert (await refused(stand, request)).status == 404
    own, foreign = await stand.source(), await other.upload()
    request = AddUpload(source_id=own.id, upload_id=foreign.upload_id)
    assert (await refused(stand, request)).status == 404
