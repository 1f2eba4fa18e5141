"""Publishing: all at once or not at all, decided once for each run."""

import asyncio

import pytest

from contracts.envelope import new_id
from contracts.transform import (
    AbortPublish,
    FindMissingVersions,
    GetTable,
    PublishAborted,
    PublishFailed,
    PublishRun,
    RunPublished,
)
from warehouse import names
from warehouse.access import as_org

from .warehouse_views import waiting_for_a_lock

ONE = "SELECT 1 AS a, 'x'::text AS b"


@pytest.fixture
def held(column_factory):
    return column_factory(a="integer", b="text")


@pytest.fixture
async def database(stand):
    """A connection as transform's login, to look and to hold locks."""
    connection = await stand.connection("transform")
    yield connection
    await connection.close()


def live(stand, version) -> str:
    """The qualified live name of a source's version."""
    name = names.live_name("source", version.table_id)
    return names.qualified(names.live_schema(stand.org_id), name)


async def as_organization(database, stand, statement: str):
    async with database.transaction(), as_org(database, stand.org_id):
        return await database.fetch(statement)


async def columns_of(database, stand, version) -> list[str]:
    rows = await as_organization(
        database,
        stand,
        "SELECT column_name FROM information_schema.columns "
        f"WHERE table_name = '{names.live_name('source', version.table_id)}' "
        "ORDER BY ordinal_position",
    )
    return [row["column_name"] for row in rows]


async def test_a_second_publish_of_a_run_changes_nothing(stand, held):
    version = await stand.source("t", ONE, held)
    run_id = new_id()
    assert isinstance(await stand.publish(version, run_id=run_id), RunPublished)
    newer = await stand.load(version.table_id, "SELECT 2 AS a, 'y' AS b", held)
    await stand.send(PublishRun(run_id=run_id, step_id=new_id(), tables=(newer,)))
    await stand.idle(PublishRun)
    assert (await stand.ask(GetTable(name="t"))).version == version.version_id


async def test_a_run_that_was_aborted_is_never_published(stand, held):
    table_id = await stand.declare("t", held)
    version = await stand.load(table_id, ONE, held)
    run_id = new_id()
    await stand.send(AbortPublish(run_id=run_id, step_id=new_id()))
    await stand.hear(PublishAborted, run_id=run_id)
    said = await stand.publish(version, run_id=run_id)
    assert isinstance(said, PublishAborted)
    assert (await stand.ask(GetTable(name="t"))).version is None


async def test_a_run_that_is_begun_again_is_decided_again(stand, held):
    table_id = await stand.declare("t", held)
    version = await stand.load(table_id, ONE, held)
    run_id = new_id()
    await stand.send(AbortPublish(run_id=run_id, step_id=new_id()))
    await stand.hear(PublishAborted, run_id=run_id, attempt=1)
    await stand.send(PublishRun(run_id=run_id, step_id=new_id(), tables=(version,), attempt=2))
    await stand.hear(RunPublished, run_id=run_id, attempt=2)
    assert (await stand.ask(GetTable(name="t"))).version == version.version_id


async def test_versions_that_are_gone_are_told(stand, held):
    version = await stand.source("t", ONE, held)
    asked = FindMissingVersions(relations=(version.relation, "v_gone"))
    assert (await stand.ask(asked)).relations == ("v_gone",)


async def test_an_abort_that_comes_too_late_hears_that_the_run_is_published(stand, held, transform):
    version = await stand.source("t", ONE, held)
    run_id = new_id()
    await stand.publish(version, run_id=run_id)
    await stand.send(AbortPublish(run_id=run_id, step_id=new_id()))
    await stand.idle(AbortPublish)
    async with transform.database.organization(stand.org_id) as connection:
        outcome = await connection.fetchval(
            "SELECT outcome FROM publications WHERE run_id = $1", run_id
        )
    assert outcome == "published"


async def test_abort_and_publish_at_once_have_one_winner(stand, held, transform):
    table_id = await stand.declare("t", held)
    for _ in range(10):
        version = await stand.load(table_id, ONE, held)
        run_id = new_id()
        await asyncio.gather(
            stand.send(PublishRun(run_id=run_id, step_id=new_id(), tables=(version,))),
            stand.send(AbortPublish(run_id=run_id, step_id=new_id())),
        )
        said = await stand.hear(RunPublished, PublishAborted, run_id=run_id)
        shown = (await stand.ask(GetTable(name="t"))).version == version.version_id
        assert isinstance(said, RunPublished) == shown


