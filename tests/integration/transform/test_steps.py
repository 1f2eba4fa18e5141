"""A step of a run: claimed by leases, finished once, stopped when the run is called off."""

import asyncio

import asyncpg
import pytest
from pydantic import SecretStr

from chassis.testing import eventually
from contracts.envelope import new_id
from contracts.transform import BuildTransformation, TransformationBuilt, TransformationFailed
from transform.build import Builder, Claimed, Overtaken
from transform.column_names import ColumnNames
from transform.compiler import Compiler, compile_workers
from transform.session import Sessions
from warehouse import names


@pytest.fixture
async def builder(transform):
    """A builder on the service's own pool: what a second replica would be."""
    database, compiler = transform.database, Compiler(compile_workers())
    sessions = Sessions(SecretStr("a key of the tests"))
    column_names = ColumnNames(database, sessions, compiler)
    yield Builder(database, sessions, compiler, column_names)
    await compiler.close()


@pytest.fixture
async def numbers(stand, column_factory):
    """A published source of three thousand rows."""
    return await stand.source(
        "numbers", "SELECT generate_series(1, 3000) AS n", column_factory(n="integer")
    )


@pytest.fixture
async def copied(stand, numbers):
    """A transformation that copies the source."""
    return await stand.transformation("Copied", {"type": "source", "table": "numbers"})


async def leased(builder: Builder, stand, command, holder=None) -> Claimed:
    """The step, claimed; it must be free."""
    claimed = await builder.claim(stand.org_id, command, holder or new_id())
    assert isinstance(claimed, Claimed)
    return claimed


async def relations(stand) -> set[str]:
    connection = await stand.connection("transform")
    try:
        rows = await connection.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = $1",
            names.data_schema(stand.org_id),
        )
    finally:
        await connection.close()
    return {row["tablename"] for row in rows}


async def test_a_holder_whose_lease_is_old_leaves_nothing_behind(stand, copied, builder, numbers):
    command = await stand.command(copied.id)
    old, new = [await leased(builder, stand, command) for _ in range(2)]
    assert (old.lease, new.lease) == (1, 2)
    with pytest.raises(Overtaken):
        await builder.build(stand.org_id, command, old)
    assert await relations(stand) == {numbers.relation}
    built = await builder.build(stand.org_id, command, new)
    assert isinstance(built, TransformationBuilt)
    assert await relations(stand) == {numbers.relation, built.tables[0].relation}


async def test_two_holders_at_once_make_one_outcome(stand, copied, builder, numbers):
    command = await stand.command(copied.id)
    holders = [await leased(builder, stand, command) for _ in range(3)]
    results = await asyncio.gather(
        *(builder.build(stand.org_id, command, claimed) for claimed in holders),
        return_exceptions=True,
    )
    built = [result for result in results if isinstance(result, TransformationBuilt)]
    assert [outcome.lease for outcome in built] == [3]
    assert await relations(stand) == {numbers.relation, built[0].tables[0].relation}


async def test_a_redelivered_step_says_its_outcome_again_and_builds_nothing(stand, copied, builder):
    command = await stand.command(copied.id)
    await stand.send(command)
    built = await stand.hear(TransformationBuilt, step_id=command.step_id)
    before = await relations(stand)
    assert await builder.claim(stand.org_id, command, new_id()) == built
    await stand.send(command)
    await stand.idle(BuildTransformation)
    assert await relations(stand) == before


async def test_who_asks_again_gets_the_outcome_and_never_the_step(stand, copied, builder, meta):
    command = await stand.command(copied.id)
    again = command.model_copy(update={"repeated": True})
    holder, asker = meta(stand.org_id), meta(stand.org_id)
    assert (await leased(builder, stand, command, holder.id)).lease == 1
    assert await builder.build_transformation(again, asker) == ()
    (said,) = await builder.build_transformation(command, holder)
    assert said.message.lease == 2
    # As a repeat of the answer to another message it would be dropped.
    (told,) = await builder.build_transformation(again, asker)
    assert told.message == said.message
    assert told.id != said.id
    (same,) = await builder.build_transformation(again, asker)
    assert same.id == told.id


