"""Sources over the bus: made once or not at all, renamed with their table, gone with it."""

import asyncio
import gzip
import io

import openpyxl
import pytest

from contracts.envelope import new_id
from contracts.ingest import (
    CreateSource,
    CsvConfig,
    DeleteSource,
    GetSource,
    ListSources,
    PlanSources,
    PreviewSource,
    RegisterUpload,
    Source,
    UpdateSource,
)
from contracts.orchestrator import CreatePipeline
from contracts.problem import Problem, ProblemError
from contracts.transform import CreateTransformation, ListTables, WarehouseTable

from .stand import Stand, creation

pytestmark = pytest.mark.usefixtures("ingest")


async def refused(stand: Stand, request) -> Problem:
    """The problem with which a request is answered."""
    with pytest.raises(ProblemError) as caught:
        await stand.ask(request)
    return caught.value.problem


async def catalogue(stand: Stand, table: str) -> WarehouseTable | None:
    """A table of the catalogue, by its display name or its physical one."""
    tables = (await stand.ask(ListTables(limit=100))).tables
    found = [one for one in tables if table in (one.name, one.physical_name)]
    return found[0] if found else None


async def test_a_new_source_is_in_the_catalogue_with_the_columns_of_its_file(stand):
    source = await stand.source(name="  People of the valley ")
    assert source.name == "People of the valley"
    assert (source.status, source.revision, source.last_synced_at) == ("ready", 1, None)
    table = await catalogue(stand, "People of the valley")
    assert table is not None
    assert table.table_id == source.table_id == source.id
    assert table.name == source.name
    assert [(column.name, column.type) for column in table.columns] == [
        ("name", "text"),
        ("age", "integer"),
    ]
    assert table.row_count is None
    assert await stand.ask(GetSource(source_id=source.id)) == source
    listed = await stand.ask(ListSources())
    assert listed.sources == (source,)


async def test_what_a_person_should_know_of_the_file_is_kept_with_the_source(stand):
    source = await stand.source(b"a,b\n")
    assert [notice.code for notice in source.warnings] == ["no_rows"]


async def test_a_source_that_is_asked_for_again_is_the_same_source(stand):
    request = creation(await stand.upload())
    first = await stand.ask(request)
    assert await stand.ask(request) == first


async def test_a_source_that_is_asked_for_twice_at_once_is_made_once(stand):
    request = creation(await stand.upload())
    first, second = await asyncio.gather(stand.ask(request), stand.ask(request))
    assert first == second
    assert len((await stand.ask(ListSources())).sources) == 1


async def test_a_repeat_after_a_rename_gives_the_source_as_it_is_now(stand):
    request = creation(await stand.upload())
    await stand.ask(request)
    renamed = await stand.ask(UpdateSource(source_id=request.source_id, name="villagers"))
    assert await stand.ask(request) == renamed
    table = await catalogue(stand, "villagers")
    assert table is not None
    assert table.table_id == request.source_id


async def test_an_id_that_was_used_for_another_source_changes_nothing(stand):
    upload = await stand.upload()
    request = creation(upload)
    source = await stand.ask(request)
    other = request.model_copy(update={"name": "other"})
    problem = await refused(stand, other)
    assert (problem.status, problem.code) == (422, "idempotency_mismatch")
    assert "new key" in problem.detail
    assert await catalogue(stand, "other") is None
    assert await catalogue(stand, "people") is not None
    assert await stand.ask(GetSource(source_id=source.id)) == source


async def test_an_unknown_upload_is_named(stand):
    request = CreateSource(
        source_id=new_id(),
        name="people",
        source_type="csv",
        config=CsvConfig(upload_id=(upload_id := new_id())),
    )
    problem = await refused(stand, request)
    assert problem.status == 404
    assert f"upload {upload_id}" in problem.detail


async def test_an_upload_of_another_organisation_is_not_there(stand, other):
    upload = await other.upload()
    theirs = await refused(stand, creation(upload))
    unknown = await refused(stand, creation(upload.model_copy(update={"upload_id": new_id()})))
    assert (theirs.status, theirs.code) == (unknown.status, unknown.code) == (404, "not_found")
    seen = await refused(
        stand, PreviewSource(source_type="csv", config=CsvConfig(upload_id=upload.upload_id))
    )
    assert seen.status == 404
    problem = await refused(stand, RegisterUpload(**upload.model_dump()))
    assert problem.status == 404


