"""What was written and never published goes, unless a run may still want it."""

from datetime import UTC, datetime, timedelta

import pytest

from chassis.testing import eventually
from contracts.envelope import new_id
from contracts.orchestrator import CancelRun, GetRun, StartRun, Trigger
from transform.sweeping import Sweeper
from warehouse.names import data_schema, first_relation_of, version_relation

ONE = "SELECT 1 AS a"


@pytest.fixture
def held(column_factory):
    return column_factory(a="integer")


@pytest.fixture
async def make_sweeper(transform, start_service, connect_bus):
    """Makes sweepers that leave alone what is younger than some seconds."""
    await start_service("orchestrator")
    bus = await connect_bus("transform")

    def make(grace: float) -> Sweeper:
        return Sweeper(transform.database, bus, every=60, grace=grace)

    return make


@pytest.fixture
def sweeper(make_sweeper) -> Sweeper:
    return make_sweeper(0)


async def written(stand) -> set[str]:
    connection = await stand.connection("transform")
    rows = await connection.fetch(
        "SELECT tablename::text FROM pg_tables WHERE schemaname = $1", data_schema(stand.org_id)
    )
    await connection.close()
    return {row["tablename"] for row in rows}


async def start(stand):
    """A run that waits for ever: nobody answers for its source."""
    gateway = await stand.as_("gateway")
    command = StartRun(
        run_id=new_id(),
        run_kind="sync",
        pipeline_id=None,
        source_ids=(new_id(),),
        transformation_ids=(),
        trigger=Trigger(type="manual", actor="tester"),
    )
    await gateway.send(command, org_id=stand.org_id)

    async def status() -> str | None:
        try:
            run = await gateway.ask(GetRun(run_id=command.run_id), org_id=stand.org_id)
        except Exception:  # not there yet
            return None
        return run.status

    assert await eventually(status) == "queued"

    async def end() -> None:
        await gateway.send(CancelRun(run_id=command.run_id), org_id=stand.org_id)

        async def has_ended() -> bool:
            return await status() == "cancelled"

        await eventually(has_ended)

    return end


async def test_what_nobody_published_goes_and_what_is_in_the_catalogue_stays(stand, held, sweeper):
    old = await stand.source("t", ONE, held)
    new = await stand.load(old.table_id, ONE, held)
    await stand.publish(new)
    left = await stand.load(old.table_id, ONE, held)
    assert left.relation in await written(stand)
    assert await sweeper.sweep(stand.org_id) == 1
    assert await written(stand) == {old.relation, new.relation}
    assert await sweeper.sweep(stand.org_id) == 0


async def test_what_an_open_run_may_have_written_stays_until_it_has_ended(stand, held, sweeper):
    table_id = await stand.declare("t", held)
    before = await stand.load(table_id, ONE, held)
    end = await start(stand)
    since = await stand.load(table_id, ONE, held)
    assert await sweeper.sweep(stand.org_id) == 1
    assert await written(stand) == {since.relation}
    assert before.relation < since.relation
    await end()
    assert await sweeper.sweep(stand.org_id) == 1
    assert await written(stand) == set()


async def test_what_is_young_is_left_alone(stand, held, make_sweeper):
    await stand.load(await stand.declare("t", held), ONE, held)
    assert await make_sweeper(60).sweep(stand.org_id) == 0


def test_names_of_versions_tell_when_they_were_begun():
    now = datetime.now(UTC)
    relation = version_relation(new_id())
    assert first_relation_of(now - timedelta(seconds=1)) < relation
    assert relation < first_relation_of(now + timedelta(minutes=1))