async def test_appended_columns_keep_the_view_and_what_depends_on_it(
    stand, held, database, column_factory
):
    version = await stand.source("t", ONE, held)
    report = names.qualified(names.live_schema(stand.org_id), "report")
    await as_organization(
        database, stand, f"CREATE VIEW {report} AS SELECT b FROM {live(stand, version)}"
    )
    wider = await stand.load(
        version.table_id,
        "SELECT 1 AS a, 'new'::text AS b, true AS c",
        column_factory(a="integer", b="text", c="boolean"),
    )
    assert isinstance(await stand.publish(wider), RunPublished)
    assert await columns_of(database, stand, version) == ["a", "b", "c"]
    (row,) = await as_organization(database, stand, f"SELECT b FROM {report}")
    assert row["b"] == "new"


async def test_changed_columns_make_the_view_anew(stand, held, database, column_factory):
    version = await stand.source("t", ONE, held)
    changed = await stand.load(version.table_id, "SELECT 'now text' AS a", column_factory(a="text"))
    assert isinstance(await stand.publish(changed), RunPublished)
    assert await columns_of(database, stand, version) == ["a"]


async def test_changed_columns_that_something_reads_fail_the_publish_by_its_name(
    stand, held, database, column_factory
):
    version = await stand.source("t", ONE, held)
    other = await stand.source("u", ONE, held)
    report = names.qualified(names.live_schema(stand.org_id), "report")
    await as_organization(
        database, stand, f"CREATE VIEW {report} AS SELECT b FROM {live(stand, version)}"
    )
    newer = await stand.load(other.table_id, ONE, held)
    changed = await stand.load(version.table_id, "SELECT 1 AS a", column_factory(a="integer"))
    failed = await stand.publish(newer, changed)
    assert isinstance(failed, PublishFailed)
    assert failed.problem.code == "columns_still_used"
    assert "'t'" in failed.problem.detail
    assert "report" in failed.problem.detail
    # All or nothing: the other table of the run stays as it was too.
    assert (await stand.ask(GetTable(name="u"))).version == other.version_id


async def test_the_load_id_of_a_source_is_its_last_column(stand, database, column_factory):
    only = column_factory(a="integer")
    version = await stand.source("t", "SELECT '1.2' AS _dlt_load_id, 1 AS a", only)
    assert await columns_of(database, stand, version) == ["a", "_dlt_load_id"]
    wider = await stand.load(
        version.table_id,
        "SELECT '1.3' AS _dlt_load_id, 1 AS a, 2 AS b",
        column_factory(a="integer", b="integer"),
    )
    await stand.publish(wider)
    assert await columns_of(database, stand, version) == ["a", "_dlt_load_id", "b"]


async def test_a_publish_waits_for_a_lock_and_goes_on(stand, held, database):
    version = await stand.source("t", ONE, held)
    newer = await stand.load(version.table_id, ONE, held)
    run_id = new_id()
    async with database.transaction(), as_org(database, stand.org_id):
        await database.execute(f"LOCK TABLE {live(stand, version)} IN ACCESS EXCLUSIVE MODE")
        await stand.send(PublishRun(run_id=run_id, step_id=new_id(), tables=(newer,)))
        await waiting_for_a_lock(stand)
    assert isinstance(await stand.hear(RunPublished, PublishFailed, run_id=run_id), RunPublished)


async def test_a_lock_that_stays_fails_the_publish_naming_its_holder(stand, held, database):
    version = await stand.source("t", ONE, held)
    newer = await stand.load(version.table_id, ONE, held)
    async with database.transaction(), as_org(database, stand.org_id):
        await database.execute("SET LOCAL application_name = 'a long report'")
        await database.execute(f"LOCK TABLE {live(stand, version)} IN ACCESS EXCLUSIVE MODE")
        failed = await stand.publish(newer)
    assert isinstance(failed, PublishFailed)
    assert failed.problem.code == "tables_locked"
    assert "a long report" in failed.problem.detail
    assert "'t'" in failed.problem.detail


async def test_a_reader_of_the_old_version_does_not_hold_up_a_publish(stand, held, database):
    version = await stand.source("t", ONE, held)
    newer = await stand.load(version.table_id, "SELECT 7 AS a, 'z'::text AS b", held)
    relation = names.qualified(names.data_schema(stand.org_id), version.relation)
    async with database.transaction(), as_org(database, stand.org_id):
        await database.fetch(f"SELECT * FROM {relation}")
        assert isinstance(await stand.publish(newer), RunPublished)
        (row,) = await database.fetch(f"SELECT a FROM {live(stand, version)}")
    assert row["a"] == 7


async def test_a_table_that_was_dropped_while_the_run_ran_fails_the_publish(stand, held):
    table_id = await stand.declare("t", held)
    version = await stand.load(table_id, ONE, held)
    gone = version.model_copy(update={"table_id": new_id()})
    failed = await stand.publish(gone)
    assert isinstance(failed, PublishFailed)
    assert failed.problem.code == "table_deleted"
