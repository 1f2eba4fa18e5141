"""How much an organisation may have in ingest: past a cap the answer names it and the way out."""

import asyncio

import pytest

from chassis.testing import eventually
from contracts.envelope import new_id
from contracts.ingest import ColumnOption, DeleteSource, RegisterUpload
from contracts.problem import Problem, ProblemError
from contracts.shares import SOURCES, UPLOADS

from .stand import PEOPLE, Stand, creation


async def refused(stand: Stand, request) -> Problem:
    with pytest.raises(ProblemError) as caught:
        await stand.ask(request)
    return caught.value.problem


def upload(size: int) -> RegisterUpload:
    return RegisterUpload(
        upload_id=new_id(), filename="people.csv", size_bytes=size, sha256="0" * 64
    )


async def test_an_organisation_has_so_many_sources_and_no_more(stand, other, ingest, start_service):
    await start_service("orchestrator")
    file = await stand.upload()
    made = await stand.ask(creation(file, "the first"))
    async with ingest.database.organization(stand.org_id) as connection:
        await connection.execute(
            "INSERT INTO sources (id, org_id, name, name_key, source_type, config, digest, warnings)"
            " SELECT gen_random_uuid(), $1, n, n, 'csv', '{}', n, '[]'"
            " FROM generate_series(1, $2) AS number, LATERAL (SELECT number::text) AS named (n)",
            stand.org_id,
            SOURCES.each - 2,
        )
    last = [creation(file, name) for name in ("one", "another")]
    answers = await asyncio.gather(*map(stand.ask, last), return_exceptions=True)
    (problem,) = (found.problem for found in answers if isinstance(found, ProblemError))
    assert (problem.status, problem.code) == (409, "too_many_sources")
    assert f"{SOURCES.each:,}" in problem.detail
    assert "Delete one" in problem.detail
    await other.source()
    await stand.ask(DeleteSource(source_id=made.id))
    await stand.ask(creation(file, "the next"))


async def test_the_files_of_an_organisation_take_so_many_bytes(stand, other, run_ingest):
    async with run_ingest(upload_budget_bytes=1000):
        first = upload(600)
        await stand.ask(first)
        both = await asyncio.gather(
            stand.ask(upload(300)), stand.ask(upload(300)), return_exceptions=True
        )
        (problem,) = (found.problem for found in both if isinstance(found, ProblemError))
        assert (problem.status, problem.code) == (409, "upload_space_full")
        assert "100 are left" in problem.detail
        assert "Delete sources" in problem.detail
        # A repeat is no further file.
        await stand.ask(first)
        await stand.ask(upload(100))
        await other.ask(upload(1000))


async def test_a_file_that_was_let_go_takes_no_space(stand, transform, run_ingest):
    async with run_ingest(upload_budget_bytes=len(PEOPLE) * 3 // 2):
        columns = {"name": ColumnOption(mask="redact")}
        source = await stand.ask(creation(await stand.upload(), columns=columns))
        assert (await refused(stand, upload(len(PEOPLE)))).code == "upload_space_full"
        await stand.published(source)
        await eventually(lambda: _has_space(stand))


async def _has_space(stand: Stand) -> bool:
    try:
        await stand.ask(upload(len(PEOPLE)))
    except ProblemError:
        return False
    return True


async def test_files_are_counted_too(stand, ingest):
    async with ingest.database.organization(stand.org_id) as connection:
        await connection.execute(
            "INSERT INTO uploads (id, org_id, filename, size_bytes, sha256)"
            " SELECT gen_random_uuid(), $1, 'x', 0, '' FROM generate_series(1, $2)",
            stand.org_id,
            UPLOADS.each,
        )
    assert (await refused(stand, upload(0))).code == "too_many_uploads"
