"""Going back to a former version of a table."""

import pytest

from contracts.envelope import new_id
from contracts.problem import ProblemError
from contracts.transform import (
    GetTable,
    GetTransformation,
    ListTableVersions,
    PreviewTable,
    RollbackTable,
)
from warehouse import names
from warehouse.access import as_org

ONE, TWO = "SELECT 1 AS a", "SELECT 2 AS a, 'new' AS b"


@pytest.fixture
def narrow(column_factory):
    return column_factory(a="integer")


@pytest.fixture
def wide(column_factory):
    return column_factory(a="integer", b="text")


async def shown(stand):
    page = await stand.ask(PreviewTable(name="t"))
    return [tuple(row.values()) for row in page.rows]


async def test_readers_see_a_former_version_and_may_be_shown_the_newer_again(stand, narrow, wide):
    old = await stand.source("t", ONE, narrow)
    new = await stand.load(old.table_id, TWO, wide)
    await stand.publish(new)
    listed = (await stand.ask(ListTableVersions(name="t"))).versions
    assert [(one.version, one.is_current, one.row_count) for one in listed] == [
        (new.version_id, True, 1),
        (old.version_id, False, 1),
    ]
    table = await stand.ask(RollbackTable(name="t", version=old.version_id))
    assert (table.version, [column.name for column in table.columns]) == (old.version_id, ["A"])
    assert await shown(stand) == [(1,)]
    listed = (await stand.ask(ListTableVersions(name="t"))).versions
    assert [(one.version, one.is_current) for one in listed] == [
        (old.version_id, True),
        (new.version_id, False),
    ]
    await stand.ask(RollbackTable(name="t", version=new.version_id))
    assert await shown(stand) == [(2, "new")]


async def test_going_to_where_readers_are_changes_nothing(stand, narrow):
    version = await stand.source("t", ONE, narrow)
    before = await stand.ask(GetTable(name="t"))
    assert await stand.ask(RollbackTable(name="t", version=version.version_id)) == before


async def test_recipes_are_checked_against_what_readers_see(stand, narrow, wide):
    old = await stand.source("t", ONE, narrow)
    await stand.publish(await stand.load(old.table_id, TWO, wide))
    recipe = await stand.transformation("copy", {"type": "source", "table": "t"})
    await stand.ask(RollbackTable(name="t", version=old.version_id))
    found = await stand.ask(GetTransformation(transformation_id=recipe.id))
    assert [column.name for column in found.columns] == ["A"]


async def test_a_version_that_is_not_the_tables_is_not_there(stand, narrow):
    await stand.source("t", ONE, narrow)
    other = await stand.source("u", ONE, narrow)
    for version in (new_id(), other.version_id):
        with pytest.raises(ProblemError) as caught:
            await stand.ask(RollbackTable(name="t", version=version))
        assert caught.value.problem.status == 404


async def test_what_reads_columns_that_were_not_there_then_is_named(stand, narrow, wide):
    old = await stand.source("t", ONE, narrow)
    new = await stand.load(old.table_id, TWO, wide)
    await stand.publish(new)
    schema = names.live_schema(stand.org_id)
    live = names.qualified(schema, names.live_name("source", old.table_id))
    connection = await stand.connection("transform")
    async with connection.transaction(), as_org(connection, stand.org_id):
        report = names.qualified(schema, "report")
        await connection.execute(f"CREATE VIEW {report} AS SELECT b FROM {live}")
    with pytest.raises(ProblemError) as caught:
        await stand.ask(RollbackTable(name="t", version=old.version_id))
    await connection.close()
    assert (caught.value.problem.status, caught.value.problem.code) == (409, "columns_still_used")
    assert "report" in caught.value.problem.detail
    assert await shown(stand) == [(2, "new")]
