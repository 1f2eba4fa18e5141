"""Pipelines as they are kept."""

import pytest

from contracts.envelope import new_id
from contracts.orchestrator import (
    CreatePipeline,
    DeletePipeline,
    FindPipelineUsers,
    GetPipeline,
    ListPipelines,
    UpdatePipeline,
)
from contracts.problem import ProblemError
from contracts.shares import PIPELINES


@pytest.fixture
async def ask(start_service, silent):
    """Asks the orchestrator as its neighbours do."""
    await start_service("orchestrator")

    async def ask(request, org_id=None):
        # Who uses something is asked by those who keep it.
        asker = silent.ingest if isinstance(request, FindPipelineUsers) else silent.gateway
        return await asker.ask(request, org_id=org_id or silent.org_id, actor="tester")

    return ask


def creation(name: str, **changes: object) -> CreatePipeline:
    given = {"pipeline_id": new_id(), "name": name, "source_ids": (), "transformation_ids": ()}
    return CreatePipeline.model_validate(given | changes)


async def test_a_repeated_request_makes_one_pipeline(ask):
    request = creation("Nightly")
    assert await ask(request) == await ask(request)
    assert len((await ask(ListPipelines())).pipelines) == 1


async def test_a_repeat_that_says_something_else_is_refused(ask):
    request = creation("Nightly")
    await ask(request)
    with pytest.raises(ProblemError) as refused:
        await ask(request.model_copy(update={"name": "Weekly"}))
    assert refused.value.problem.status == 422
    assert refused.value.problem.code == "idempotency_mismatch"


async def test_a_name_is_taken_however_it_is_written(ask):
    await ask(creation("Nightly"))
    with pytest.raises(ProblemError) as refused:
        await ask(creation("NIGHTLY"))
    assert refused.value.problem.status == 409
    assert "Nightly".casefold() in refused.value.problem.detail.casefold()
    assert (await ask(creation("Nightly"), org_id=new_id())).name == "Nightly"


async def test_a_lost_update_is_refused(ask):
    pipeline = await ask(creation("Nightly"))
    change = UpdatePipeline(pipeline_id=pipeline.id, if_revision=pipeline.revision, name="Weekly")
    assert (await ask(change)).name == "Weekly"
    for late in (
        change,
        DeletePipeline(pipeline_id=pipeline.id, if_revision=pipeline.revision),
    ):
        with pytest.raises(ProblemError) as refused:
            await ask(late)
        assert refused.value.problem.status == 412
    assert (await ask(GetPipeline(pipeline_id=pipeline.id))).name == "Weekly"


async def test_a_deleted_pipeline_is_gone_and_its_name_free(ask):
    pipeline = await ask(creation("Nightly"))
    await ask(DeletePipeline(pipeline_id=pipeline.id))
    with pytest.raises(ProblemError) as refused:
        await ask(GetPipeline(pipeline_id=pipeline.id))
    assert refused.value.problem.status == 404
    await ask(creation("Nightly"))


async def test_who_uses_a_source_is_told_by_name(ask):
    source_id = new_id()
    await ask(creation("Nightly", source_ids=(source_id,)))
    await ask(creation("Weekly", transformation_ids=(source_id,)))
    await ask(creation("Other", source_ids=(new_id(),)))
    assert (await ask(FindPipelineUsers(target_id=source_id))).names == ("Nightly", "Weekly")
    assert (await ask(FindPipelineUsers(target_id=source_id), org_id=new_id())).names == ()


async def test_a_list_goes_on_where_a_page_ended(ask):
    for number in range(5):
        await ask(creation(f"Pipeline {number}"))
    names, cursor = [], None
    while True:
        page = await ask(ListPipelines(limit=2, cursor=cursor))
        names += [pipeline.name for pipeline in page.pipelines]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert names == [f"Pipeline {number}" for number in range(5)]


async def test_an_organisation_has_so_many_pipelines_and_no_more(ask, silent, start_service):
    first = creation("the first")
    await ask(first)
    replica = await start_service("orchestrator")
    async with replica.database.organization(silent.org_id) as connection:
        await connection.execute(
            "INSERT INTO pipelines (id, org_id, name, name_key, source_ids, transformation_ids,"
            " digest) SELECT gen_random_uuid(), $1, n, n, '{}', '{}', ''"
            " FROM generate_series(1, $2) AS number, LATERAL (SELECT number::text) AS named (n)",
            silent.org_id,
            PIPELINES.each - 1,
        )
    with pytest.raises(ProblemError) as refused:
        await ask(creation("one more"))
    problem = refused.value.problem
    assert (problem.status, problem.code) == (409, "too_many_pipelines")
    assert f"{PIPELINES.each:,}" in problem.detail
    assert "Delete one" in problem.detail
    assert (await ask(first)).name == "the first"
    await ask(creation("of another", pipeline_id=new_id()), org_id=new_id())