async def test_who_asks_again_for_what_nobody_has_takes_it(stand, copied, builder, meta):
    command = await stand.command(copied.id)
    again = command.model_copy(update={"repeated": True})
    asker = meta(stand.org_id)
    assert (await leased(builder, stand, again, asker.id)).lease == 1
    # It died with the step: delivered once more, it goes on.
    assert (await leased(builder, stand, again, asker.id)).lease == 2
    assert await builder.claim(stand.org_id, again, new_id()) is None


async def fall_silent(stand, command) -> None:
    """Nothing was heard of the step's holder for longer than a heartbeat may be late."""
    connection = await stand.connection("transform")
    try:
        async with connection.transaction():
            await connection.execute("SET LOCAL ROLE dalgo_transform_system")
            status = await connection.execute(
                "UPDATE dalgo_transform.transformation_runs SET heartbeat_at = now() - interval '31 s' "
                "WHERE step_id = $1",
                command.step_id,
            )
    finally:
        await connection.close()
    assert status == "UPDATE 1"


async def test_who_asks_again_takes_a_step_over_whose_holder_is_silent(
    stand, copied, builder, meta, numbers
):
    command = await stand.command(copied.id)
    again = command.model_copy(update={"repeated": True})
    holder, asker = meta(stand.org_id), meta(stand.org_id)
    old = await leased(builder, stand, command, holder.id)
    await fall_silent(stand, command)
    # A sign of life is enough to keep it.
    assert not await builder.heartbeat(command, holder)
    assert await builder.claim(stand.org_id, again, asker.id) is None
    await fall_silent(stand, command)
    new = await leased(builder, stand, again, asker.id)
    assert new.lease == 2
    # The one that was silent has lost the step: it stops, and what it makes is not kept.
    assert await builder.heartbeat(command, holder)
    assert not await builder.heartbeat(again, asker)
    with pytest.raises(Overtaken):
        await builder.build(stand.org_id, command, old)
    built = await builder.build(stand.org_id, again, new)
    assert isinstance(built, TransformationBuilt)
    assert await relations(stand) == {numbers.relation, built.tables[0].relation}


async def test_a_step_that_is_given_up_fails_with_the_reason(stand, copied, builder, meta):
    command = await stand.command(copied.id)
    (said,) = await builder.give_up(command, meta(stand.org_id), "the database was away")
    assert isinstance(said.message, TransformationFailed)
    assert "the database was away" in said.message.problem.detail
    assert await builder.claim(stand.org_id, command, new_id()) == said.message


async def test_a_step_of_a_run_that_was_called_off_is_not_begun(stand, copied, transform):
    command = await stand.command(copied.id)
    await stand.cancel(command.run_id)

    async def marked():
        async with transform.database.organization(stand.org_id) as connection:
            return await connection.fetchval(
                "SELECT true FROM cancelled_runs WHERE run_id = $1", command.run_id
            )

    await eventually(marked)
    await stand.send(command)
    await stand.idle(BuildTransformation)
    async with transform.database.organization(stand.org_id) as connection:
        assert not await connection.fetchval(
            "SELECT true FROM transformation_runs WHERE step_id = $1", command.step_id
        )


async def test_a_running_build_is_stopped_with_its_sql(stand, numbers, ground):
    cross = {"type": "join", "with": "numbers", "join_type": "cross"}
    endless = await stand.transformation(
        "Endless",
        {"type": "source", "table": "numbers"},
        cross | {"prefix": "a_"},
        cross | {"prefix": "b_"},
        cross | {"prefix": "c_"},
    )
    command = await stand.command(endless.id)
    superuser = await asyncpg.connect(ground.superuser_url)

    async def building() -> bool:
        return await superuser.fetchval(
            "SELECT count(*) > 0 FROM pg_stat_activity WHERE state = 'active' "
            "AND query LIKE 'CREATE TABLE%' AND query LIKE $1",
            f"%{stand.org_id.hex}%",
        )

    async def stopped() -> bool:
        return not await building()

    try:
        await stand.send(command)
        await eventually(building)
        await stand.cancel(command.run_id)
        await eventually(stopped, within=2)
    finally:
        await superuser.close()
    await stand.idle(BuildTransformation)
    assert await relations(stand) == {numbers.relation}


async def test_a_build_for_another_organisation_finds_nothing(stand, other, copied):
    command = await stand.command(copied.id)
    stolen = command.model_copy(update={"step_id": new_id()})
    await other.send(stolen)
    failed = await other.hear(TransformationFailed, step_id=stolen.step_id)
    assert failed.problem.code == "transformation_deleted"
