"""Sources that another system fills: its login, its word, and the runs that wait for it."""

import asyncpg
import pytest
import pytest_asyncio

from chassis.telemetry import continued
from chassis.testing import eventually
from contracts import outside
from contracts.envelope import envelop, new_id, to_body, to_headers
from contracts.ingest import (
    CreateSource,
    DeleteSource,
    ExternalConfig,
    GetSource,
    IssueLoader,
    PreviewSource,
    RevokeLoader,
    SourceSynced,
    SourceSyncFailed,
    SyncSource,
    UpdateSource,
)
from contracts.problem import ProblemError
from contracts.streams import EXT
from contracts.transform import GetTable
from ingest.external.waiting import Waiting
from warehouse.names import landing_schema

CONSUMER = "ingest_outside"


@pytest_asyncio.fixture
async def ingest(transform, run_ingest):
    """One replica that looks often."""
    async with run_ingest(look_every=0.05) as service:
        yield service


@pytest_asyncio.fixture
async def log_in():
    """Opens sessions as a loader does, with what it was told."""
    opened = []

    async def log_in(login) -> asyncpg.Connection:
        connection = await asyncpg.connect(
            host=login.host,
            port=login.port,
            user=login.username,
            password=login.password.get_secret_value(),
            database=login.database,
        )
        opened.append(connection)
        return connection

    yield log_in
    for connection in opened:
        await connection.close()


async def make(stand, name: str = "wells", **config: object):
    """An external source."""
    request = CreateSource(
        source_id=new_id(),
        name=name,
        source_type="external",
        config=ExternalConfig.model_validate({"table": "wells"} | config),
    )
    return await stand.ask(request)


async def announce(stand, rows: int | None = None, *, table: str = "wells", id=None):
    """Say what the gateway lets in; returns when it is stored in the stream."""
    told = outside.SourceSynced(table=table, rows=rows)
    meta = envelop(told, source="urn:loader", org_id=stand.org_id, id=id)
    bus = await stand.as_("gateway")
    await bus.store(EXT, told.subject(stand.org_id), to_body(told), to_headers(meta))


async def is_kept(stand, count: int = 1) -> None:
    """Wait until so many announcements of the organisation are kept, and none is under way."""
    migrator = await stand.as_("migrator")

    async def kept() -> bool:
        state = await migrator.jetstream.consumer_info(EXT.name, CONSUMER)
        if state.num_pending or state.num_ack_pending:
            return False
        rows = await stand.fetch("SELECT FROM announcements WHERE org_id = $1", stand.org_id)
        return len(rows) == count

    await eventually(kept)


async def waits(stand, command) -> None:
    """Wait until a sync is laid down and nobody holds it."""

    async def waiting() -> bool:
        return bool(
            await stand.fetch(
                "SELECT FROM waiting_syncs WHERE step_id = $1 AND resumed_at IS NULL",
                command.step_id,
            )
        )

    await eventually(waiting)
    await stand.idle()


async def nothing_waits(stand) -> None:
    """Wait until no sync of the organisation waits."""

    async def gone() -> bool:
        query = "SELECT FROM waiting_syncs WHERE org_id = $1"
        return not await stand.fetch(query, stand.org_id)

    await eventually(gone)


@pytest_asyncio.fixture
async def source(stand, ingest):
    """An external source that waits for its table."""
    return await make(stand)


@pytest_asyncio.fixture
async def loader(stand, source, log_in):
    """A session of the system that fills it."""
    session = await log_in((await stand.ask(IssueLoader(source_id=source.id))).login)
    await session.execute("CREATE TABLE wells (name text, depth int)")
    return session


async def test_a_loader_fills_announces_and_readers_see_it(stand, source, loader):
    await loader.execute("INSERT INTO wells VALUES ('north', 12), ('south', 30)")
    await announce(stand, 2)
    await is_kept(stand)
    shown = await stand.published(source)
    assert await stand.live(source) == [("north", 12), ("south", 30)]
    assert (await stand.ask(GetSource(source_id=source.id))).warnings == ()
    assert (shown.rows, [column.type for column in shown.columns]) == (2, ["text", "integer"])

    await loader.execute("INSERT INTO wells VALUES ('west', 7)")
    await announce(stand, 3)
    await is_kept(stand, 2)
    assert (await stand.published(source, published=shown)).rows == 3
    assert len(await stand.live(source)) == 3


