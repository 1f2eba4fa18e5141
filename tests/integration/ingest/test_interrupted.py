"""Sources whose making or deleting was interrupted: the whole of it happens in the end, or none."""

import pytest

from chassis.crypto import Vault
from chassis.testing import eventually
from contracts.envelope import new_id
from contracts.ingest import DeleteSource, GetSource, ListSources, PlanSources, UpdateSource
from contracts.orchestrator import CreatePipeline
from contracts.problem import ProblemError
from contracts.transform import DeclareTable, EnsureOrganization, GetTable
from ingest.sealing import Sealing
from ingest.store import Store

from .stand import creation


def store_of(service) -> Store:
    """The store of a running service."""
    keys = service.settings.encryption_key.get_secret_value()
    return Store(service.database, Sealing(Vault(keys)), service.outbox)


@pytest.fixture
def is_gone(stand):
    """Asks whether neither ingest nor the catalogue knows a source any more."""

    async def ask(source_id) -> bool:
        requests = GetSource(source_id=source_id), GetTable(name=f"source_{source_id.hex}")
        for request in requests:
            try:
                await stand.ask(request)
                return False
            except ProblemError:
                continue
        left = "SELECT FROM sources WHERE id = $1"
        return not await stand.fetch(left, source_id)

    return ask


async def test_a_source_cannot_be_made_without_the_catalogue_and_then_it_can(
    stand, run_ingest, start_service, is_gone
):
    async with run_ingest(tidy_every=0.2):
        request = creation(await stand.upload())
        with pytest.raises(ProblemError) as caught:
            await stand.ask(request)
        assert caught.value.problem.status == 503
        assert "'transform' does not run" in caught.value.problem.detail
        assert (await stand.ask(ListSources())).sources == ()
        await start_service("transform")
        assert (await stand.ask(request)).status == "ready"


async def test_what_a_crash_left_half_made_is_taken_back(stand, transform, run_ingest, is_gone):
    async with run_ingest(tidy_every=0.2) as service:
        request = creation(await stand.upload())
        await stand.ask(EnsureOrganization())
        await store_of(service).begin(stand.org_id, request, (), ())
        await stand.ask(
            DeclareTable(
                table_id=request.source_id,
                table_kind="source",
                display_name=request.name,
                expected=(),
            )
        )
        assert (await stand.ask(ListSources())).sources == ()
        await stand.fetch(
            "UPDATE sources SET created_at = created_at - interval '1 hour' WHERE id = $1",
            request.source_id,
        )
        await eventually(lambda: is_gone(request.source_id))
        assert (await stand.source(name=request.name)).status == "ready"


async def test_a_repeat_finishes_what_a_crash_left_half_made(stand, transform, run_ingest):
    async with run_ingest() as service:
        request = creation(await stand.upload())
        await store_of(service).begin(stand.org_id, request, (), ())
        assert (await stand.ask(request)).status == "ready"


async def test_a_source_that_is_being_deleted_is_neither_changed_nor_run_and_then_gone(
    stand, transform, run_ingest, start_service, is_gone
):
    async with run_ingest(tidy_every=0.2):
        request = creation(await stand.upload())
        source = await stand.ask(request)
        # The orchestrator does not run, so nobody can say whether the source is in use.
        with pytest.raises(ProblemError) as caught:
            await stand.ask(DeleteSource(source_id=source.id))
        assert caught.value.problem.status == 503
        assert (await stand.ask(GetSource(source_id=source.id))).status == "deleting"
        for refused, status in (
            (UpdateSource(source_id=source.id, name="late"), 409),
            (request, 409),
            (PlanSources(source_ids=(source.id,)), 422),
        ):
            with pytest.raises(ProblemError) as caught:
                await stand.ask(refused)
            assert caught.value.problem.status == status
        await start_service("orchestrator")
        await eventually(lambda: is_gone(source.id))
        assert not await stand.stores(source.config.upload_id)


async def test_a_source_in_use_is_ready_again_when_its_deleting_was_interrupted(
    stand, transform, orchestrator, run_ingest
):
    async with run_ingest() as service:
        source = await stand.source()
        await stand.ask(
            CreatePipeline(
                pipeline_id=new_id(), name="nightly", source_ids=(source.id,), transformation_ids=()
            )
        )
        await store_of(service).set_status(stand.org_id, source.id, "deleting")

    async with run_ingest(tidy_every=0.2):

        async def is_ready() -> bool:
            return (await stand.ask(GetSource(source_id=source.id))).status == "ready"

        await eventually(is_ready)