async def test_a_source_of_another_organisation_is_not_there(stand, other):
    source = await other.source()
    for request in (
        GetSource(source_id=source.id),
        UpdateSource(source_id=source.id, name="mine"),
        DeleteSource(source_id=source.id),
    ):
        assert (await refused(stand, request)).status == 404
    planned = await refused(stand, PlanSources(source_ids=(source.id,)))
    assert (planned.status, planned.code) == (422, "unknown_source")
    again = creation(await stand.upload(), "mine").model_copy(update={"source_id": source.id})
    assert (await refused(stand, again)).status == 404
    assert await catalogue(stand, "mine") is None
    assert await other.ask(GetSource(source_id=source.id)) == source


async def test_a_taken_name_is_refused_with_a_free_one_and_leaves_nothing(stand):
    await stand.source(name="People")
    request = creation(await stand.upload(), "PEOPLE")
    problem = await refused(stand, request)
    assert (problem.status, problem.code) == (409, "name_taken")
    assert problem.errors[0].alternatives == ("PEOPLE_2",)
    assert "'PEOPLE_2' is free" in problem.detail
    assert (await refused(stand, GetSource(source_id=request.source_id))).status == 404
    free = request.model_copy(update={"name": "PEOPLE_2"})
    assert (await stand.ask(free)).name == "PEOPLE_2"


@pytest.mark.parametrize("name", ["", "  ", "two\nlines", "x" * 201])
async def test_a_name_that_nobody_could_read_is_refused(stand, name):
    problem = await refused(stand, creation(await stand.upload(), name))
    assert (problem.status, problem.code) == (422, "bad_name")
    assert problem.errors[0].field == "name"
    assert (await stand.ask(ListSources())).sources == ()


@pytest.mark.parametrize(
    ("content", "config", "code", "way_out"),
    [
        (b"", {}, "empty_file", "Upload a file with a header"),
        (b" \n\n ", {}, "empty_file", "Upload one with a header"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 64, {}, "not_csv", "not a CSV file"),
        (b"PK\x03\x04" + b"\0" * 64, {}, "damaged_archive", "damaged or cut off"),
        (
            "name\nJosé\n".encode("cp1252"),
            {"encoding": "utf-8"},
            "broken_encoding",
            "Save it again as CSV UTF-8",
        ),
        (b"a,b\n1,2\n", {"encoding": "klingon"}, "unknown_encoding", "for example utf-8"),
        (b"a,b\n1,2\n1,2,3\n", {}, "bad_rows", "line 3"),
        (b"a,b\nx,2\n", {"columns": {"a": {"type": "integer"}}}, "wrong_type", "another type"),
        (b"a,b\n1,2\n", {"header_row": 9}, "no_header", "choose the header's row"),
    ],
)
async def test_a_file_that_cannot_be_read_says_what_to_do_and_leaves_nothing(
    stand, content, config, code, way_out
):
    upload = await stand.upload(content)
    problem = await refused(stand, creation(upload, **config))
    assert (problem.status, problem.code) == (422, code)
    assert way_out in problem.detail
    assert (await stand.ask(ListSources())).sources == ()
    assert await catalogue(stand, "people") is None


async def test_a_file_that_is_gone_says_to_upload_it_again(stand):
    upload = await stand.upload()
    await stand.lose(upload.upload_id)
    problem = await refused(stand, creation(upload))
    assert (problem.status, problem.code) == (422, "upload_gone")
    assert "people.csv" in problem.detail
    assert "Upload it again" in problem.detail


async def test_an_upload_that_was_never_used_stays_usable(stand):
    upload = await stand.upload()
    assert await stand.ask(RegisterUpload(**upload.model_dump())) == upload
    assert (await stand.ask(ListSources())).sources == ()
    seen = await stand.ask(
        PreviewSource(source_type="csv", config=CsvConfig(upload_id=upload.upload_id), limit=1)
    )
    assert seen.rows == ({"name": "Asha", "age": 31},)
    assert (await stand.ask(creation(upload))).config.upload_id == upload.upload_id