async def test_a_sync_waits_without_a_slot_until_the_table_is_announced(
    stand, run_ingest, transform, log_in
):
    async with run_ingest(look_every=0.05, max_syncs=1):
        source = await make(stand)
        session = await log_in((await stand.ask(IssueLoader(source_id=source.id))).login)
        await session.execute("CREATE TABLE wells AS SELECT 1 AS n")
        command = await stand.sync(source)
        await waits(stand, command)
        # The only slot is free for others.
        assert (await stand.synced(await stand.source())).tables[0].rows == 2
        await announce(stand, table="springs")
        await is_kept(stand)
        assert stand.heard(SourceSynced, SourceSyncFailed, step_id=command.step_id) == []
        await announce(stand, 1)
        outcome = await stand.outcome(command)
    assert isinstance(outcome, SourceSynced)
    assert (outcome.unchanged, outcome.tables[0].rows) == (False, 1)


async def test_a_sync_that_waited_goes_on_in_the_trace_of_its_run(stand, source, loader):
    traces: list[str] = []

    async def hear(message) -> None:
        traces.append((message.headers or {}).get("traceparent", "")[3:35])

    migrator = await stand.as_("migrator")
    await migrator.watch(SyncSource.subject(), hear)
    await migrator.watch(f"evt.{stand.org_id.hex}.ingest.>", hear)
    own = new_id().hex
    with continued(f"00-{own}-00f067aa0ba902b7-01", "test"):
        command = await stand.sync(source)
    await waits(stand, command)
    await announce(stand)
    await stand.outcome(command)
    await eventually(lambda: _are(traces, [own] * 3))


async def _are(found: list[str], wanted: list[str]) -> bool:
    return found == wanted


async def test_what_was_announced_before_counts_once(stand, source, loader):
    await announce(stand)
    await is_kept(stand)
    shown = await stand.published(source)
    command = await stand.sync(source, published=shown)
    await waits(stand, command)
    await announce(stand)
    outcome = await stand.outcome(command)
    assert not outcome.unchanged
    await nothing_waits(stand)


async def test_another_organisations_word_ends_no_wait(stand, other, source, loader):
    command = await stand.sync(source)
    await waits(stand, command)
    await announce(other)
    await is_kept(other)
    assert stand.heard(SourceSynced, SourceSyncFailed, step_id=command.step_id) == []
    await announce(stand)
    assert isinstance(await stand.outcome(command), SourceSynced)


async def test_a_word_on_another_organisations_subject_is_buried(stand, other, source):
    told = outside.SourceSynced(table="wells")
    meta = envelop(told, source="urn:loader", org_id=other.org_id)
    bus = await stand.as_("gateway")
    await bus.store(EXT, told.subject(stand.org_id), to_body(told), to_headers(meta))

    async def buried() -> bool:
        query = "SELECT reason FROM dead_letters WHERE headers ->> 'ce-id' = $1"
        letters = await stand.fetch(query, str(meta.id))
        return bool(letters) and "arrived on" in letters[0]["reason"]

    await eventually(buried)
    await is_kept(stand, 0)
    await is_kept(other, 0)


async def test_a_word_that_comes_twice_is_one_word(stand, source, loader):
    event = new_id()
    await announce(stand, id=event)
    await is_kept(stand)
    shown = await stand.published(source)
    # The stream forgets its repeats after a while; the table does not.
    told = outside.SourceSynced(table="wells", rows=9)
    headers = to_headers(envelop(told, source="urn:loader", org_id=stand.org_id, id=event))
    bus = await stand.as_("gateway")
    subject = told.subject(stand.org_id)
    await bus.store(EXT, subject, to_body(told), headers | {"Nats-Msg-Id": str(new_id())})
    await is_kept(stand)
    command = await stand.sync(source, published=shown)
    await waits(stand, command)


@pytest.mark.parametrize("announced", [1, 3])
async def test_other_rows_than_announced_fail_with_both_numbers(stand, source, loader, announced):
    await loader.execute("INSERT INTO wells VALUES ('north', 12), ('south', 30)")
    await announce(stand, announced)
    await is_kept(stand)
    outcome = await stand.outcome(await stand.sync(source))
    assert isinstance(outcome, SourceSyncFailed)
    assert outcome.problem.code == "rows_differ"
    assert f"{announced} rows were announced for 'wells' and 2 are there" in outcome.problem.detail
    assert await stand.versions() == set()


