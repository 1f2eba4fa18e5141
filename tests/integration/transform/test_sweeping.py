"""What nobody can want any more goes: neither a run, nor a reader, nor who may want to go back."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from chassis.testing import eventually
from contracts.auth import GetOrganization, Organization
from contracts.envelope import new_id
from contracts.ingest import PlannedSource, PlanSources, SourcesPlan, SourceSynced
from contracts.orchestrator import (
    CancelRun,
    FindPinnedVersions,
    GetRun,
    PinnedVersions,
    RunSucceeded,
    StartRun,
    Trigger,
)
from contracts.problem import ProblemError
from contracts.transform import (
    GetStorage,
    GetTable,
    ListTableVersions,
    PreviewTable,
    RollbackTable,
    RunPublished,
)
from transform.sweeping import Sweeper
from warehouse import names
from warehouse.access import as_org
from warehouse.names import data_schema, first_relation_of, version_relation

ONE = "SELECT 1 AS a"
LARGE = "SELECT 1 AS a, repeat('x', 1000) AS b FROM generate_series(1, 300)"
"""Some 340 kB."""


@pytest.fixture
def held(column_factory):
    return column_factory(a="integer")


@pytest.fixture
async def transform(start_service, request):
    """The service; its parameter is the grace of what is outdated, of which it has an hour."""
    grace = getattr(request, "param", "3600")
    return await start_service("transform", PUBLISH_PATIENCE="2", OUTDATED_GRACE=grace)


@pytest.fixture
async def make_sweeper(transform, start_service, connect_bus):
    """Makes sweepers without patience, unless they are given settings of their own."""
    await start_service("orchestrator")
    bus = await connect_bus("transform")

    def make(**settings: float) -> Sweeper:
        impatient = {"outdated_grace": 0, "version_grace": 0}
        given = transform.settings.model_copy(update=impatient | settings)
        return Sweeper(transform.database, bus, given)

    return make


@pytest.fixture
def sweeper(make_sweeper) -> Sweeper:
    return make_sweeper()


@pytest.fixture
async def planner(stand, stand_in):
    """Whoever else is asked when a run is planned; nobody syncs."""

    async def organization(_, meta) -> Organization:
        return Organization(id=meta.org_id, name="Wells", timezone="UTC")

    async def sources(request: PlanSources, _) -> SourcesPlan:
        return SourcesPlan(
            sources=tuple(
                PlannedSource(source_id=own, name="wells", table_id=own)
                for own in request.source_ids
            )
        )

    await stand_in("auth", {GetOrganization: organization})
    await stand_in("ingest", {PlanSources: sources})
    yield
    migrator = await stand.as_("migrator")
    await migrator.jetstream.purge_stream("CMD", subject="cmd.ingest.>")


async def written(stand) -> set[str]:
    connection = await stand.connection("transform")
    rows = await connection.fetch(
        "SELECT tablename::text FROM pg_tables WHERE schemaname = $1", data_schema(stand.org_id)
    )
    await connection.close()
    return {row["tablename"] for row in rows}


async def renew(stand, version, select: str = ONE):
    """Another version of a table, published."""
    newer = await stand.load(version.table_id, select, version.columns)
    await stand.publish(newer)
    return newer


def relations(*found) -> set[str]:
    return {version.relation for version in found}


async def begin(stand, *source_ids, recipes=()):
    """Start a run; its id."""
    gateway = await stand.as_("gateway")
    command = StartRun(
        run_id=new_id(),
        run_kind="pipeline",
        pipeline_id=None,
        source_ids=source_ids,
        transformation_ids=recipes,
        trigger=Trigger(type="manual", actor="tester"),
    )
    await gateway.send(command, org_id=stand.org_id)
    return command.run_id


async def reached(stand, run_id, status: str):
    """The run, once it stands like this."""
    gateway = await stand.as_("gateway")

    async def there():
        try:
            run = await gateway.ask(GetRun(run_id=run_id), org_id=stand.org_id)
        except ProblemError:  # not there yet
            return None
        return run if run.status == status else None

    return await eventually(there)


async def start(stand, source_id):
    """A run that waits for ever: nobody answers for its source."""
    run_id = await begin(stand, source_id)
    await reached(stand, run_id, "queued")

    async def end() -> None:
        gateway = await stand.as_("gateway")
        await gateway.send(CancelRun(run_id=run_id), org_id=stand.org_id)
        await reached(stand, run_id, "cancelled")

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
    end = await start(stand, new_id())
    since = await stand.load(table_id, ONE, held)
    assert await sweeper.sweep(stand.org_id) == 1
    assert await written(stand) == {since.relation}
    assert before.relation < since.relation
    await end()
    assert await sweeper.sweep(stand.org_id) == 1
    assert await written(stand) == set()


async def test_what_is_young_is_left_alone(stand, held, make_sweeper):
    await stand.load(await stand.declare("t", held), ONE, held)
    assert await make_sweeper(version_grace=60).sweep(stand.org_id) == 0


def test_names_of_versions_tell_when_they_were_begun():
    now = datetime.now(UTC)
    relation = version_relation(new_id())
    assert first_relation_of(now - timedelta(seconds=1)) < relation
    assert relation < first_relation_of(now + timedelta(minutes=1))


async def test_of_a_table_that_is_published_often_two_versions_are_kept(stand, held, sweeper):
    first = await stand.source("t", ONE, held)
    newer = [await renew(stand, first) for _ in range(5)]
    assert await sweeper.sweep(stand.org_id) == 4
    assert await written(stand) == relations(*newer[-2:])


async def test_as_many_former_versions_are_kept_as_the_operator_says(stand, held, make_sweeper):
    first = await stand.source("t", ONE, held)
    newer = [await renew(stand, first) for _ in range(4)]
    assert await make_sweeper(former_versions=2).sweep(stand.org_id) == 2
    assert await written(stand) == relations(*newer[-3:])
    assert await make_sweeper(former_versions=0).sweep(stand.org_id) == 2
    assert await written(stand) == relations(newer[-1])


async def test_what_was_superseded_a_moment_ago_is_left_alone(stand, held, make_sweeper):
    first = await stand.source("t", ONE, held)
    await renew(stand, first)
    patient = make_sweeper(outdated_grace=3600, former_versions=0)
    assert await patient.sweep(stand.org_id) == 0
    assert first.relation in await written(stand)


@pytest.mark.parametrize("transform", ["0"], indirect=True)
async def test_a_publish_is_followed_by_a_sweep(stand, held, stand_in):
    async def pinned(_: FindPinnedVersions, __) -> PinnedVersions:
        return PinnedVersions(relations=())

    await stand_in("orchestrator", {FindPinnedVersions: pinned})
    first = await stand.source("t", ONE, held)
    newer = [await renew(stand, first) for _ in range(2)]

    async def swept() -> bool:
        return await written(stand) == relations(*newer)

    await eventually(swept)


async def test_what_an_open_run_was_planned_on_stays_until_the_run_has_ended(
    stand, held, sweeper, planner
):
    old = await stand.source("t", "SELECT 7 AS a", held)
    copy = await stand.transformation("copy", {"type": "source", "table": "t"})
    wells = await stand.declare("wells", held)
    run_id = await begin(stand, wells, recipes=(copy.id,))
    run = await reached(stand, run_id, "syncing")
    newer = [await renew(stand, old) for _ in range(4)]
    assert await sweeper.sweep(stand.org_id) == 2
    assert await written(stand) == relations(old, *newer[-2:])

    synced = SourceSynced(
        run_id=run_id,
        step_id=next(step.id for step in run.steps if step.source_id == wells),
        lease=1,
        tables=(await stand.load(wells, ONE, held),),
        unchanged=False,
    )
    await (await stand.as_("ingest")).publish(synced, org_id=stand.org_id)
    await stand.hear(RunPublished, run_id=run_id)
    await stand.hear(RunSucceeded, run_id=run_id)
    page = await stand.ask(PreviewTable(name="copy"))
    assert page.rows == ({"A": 7},)
    assert await sweeper.sweep(stand.org_id) == 1
    assert old.relation not in await written(stand)


async def test_what_is_read_stays_and_neither_waits_for_the_other(stand, held, sweeper):
    old = await stand.source("t", ONE, held)
    newer = [await renew(stand, old) for _ in range(3)]
    reading = await stand.connection("transform")
    async with reading.transaction(), as_org(reading, stand.org_id):
        relation = names.qualified(data_schema(stand.org_id), old.relation)
        await reading.fetch(f"SELECT * FROM {relation}")
        assert await sweeper.sweep(stand.org_id) == 1
        assert await written(stand) == relations(old, *newer[-2:])
        assert await reading.fetchval(f"SELECT a FROM {relation}") == 1
    await reading.close()
    assert await sweeper.sweep(stand.org_id) == 1
    assert await written(stand) == relations(*newer[-2:])


async def test_who_has_chosen_a_version_that_is_then_dropped_reads_the_newest(
    stand, held, make_sweeper, stand_in
):
    old = await stand.source("t", ONE, held)
    sweeper = make_sweeper(former_versions=0)

    async def meanwhile(_: GetOrganization, meta) -> Organization:
        # A preview asks for the time zone after it has chosen the version, and before it reads.
        await renew(stand, old, "SELECT 2 AS a")
        assert await sweeper.sweep(stand.org_id) == 1
        return Organization(id=meta.org_id, name="Wells", timezone="UTC")

    await stand_in("auth", {GetOrganization: meanwhile})
    page = await stand.ask(PreviewTable(name="t"))
    assert page.rows == ({"A": 2},)
    assert old.relation not in await written(stand)


async def superseded(stand, name: str, select: str, held):
    """A former version of a table of its own."""
    version = await stand.source(name, select, held)
    await renew(stand, version)
    return version


async def test_former_versions_go_oldest_first_until_they_fit_into_the_budget(
    stand, held, make_sweeper
):
    former = [await superseded(stand, f"t{turn}", LARGE, held) for turn in range(4)]
    size = former[0].bytes
    assert size > 300_000
    (shown,) = (await stand.ask(ListTableVersions(name="t0"))).versions[:1]
    small = await superseded(stand, "small", ONE, held)
    published = await written(stand) - relations(*former, small)

    assert await make_sweeper(version_budget_bytes=4 * size + small.bytes).sweep(stand.org_id) == 0
    assert await make_sweeper(version_budget_bytes=3 * size - 1).sweep(stand.org_id) == 2
    kept = relations(*former[2:], small)
    assert await written(stand) == published | kept
    # What alone is over the budget makes nobody else go.
    assert await make_sweeper(version_budget_bytes=size - 1).sweep(stand.org_id) == 2
    assert await written(stand) == {*published, small.relation}
    assert await make_sweeper(version_budget_bytes=0).sweep(stand.org_id) == 1
    assert await written(stand) == published

    (only,) = (await stand.ask(ListTableVersions(name="t0"))).versions
    assert only == shown
    with pytest.raises(ProblemError) as caught:
        await stand.ask(RollbackTable(name="t0", version=former[0].version_id))
    assert caught.value.problem.status == 404


async def test_the_room_that_versions_take_is_told(stand, held, other):
    large, small = [
        await superseded(stand, name, select, held)
        for name, select in (("large", LARGE), ("small", ONE))
    ]
    left = await stand.load(small.table_id, LARGE, held)
    await stand.declare("empty", held)
    await superseded(other, "theirs", LARGE, held)
    told = await stand.ask(GetStorage())
    shown = (await stand.ask(GetTable(name="large"))).bytes, small.bytes
    assert told.published_bytes == sum(shown)
    assert told.former_bytes == large.bytes + small.bytes
    assert told.unpublished_bytes == left.bytes > 300_000
    assert (told.former_budget_bytes, told.former_versions) == (5 * 1024**3, 1)
    assert [(one.name, one.published_bytes, one.former_bytes) for one in told.tables] == [
        ("large", shown[0], large.bytes),
        ("small", shown[1], small.bytes),
    ]
    assert (await stand.ask(GetStorage(limit=1))).tables == told.tables[:1]


async def test_a_budget_is_an_organisations_own(stand, other, held, make_sweeper):
    mine = await superseded(stand, "t", LARGE, held)
    theirs = await superseded(other, "t", LARGE, held)
    assert await make_sweeper(version_budget_bytes=mine.bytes).sweep(stand.org_id) == 0
    assert await make_sweeper(version_budget_bytes=0).sweep(stand.org_id) == 1
    assert theirs.relation in await written(other)


async def test_sweepers_side_by_side_disturb_neither_publishes_nor_each_other(
    stand, held, make_sweeper
):
    first = await stand.source("t", ONE, held)
    sweepers = [make_sweeper() for _ in range(3)]
    seen: list[object] = []
    done = asyncio.Event()

    async def publish():
        try:
            return [await renew(stand, first, f"SELECT {turn} AS a") for turn in range(8)]
        finally:
            done.set()

    async def sweep(sweeper: Sweeper) -> int:
        dropped = 0
        while not done.is_set():
            dropped += await sweeper.sweep_outdated(stand.org_id)
        return dropped

    async def read() -> None:
        while not done.is_set():
            (row,) = (await stand.ask(PreviewTable(name="t"))).rows
            seen.append(row["A"])

    publishing, reading = asyncio.create_task(publish()), asyncio.create_task(read())
    dropped = await asyncio.gather(*map(sweep, sweepers))
    newer = await publishing
    await reading
    assert seen
    await sweepers[0].sweep_outdated(stand.org_id)
    assert await written(stand) == relations(*newer[-2:])
    assert sum(dropped) <= 7, "what one has dropped, no other has"


async def test_what_is_gone_back_to_while_it_is_swept_is_there_or_not_but_never_half(
    stand, held, make_sweeper
):
    sweeper = make_sweeper(former_versions=0)
    shown = await stand.source("t", ONE, held)
    for turn in range(6):
        former, shown = shown, await renew(stand, shown, f"SELECT {turn} AS a")
        back = asyncio.create_task(stand.ask(RollbackTable(name="t", version=former.version_id)))
        while not back.done():
            await sweeper.sweep_outdated(stand.org_id)
        try:
            assert (await back).version == former.version_id
            shown = former
        except ProblemError as error:
            if error.problem.status != 404:
                raise
        assert (await stand.ask(GetTable(name="t"))).version == shown.version_id
        assert len((await stand.ask(PreviewTable(name="t"))).rows) == 1
        await sweeper.sweep_outdated(stand.org_id)
        assert await written(stand) == relations(shown)


async def test_a_view_of_somebodys_keeps_its_version_and_no_other(stand, held, sweeper):
    old = await stand.source("t", ONE, held)
    connection = await stand.connection("transform")
    async with connection.transaction(), as_org(connection, stand.org_id):
        report = names.qualified(names.live_schema(stand.org_id), "report")
        relation = names.qualified(data_schema(stand.org_id), old.relation)
        await connection.execute(f"CREATE VIEW {report} AS SELECT a FROM {relation}")
    newer = [await renew(stand, old) for _ in range(4)]
    with capture_logs() as logged:
        assert await sweeper.sweep(stand.org_id) == 2
        assert await sweeper.sweep(stand.org_id) == 0
    assert await written(stand) == relations(old, *newer[-2:])
    (told,) = [line for line in logged if line["event"] == "version_kept"]
    assert "report" in told["reason"]
    async with connection.transaction(), as_org(connection, stand.org_id):
        await connection.execute(f"DROP VIEW {report}")
    await connection.close()
    assert await sweeper.sweep(stand.org_id) == 1


async def test_a_version_whose_table_is_gone_cannot_be_gone_back_to_and_is_forgotten(
    stand, held, sweeper
):
    old = await stand.source("t", ONE, held)
    lost, newest = [await renew(stand, old) for _ in range(2)]
    connection = await stand.connection("transform")
    async with connection.transaction(), as_org(connection, stand.org_id):
        table = names.qualified(data_schema(stand.org_id), lost.relation)
        await connection.execute(f"DROP TABLE {table}")
    await connection.close()
    found = (await stand.ask(ListTableVersions(name="t"))).versions
    assert [one.version for one in found] == [newest.version_id, old.version_id]
    now = await stand.ask(GetTable(name="t"))
    with pytest.raises(ProblemError) as caught:
        await stand.ask(RollbackTable(name="t", version=lost.version_id))
    assert caught.value.problem.status == 404
    assert "still there" in caught.value.problem.detail
    assert await stand.ask(GetTable(name="t")) == now
    # It takes the place of none that can be gone back to.
    assert await sweeper.sweep(stand.org_id) == 0
    assert await written(stand) == relations(old, newest)
    await stand.ask(RollbackTable(name="t", version=old.version_id))