async def test_a_workbook_is_seen_before_it_is_saved_and_loaded_only_once(stand):
    book = openpyxl.Workbook()
    book.worksheets[0].append(["unused"])
    sheet = book.create_sheet("People")
    for row in (["List of 2024"], [], ["name", "age"], ["Asha", 31], ["Ben", 17]):
        sheet.append(row)
    content = io.BytesIO()
    book.save(content)
    upload = await stand.upload(gzip.compress(content.getvalue()), "anything.txt")
    config = CsvConfig(upload_id=upload.upload_id, sheet="People")
    seen = await stand.ask(PreviewSource(source_type="csv", config=config))
    assert seen.rows == ({"name": "Asha", "age": 31}, {"name": "Ben", "age": 17})
    assert (seen.compression, seen.sheet, seen.sheets) == ("gzip", "People", ("Sheet", "People"))
    assert (seen.header_row, seen.delimiter, seen.quote, seen.escape) == (2, "", "", "")
    assert {warning.code for warning in seen.warnings} == {"sheet_chosen", "lines_before_header"}
    source = await stand.ask(creation(upload, sheet="People"))
    version = await stand.published(source)
    assert await stand.live(source) == [("Asha", 31), ("Ben", 17)]
    assert (await stand.synced(source, published=version)).unchanged


async def test_two_sources_may_read_one_file_in_two_ways(stand):
    upload = await stand.upload()
    await stand.ask(creation(upload, "one"))
    second = await stand.ask(creation(upload, "two", types="text"))
    table = await catalogue(stand, "two")
    assert table is not None
    assert [column.type for column in table.columns] == ["text", "text"]
    assert second.config.types == "text"


async def test_a_rename_reaches_the_catalogue_and_frees_the_old_name(stand):
    source = await stand.source()
    renamed = await stand.ask(UpdateSource(source_id=source.id, name=" villagers ", if_revision=1))
    assert (renamed.name, renamed.revision) == ("villagers", 2)
    table = await catalogue(stand, "villagers")
    assert table is not None
    assert (table.table_id, table.name) == (source.id, "villagers")
    assert [column.name for column in table.columns] == ["name", "age"]
    assert await catalogue(stand, "people") is None


async def test_a_rename_does_not_need_the_file(stand):
    source = await stand.source(b"a\n1\n")
    await stand.lose(source.config.upload_id)
    renamed = await stand.ask(UpdateSource(source_id=source.id, name="villagers"))
    assert (renamed.name, renamed.warnings) == ("villagers", source.warnings)


async def test_a_rename_to_a_taken_name_changes_nothing(stand):
    await stand.source(name="taken")
    source = await stand.source()
    problem = await refused(stand, UpdateSource(source_id=source.id, name="Taken"))
    assert (problem.status, problem.code) == (409, "name_taken")
    assert await stand.ask(GetSource(source_id=source.id)) == source
    table = await catalogue(stand, "people")
    assert table is not None
    assert table.table_id == source.id


async def test_an_outdated_revision_changes_nothing(stand):
    source = await stand.source()
    await stand.ask(UpdateSource(source_id=source.id, name="villagers", if_revision=1))
    for request in (
        UpdateSource(source_id=source.id, name="late", if_revision=1),
        DeleteSource(source_id=source.id, if_revision=1),
    ):
        problem = await refused(stand, request)
        assert (problem.status, problem.code) == (412, "changed_meanwhile")
        assert "Load it again" in problem.detail
    assert await catalogue(stand, "late") is None
    assert await catalogue(stand, "villagers") is not None


async def test_of_two_renames_at_once_one_wins_in_both_places(stand):
    source = await stand.source()
    answers = await asyncio.gather(
        *(
            stand.ask(UpdateSource(source_id=source.id, name=name, if_revision=1))
            for name in ("left", "right", "middle")
        ),
        return_exceptions=True,
    )
    (won,) = [answer for answer in answers if isinstance(answer, Source)]
    lost = [answer for answer in answers if isinstance(answer, ProblemError)]
    assert [error.problem.status for error in lost] == [412, 412]
    table = await catalogue(stand, f"source_{source.id.hex}")
    assert table is not None
    assert table.name == won.name == (await stand.ask(GetSource(source_id=source.id))).name