@pytest.mark.parametrize("deadline", ["PT0S", "PT0.2S"])
async def test_a_wait_that_is_over_fails_and_says_what_for(stand, ingest, deadline):
    source = await make(stand, deadline=deadline)
    outcome = await stand.outcome(await stand.sync(source))
    assert isinstance(outcome, SourceSyncFailed)
    assert (outcome.problem.status, outcome.problem.code) == (422, "not_announced")
    assert "'wells'" in outcome.problem.detail
    assert "waited from" in outcome.problem.detail
    assert "source.synced" in outcome.problem.detail
    await nothing_waits(stand)
    kept = await stand.ask(GetSource(source_id=source.id))
    assert kept.last_error == outcome.problem.detail


async def test_with_use_last_what_was_published_stays_with_a_warning(stand, ingest, log_in):
    source = await make(stand, deadline="PT0.1S", on_missing="use_last")
    first = await stand.outcome(await stand.sync(source))
    assert isinstance(first, SourceSyncFailed)
    assert "no earlier version" in first.problem.detail

    session = await log_in((await stand.ask(IssueLoader(source_id=source.id))).login)
    await session.execute("CREATE TABLE wells AS SELECT 1 AS n")
    await announce(stand, 1)
    await is_kept(stand)
    shown = await stand.published(source)
    outcome = await stand.synced(source, published=shown)
    assert outcome.unchanged
    assert (outcome.tables, outcome.reason) == ((shown,), "not announced in time")
    assert [warning.code for warning in outcome.warnings] == ["not_announced"]
    assert await stand.live(source) == [(1,)]


async def test_a_run_that_is_cancelled_while_it_waits_is_forgotten(stand, source, loader):
    command = await stand.sync(source)
    await waits(stand, command)
    await stand.cancel(command.run_id)
    await nothing_waits(stand)
    await announce(stand)
    await is_kept(stand)
    await stand.idle()
    assert stand.heard(SourceSynced, SourceSyncFailed, step_id=command.step_id) == []


async def held(stand) -> bool:
    """Whether a copy waits for the loader's lock."""
    query = "SELECT FROM pg_locks WHERE NOT granted AND relation = $1::text::regclass"
    return bool(await stand.fetch(query, f"{landing_schema(stand.org_id)}.wells"))


async def test_a_copy_that_is_cancelled_leaves_nothing(stand, source, loader):
    await announce(stand)
    await is_kept(stand)
    async with loader.transaction():
        await loader.execute("TRUNCATE wells")
        command = await stand.sync(source)
        await eventually(lambda: held(stand))
        await stand.cancel(command.run_id)
        await stand.idle()
    assert stand.heard(SourceSynced, SourceSyncFailed, step_id=command.step_id) == []
    assert await stand.versions() == set()


async def test_a_copy_that_loses_the_database_is_made_again(stand, source, loader):
    await loader.execute("INSERT INTO wells VALUES ('north', 12)")
    await announce(stand, 1)
    await is_kept(stand)
    async with loader.transaction():
        await loader.execute("LOCK TABLE wells")
        command = await stand.sync(source)
        await eventually(lambda: held(stand))
        await stand.cut("all")
    outcome = await stand.outcome(command)
    assert isinstance(outcome, SourceSynced)
    assert outcome.lease > 1
    await stand.idle()
    assert await stand.versions() == {outcome.tables[0].relation}


async def test_a_source_that_is_deleted_while_a_run_waits_fails_it(stand, orchestrator, source):
    command = await stand.sync(source)
    await waits(stand, command)
    await stand.ask(DeleteSource(source_id=source.id))
    outcome = await stand.outcome(command)
    assert isinstance(outcome, SourceSyncFailed)
    assert outcome.problem.code == "not_found"


async def test_who_was_away_when_the_word_came_takes_the_wait_up(
    stand, run_ingest, transform, log_in
):
    async with run_ingest(look_every=0.05):
        source = await make(stand)
        session = await log_in((await stand.ask(IssueLoader(source_id=source.id))).login)
        await session.execute("CREATE TABLE wells AS SELECT 1 AS n")
        command = await stand.sync(source)
        await waits(stand, command)
    await announce(stand, 1)
    async with run_ingest(look_every=0.05), run_ingest(look_every=0.05):
        outcome = await stand.outcome(command)
        await stand.idle()
    assert isinstance(outcome, SourceSynced)
    assert stand.heard(SourceSynced, SourceSyncFailed, step_id=command.step_id) == [outcome]
    assert await stand.versions() == {outcome.tables[0].relation}


