"""Changes of sources that wait for transform's answers: they hold no connection, and one goes at a time."""

import asyncio
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from chassis.testing import eventually
from contracts.envelope import Meta
from contracts.ingest import AddUpload, GetSource, Source, UpdateSource
from contracts.message import Done
from contracts.problem import ProblemError
from contracts.transform import DeclareTable, EnsureOrganization

if TYPE_CHECKING:
    from uuid import UUID

_POOL = 2


class Transform:
    """Reserves what it is asked for; while `is_slow` it answers nothing."""

    def __init__(self) -> None:
        self.names: dict[UUID, str] = {}
        self.asked = 0
        self.is_slow = False
        self.goes_on = asyncio.Event()

    async def ensure(self, _: EnsureOrganization, __: Meta) -> Done:
        return Done()

    async def declare(self, request: DeclareTable, _: Meta) -> Done:
        self.asked += 1
        if self.is_slow:
            await self.goes_on.wait()
        self.names[request.table_id] = request.display_name
        return Done()


@pytest_asyncio.fixture
async def transform(stand_in) -> Transform:
    transform = Transform()
    await stand_in(
        "transform", {EnsureOrganization: transform.ensure, DeclareTable: transform.declare}
    )
    return transform


@pytest_asyncio.fixture
async def stand(transform, stand, run_ingest):
    async with run_ingest(database_pool_size=_POOL) as service:
        stand.database = service.database
        yield stand


async def test_changes_that_wait_for_transform_hold_no_connections(transform, stand):
    sources = [await stand.source(name=f"people {n}") for n in range(_POOL + 2)]
    further = await stand.upload(b"id,name\n7,Meera\n")
    transform.is_slow, transform.asked = True, 0
    first, *others = sources
    changes = [
        asyncio.create_task(stand.ask(UpdateSource(source_id=source.id, name=f"{n} renamed")))
        for n, source in enumerate(others)
    ]
    adding = AddUpload(source_id=first.id, upload_id=further.upload_id)
    changes.append(asyncio.create_task(stand.ask(adding)))

    async def all_wait() -> bool:
        return transform.asked == len(changes)

    await eventually(all_wait)
    for source in sources:
        assert await stand.ask(GetSource(source_id=source.id), timeout=5) == source
    transform.goes_on.set()
    changed = await asyncio.gather(*changes)
    assert [source.revision for source in changed] == [2] * len(changed)


async def test_files_that_are_added_at_once_are_all_kept_one_after_the_other(transform, stand):
    source = await stand.source()
    files = [await stand.upload(f"id,name\n{n},Meera\n".encode()) for n in range(4)]
    added = await asyncio.gather(
        *(stand.ask(AddUpload(source_id=source.id, upload_id=file.upload_id)) for file in files)
    )
    assert sorted(each.revision for each in added) == [2, 3, 4, 5]


async def test_a_source_whose_changer_died_is_free_again_in_time(transform, stand):
    source = await stand.source()

    async def lease_until(until: str) -> None:
        async with stand.database.organization(stand.org_id) as connection:
            await connection.execute(
                "UPDATE sources SET changed_by = gen_random_uuid(), "
                f"changed_until = now() + interval '{until}' WHERE id = $1",
                source.id,
            )

    await lease_until("1 minute")
    with pytest.raises(ProblemError) as refused:
        await stand.ask(UpdateSource(source_id=source.id, name="villagers"))
    problem = refused.value.problem
    assert (problem.status, problem.code, problem.retry_after) == (503, "source_busy", 5)
    assert transform.names[source.id] == "people"

    await lease_until("-1 second")
    changed: Source = await stand.ask(UpdateSource(source_id=source.id, name="villagers"))
    assert (changed.name, transform.names[source.id]) == ("villagers", "villagers")