async def test_another_file_gives_other_expected_columns(stand):
    source = await stand.source()
    upload = await stand.upload(b"village;wells\nKibera;3\n")
    config = CsvConfig(upload_id=upload.upload_id)
    updated = await stand.ask(UpdateSource(source_id=source.id, config=config))
    assert (updated.config, updated.revision, updated.name) == (config, 2, "people")
    table = await catalogue(stand, "people")
    assert table is not None
    assert [column.name for column in table.columns] == ["village", "wells"]


async def test_a_config_that_does_not_fit_the_file_changes_nothing(stand):
    source = await stand.source()
    upload = await stand.upload(b"\x89PNG\r\n\x1a\n" + b"\0" * 64)
    problem = await refused(
        stand,
        UpdateSource(
            source_id=source.id, name="late", config=CsvConfig(upload_id=upload.upload_id)
        ),
    )
    assert (problem.status, problem.code) == (422, "not_csv")
    assert await stand.ask(GetSource(source_id=source.id)) == source
    assert await catalogue(stand, "late") is None


async def test_an_unused_source_is_deleted_with_its_table_its_data_and_its_file(
    stand, orchestrator
):
    source = await stand.source()
    await stand.published(source)
    assert len(await stand.versions()) == 1
    await stand.ask(DeleteSource(source_id=source.id, if_revision=1))
    for request in (GetSource(source_id=source.id), DeleteSource(source_id=source.id)):
        assert (await refused(stand, request)).status == 404
    assert await catalogue(stand, f"source_{source.id.hex}") is None
    assert await stand.versions() == set()
    assert not await stand.stores(source.config.upload_id)
    again = await stand.source()
    assert again.id != source.id


async def test_a_file_that_another_source_reads_is_kept(stand, orchestrator):
    upload = await stand.upload()
    first = await stand.ask(creation(upload, "one"))
    second = await stand.ask(creation(upload, "two"))
    await stand.ask(DeleteSource(source_id=first.id))
    assert await stand.stores(upload.upload_id)
    await stand.synced(second)


async def test_a_source_that_a_pipeline_runs_is_kept_and_the_pipeline_named(stand, orchestrator):
    source = await stand.source()
    await stand.ask(
        CreatePipeline(
            pipeline_id=new_id(), name="nightly", source_ids=(source.id,), transformation_ids=()
        )
    )
    problem = await refused(stand, DeleteSource(source_id=source.id))
    assert (problem.status, problem.code) == (409, "in_use")
    assert "'nightly'" in problem.detail
    assert await stand.ask(GetSource(source_id=source.id)) == source
    planned = await stand.ask(PlanSources(source_ids=(source.id,)))
    assert [one.name for one in planned.sources] == ["people"]


async def test_a_source_that_a_recipe_reads_is_kept_and_the_recipe_named(stand, orchestrator):
    source = await stand.source()
    await stand.ask(
        CreateTransformation(
            transformation_id=new_id(),
            name="adults",
            recipe={"steps": [{"type": "source", "table": "people"}]},
        )
    )
    problem = await refused(stand, DeleteSource(source_id=source.id))
    assert (problem.status, problem.code) == (409, "in_use")
    assert "'adults'" in problem.detail
    assert await stand.ask(GetSource(source_id=source.id)) == source
    assert await catalogue(stand, "people") is not None


async def test_sources_are_listed_by_name_a_page_at_a_time(stand):
    upload = await stand.upload()
    for name in ("beta", "Alpha", "gamma"):
        await stand.ask(creation(upload, name))
    first = await stand.ask(ListSources(limit=2))
    second = await stand.ask(ListSources(limit=2, cursor=first.next_cursor))
    assert [source.name for source in first.sources] == ["Alpha", "beta"]
    assert [source.name for source in second.sources] == ["gamma"]
    assert second.next_cursor is None