async def test_a_command_that_comes_again_while_it_waits_waits_no_longer(stand, ingest):
    source = await make(stand, deadline="PT5M")
    command = await stand.sync(source)
    await waits(stand, command)
    (first,) = await stand.fetch(
        "SELECT deadline FROM waiting_syncs WHERE org_id = $1", stand.org_id
    )
    # As after a crash between the commit and the acknowledgement.
    await stand.send(command)
    await stand.idle()
    await waits(stand, command)
    rows = await stand.fetch("SELECT deadline FROM waiting_syncs WHERE org_id = $1", stand.org_id)
    assert rows == [first]
    await stand.cancel(command.run_id)
    await nothing_waits(stand)


async def test_a_table_is_previewed_and_expected_before_it_is_announced(stand, source, loader):
    assert [warning.code for warning in source.warnings] == ["no_table"]
    await loader.execute("INSERT INTO wells VALUES ('north', 12)")
    asked = PreviewSource(source_type="external", config=source.config)
    preview = await stand.ask(asked)
    assert preview.rows == ({"name": "north", "depth": 12},)
    await stand.ask(UpdateSource(source_id=source.id, config=source.config))
    table = await stand.ask(GetTable(name=str(source.id)))
    assert [column.name for column in table.columns] == ["name", "depth"]


async def test_what_was_told_long_ago_is_forgotten_unless_it_is_the_last_word_on_a_source(
    stand, source, ingest
):
    for table in ("wells", "wells", "springs", "springs"):
        await announce(stand, table=table)
    await is_kept(stand, 4)
    await stand.fetch(
        "UPDATE announcements SET heard_at = now() - interval '15 days' WHERE org_id = $1 "
        "AND seq < (SELECT max(seq) FROM announcements WHERE org_id = $1)",
        stand.org_id,
    )
    await Waiting(ingest.database, ingest.outbox, 1).tidy()
    left = await stand.fetch(
        "SELECT table_name FROM announcements WHERE org_id = $1 ORDER BY seq", stand.org_id
    )
    assert [row["table_name"] for row in left] == ["wells", "springs"]


async def test_a_users_word_on_a_column_wins(stand, source, loader):
    await loader.execute("INSERT INTO wells VALUES ('07', 12)")
    await announce(stand)
    await is_kept(stand)
    columns = {"name": {"type": "integer"}, "depth": {"type": "text"}}
    config = ExternalConfig.model_validate({"table": "wells", "columns": columns})
    await stand.ask(UpdateSource(source_id=source.id, config=config))
    shown = await stand.published(source)
    assert await stand.live(source) == [(7, "12")]
    # The same announcement, read in another way, is news.
    await stand.ask(UpdateSource(source_id=source.id, config=source.config))
    assert not (await stand.synced(source, published=shown)).unchanged


async def test_deleting_a_source_removes_its_login_and_its_table(
    stand, orchestrator, source, loader, log_in
):
    await stand.ask(DeleteSource(source_id=source.id))
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
        await loader.execute("SELECT 1")
    tables = await stand.fetch(
        "SELECT FROM pg_tables WHERE schemaname = $1", landing_schema(stand.org_id)
    )
    roles = await stand.fetch(
        "SELECT FROM pg_roles WHERE rolname LIKE $1", f"%{stand.org_id.hex}_loader%"
    )
    assert (tables, roles) == ([], [])


async def test_a_revoked_login_is_shut(stand, source, loader, log_in):
    login = (await stand.ask(IssueLoader(source_id=source.id))).login
    await log_in(login)
    await stand.ask(RevokeLoader(source_id=source.id))
    with pytest.raises(asyncpg.PostgresError):
        await log_in(login)


async def test_only_an_external_source_of_ones_own_has_a_login(stand, other, source):
    file = await stand.source()
    for asker, source_id, code in (
        (stand, file.id, "not_external"),
        (other, source.id, "not_found"),
        (stand, new_id(), "not_found"),
    ):
        for request in (IssueLoader(source_id=source_id), RevokeLoader(source_id=source_id)):
            with pytest.raises(ProblemError) as raised:
                await asker.ask(request)
            assert raised.value.problem.code == code
