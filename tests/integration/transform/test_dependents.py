"""Views on live views, when the live views have to be made anew: kept as they were, or named."""

import asyncpg
import pytest

from contracts.envelope import new_id
from contracts.problem import ProblemError
from contracts.transform import (
    GetTable,
    PublishFailed,
    PublishRun,
    RollbackTable,
    RunPublished,
)
from warehouse import names

from .warehouse_views import described, waiting_for_a_lock

ONE = "SELECT 1 AS a, 'x'::text AS b, 10 AS c"


async def refused(stand, *versions) -> str:
    failed = await stand.publish(*versions)
    assert isinstance(failed, PublishFailed)
    assert failed.problem.code == "columns_still_used"
    return failed.problem.detail


async def test_views_on_several_tables_are_put_back_as_they_were(
    stand, warehouse, held, column_factory
):
    t, u = await stand.source("t", ONE, held), await stand.source("u", ONE, held)
    org, lab, reader = warehouse.schema, warehouse.lab, warehouse.reader
    both, odd = f"{org}.both", f'{lab}."On ""top"" of it"'
    filled, empty = f"{org}.filled", f"{org}.empty"
    await warehouse.trust_the_analyst()
    await warehouse.as_(
        warehouse.org,
        f"CREATE VIEW {both} (a, second) WITH (security_barrier) AS "
        f"SELECT t.a, u.c FROM {warehouse.live(t)} t JOIN {warehouse.live(u)} u USING (a)",
        f"COMMENT ON VIEW {both} IS 'it''s; a \"comment\"'",
        f"COMMENT ON COLUMN {both}.second IS 'the other'",
        f"GRANT SELECT ON {both} TO {warehouse.analyst} WITH GRANT OPTION",
        f"GRANT UPDATE (a), SELECT (second) ON {both} TO {reader}",
        f"REVOKE SELECT ON {both} FROM {reader}",
        f"CREATE MATERIALIZED VIEW {filled} WITH (fillfactor = 70) AS SELECT a, count(*) AS n "
        f"FROM {both} GROUP BY a",
        f"CREATE UNIQUE INDEX by_a ON {filled} (a) WITH (fillfactor = 60)",
        f"COMMENT ON INDEX {org}.by_a IS 'one each'",
        f"COMMENT ON MATERIALIZED VIEW {filled} IS 'counted'",
        f"CREATE STATISTICS {org}.together ON a, n FROM {filled}",
        f"CREATE MATERIALIZED VIEW {empty} AS SELECT * FROM {filled} WITH NO DATA",
    )
    await warehouse.as_(
        warehouse.analyst,
        f"CREATE VIEW {odd} WITH (security_invoker, check_option = local) AS "
        f"SELECT a FROM {warehouse.live(t)} WHERE a IN (SELECT a FROM {both})",
        f"GRANT SELECT ON {odd} TO PUBLIC",
        f"REVOKE DELETE ON {odd} FROM {warehouse.analyst}",
    )
    everything = (both, odd, filled, empty)
    before = [await described(warehouse.superuser, view) for view in everything]

    # One at a time they would not go together: a number is no text.
    texts = column_factory(a="text", c="integer")
    load = "SELECT v AS a, 20 AS c FROM unnest(ARRAY['k', 'l']) v"
    newer = [await stand.load(version.table_id, load, texts) for version in (t, u)]
    assert isinstance(await stand.publish(*newer), RunPublished)

    assert [await described(warehouse.superuser, view) for view in everything] == before
    assert sorted(await warehouse.rows(both)) == [("k", 20), ("l", 20)]
    assert sorted(await warehouse.rows(odd)) == [("k",), ("l",)]
    assert sorted(await warehouse.rows(filled)) == [("k", 1), ("l", 1)]
    with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError, match="not been populated"):
        await warehouse.rows(empty)


async def test_everything_that_cannot_be_put_back_is_named_with_its_reason(
    stand, warehouse, held, column_factory
):
    version = await stand.source("t", ONE, held)
    live = warehouse.live(version)
    await warehouse.as_(
        warehouse.org, f"CREATE VIEW {warehouse.schema}.report AS SELECT b, c FROM {live}"
    )
    await warehouse.as_(
        warehouse.analyst, f"CREATE VIEW {warehouse.lab}.own AS SELECT a FROM {live}"
    )
    views = (f"{warehouse.schema}.report", f"{warehouse.lab}.own")
    before = [await described(warehouse.superuser, view) for view in views]
    narrow = await stand.load(version.table_id, "SELECT 1 AS a", column_factory(a="integer"))
    detail = await refused(stand, narrow)
    assert f"The view {views[0]} lacks 'B' of 't', 'C' of 't'." in detail
    assert f"The view {views[1]} belongs to '{warehouse.analyst}'" in detail
    assert [await described(warehouse.superuser, view) for view in views] == before
    assert await warehouse.rows(live) == [(1, "x", 10)]


async def test_what_reads_a_column_of_another_type_in_a_way_that_is_over_is_named(
    stand, warehouse, held, column_factory
):
    version = await stand.source("t", ONE, held)
    sums = f"{warehouse.schema}.sums"
    await warehouse.as_(
        warehouse.org, f"CREATE VIEW {sums} AS SELECT a + 1 AS n FROM {warehouse.live(version)}"
    )
    texts = column_factory(a="text", b="text", c="integer")
    newer = await stand.load(version.table_id, "SELECT 'k' AS a, 'x' AS b, 1 AS c", texts)
    detail = await refused(stand, newer)
    assert f"{sums} cannot be made on the new columns: operator does not exist" in detail
    assert await warehouse.rows(sums) == [(2,)]


async def test_a_materialised_view_that_cannot_be_filled_is_named(
    stand, warehouse, held, column_factory
):
    version = await stand.source("t", ONE, held)
    ones = f"{warehouse.schema}.ones"
    await warehouse.as_(
        warehouse.org,
        f"CREATE MATERIALIZED VIEW {ones} AS SELECT a FROM {warehouse.live(version)}",
        f"CREATE UNIQUE INDEX ON {ones} (a)",
    )
    twice = await stand.load(
        version.table_id, "SELECT 1::bigint AS a UNION ALL SELECT 1", column_factory(a="integer")
    )
    assert f"materialized view {ones}" in await refused(stand, twice)
    assert await warehouse.rows(ones) == [(1,)]


@pytest.mark.parametrize(
    ("made", "named"),
    [
        (
            """CREATE VIEW {org}.v AS SELECT a FROM {live};
            CREATE FUNCTION {org}.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END';
            CREATE TRIGGER instead INSTEAD OF INSERT ON {org}.v
            FOR EACH ROW EXECUTE FUNCTION {org}.f()""",
            "{org}.v would not get back its triggers",
        ),
        (
            "CREATE RULE nothing AS ON INSERT TO {live} DO INSTEAD NOTHING",
            "{live} would not get back its rules",
        ),
        (
            """CREATE VIEW {org}.v AS SELECT a FROM {live};
            ALTER VIEW {org}.v ALTER COLUMN a SET DEFAULT 7""",
            "{org}.v would not get back its columns",
        ),
        (
            "CREATE FUNCTION {org}.f() RETURNS bigint BEGIN ATOMIC SELECT count(*) FROM {live}; END",
            "function {org}.f()",
        ),
        (
            """CREATE TABLE {org}.s (id int);
            CREATE RULE also AS ON INSERT TO {org}.s DO ALSO SELECT a FROM {live}""",
            "rule also on table {org}.s",
        ),
        ("CREATE TABLE {org}.s (whole {live})", "column whole of table {org}.s"),
        (
            """CREATE VIEW {org}.v AS SELECT a FROM {live};
            CREATE VIEW {org}.w AS SELECT a FROM {org}.v;
            CREATE OR REPLACE VIEW {org}.v AS SELECT a FROM {org}.w UNION ALL SELECT a FROM {live}""",
            "{org}.w",
        ),
    ],
)
async def test_what_postgresql_cannot_be_asked_to_make_anew_is_named(
    stand, warehouse, held, column_factory, made, named
):
    version = await stand.source("t", ONE, held)
    words = {"org": warehouse.schema, "live": warehouse.live(version)}
    await warehouse.as_(warehouse.org, made.format(**words))
    narrow = await stand.load(version.table_id, "SELECT 1 AS a", column_factory(a="integer"))
    assert named.format(**words) in await refused(stand, narrow)
    assert (await stand.ask(GetTable(name="t"))).version == version.version_id


async def test_a_grant_that_another_gave_on_is_not_taken_for_the_owners(
    stand, warehouse, held, column_factory
):
    version = await stand.source("t", ONE, held)
    live = warehouse.live(version)
    await warehouse.as_(
        warehouse.org, f"GRANT SELECT ON {live} TO {warehouse.analyst} WITH GRANT OPTION"
    )
    await warehouse.as_(warehouse.analyst, f"GRANT SELECT ON {live} TO dalgo_transform")
    narrow = await stand.load(version.table_id, "SELECT 1 AS a", column_factory(a="integer"))
    assert f"{live} would not get back its grants" in await refused(stand, narrow)


async def test_names_in_a_functions_text_hold_nothing_up(stand, warehouse, held, column_factory):
    version = await stand.source("t", ONE, held)
    count = f"{warehouse.schema}.how_many()"
    await warehouse.as_(
        warehouse.org,
        f"CREATE FUNCTION {count} RETURNS bigint LANGUAGE sql "
        f"AS 'SELECT count(*) FROM {warehouse.live(version)}'",
    )
    narrow = await stand.load(version.table_id, "SELECT 1 AS a", column_factory(a="integer"))
    assert isinstance(await stand.publish(narrow), RunPublished)
    assert await warehouse.superuser.fetchval(f"SELECT {count}") == 1


async def test_a_view_that_only_a_session_has_is_named(stand, warehouse, held, column_factory):
    version = await stand.source("t", ONE, held)
    await warehouse.trust_the_analyst()
    await warehouse.superuser.execute(f"GRANT TEMPORARY ON DATABASE dalgo TO {warehouse.analyst}")
    await warehouse.as_(
        warehouse.analyst, f"CREATE TEMPORARY VIEW mine AS SELECT a FROM {warehouse.live(version)}"
    )
    narrow = await stand.load(version.table_id, "SELECT 1 AS a", column_factory(a="integer"))
    assert "mine is a temporary view of an open session" in await refused(stand, narrow)


async def test_a_live_view_that_is_made_anew_keeps_what_people_gave_it(
    stand, warehouse, held, column_factory
):
    version = await stand.source("t", ONE, held)
    live = warehouse.live(version)
    await warehouse.as_(
        warehouse.org,
        f"COMMENT ON VIEW {live} IS 'people'",
        f"COMMENT ON COLUMN {live}.a IS 'age'",
        f"COMMENT ON COLUMN {live}.b IS 'goes'",
        f"GRANT SELECT ON {live} TO {warehouse.analyst} WITH GRANT OPTION",
        f"GRANT SELECT (a, b) ON {live} TO dalgo_ingest",
        f"REVOKE SELECT ON {live} FROM {warehouse.reader}",
        f"ALTER VIEW {live} SET (security_barrier)",
    )
    before = await described(warehouse.superuser, live)
    newer = await stand.load(
        version.table_id, "SELECT 'k' AS a, 2 AS c, 3 AS d", column_factory(a="text", c="integer")
    )
    assert isinstance(await stand.publish(newer), RunPublished)
    after = await described(warehouse.superuser, live)
    for same in ("owner", "grants", "options", "comment"):
        assert after[same] == before[same], same
    assert after["columns"] == [before["columns"][0], before["columns"][2]]
    # And all that comes later is given as it is by default: the rest of the session is untouched.
    assert (await stand.ask(GetTable(name="t"))).version == newer.version_id


async def test_code_of_another_never_runs_while_its_view_is_put_back(
    stand, other, warehouse, held, column_factory
):
    """A literal of a type with a check is read, and checked, whenever the view is made.

    The check would run with the rights of the service's login, which may take any organisation's role.
    """
    version = await stand.source("t", ONE, held)
    live, lab = warehouse.live(version), warehouse.lab
    theirs = names.org_role(other.org_id)
    await warehouse.trust_the_analyst()
    await warehouse.as_(
        warehouse.analyst,
        f"CREATE FUNCTION {lab}.grab(int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN "
        f"EXECUTE 'SET LOCAL ROLE {theirs}'; RETURN true; END $$",
        f"CREATE DOMAIN {lab}.number AS int",
        f"CREATE VIEW {lab}.trap AS SELECT a, '{{1}}'::{lab}.number[] AS n FROM {live}",
        f"ALTER DOMAIN {lab}.number ADD CHECK ({lab}.grab(VALUE))",
    )
    narrow = await stand.load(version.table_id, "SELECT 1 AS a", column_factory(a="integer"))
    assert f"{lab}.trap uses the type {lab}.number[]" in await refused(stand, narrow)
    await warehouse.as_(warehouse.analyst, f"DROP VIEW {lab}.trap")
    # A function of its own runs where PostgreSQL lets nobody take another role.
    grab = f"CREATE OR REPLACE FUNCTION {lab}.grab(int) RETURNS boolean LANGUAGE plpgsql AS"
    await warehouse.as_(
        warehouse.analyst,
        f"{grab} 'BEGIN RETURN true; END'",
        f"CREATE MATERIALIZED VIEW {lab}.trap AS SELECT a, {lab}.grab(a) FROM {live}",
        f"{grab} $$ BEGIN EXECUTE 'SET LOCAL ROLE {theirs}'; RETURN true; END $$",
    )
    assert "security-restricted operation" in await refused(stand, narrow)


async def test_another_organisations_view_is_not_ours_though_the_service_works_for_both(
    stand, other, warehouse, held, column_factory
):
    version = await stand.source("t", ONE, held)
    theirs, live = names.org_role(other.org_id), warehouse.live(version)
    await warehouse.superuser.execute(f"GRANT {warehouse.reader} TO {theirs}")
    await warehouse.as_(
        theirs, f"CREATE VIEW {names.live_schema(other.org_id)}.borrowed AS SELECT a FROM {live}"
    )
    narrow = await stand.load(version.table_id, "SELECT 1 AS a", column_factory(a="integer"))
    assert f"{names.live_schema(other.org_id)}.borrowed belongs to '{theirs}'" in await refused(
        stand, narrow
    )


async def test_going_back_carries_views_over_too(stand, warehouse, held, column_factory):
    old = await stand.source("t", ONE, held)
    live, report = warehouse.live(old), f"{warehouse.schema}.report"
    wide = column_factory(z="text", a="integer", b="text", c="integer")
    new = await stand.load(old.table_id, "SELECT 'z' AS z, 2 AS a, 'y' AS b, 3 AS c", wide)
    await stand.publish(new)
    await warehouse.as_(warehouse.org, f"CREATE VIEW {report} AS SELECT a, b FROM {live}")
    await stand.ask(RollbackTable(name="t", version=old.version_id))
    assert await warehouse.rows(report) == [(1, "x")]
    await stand.ask(RollbackTable(name="t", version=new.version_id))
    await warehouse.as_(
        warehouse.org, f"CREATE VIEW {warehouse.schema}.late AS SELECT z FROM {live}"
    )
    with pytest.raises(ProblemError) as caught:
        await stand.ask(RollbackTable(name="t", version=old.version_id))
    assert f"{warehouse.schema}.late lacks 'Z' of 't'" in caught.value.problem.detail


async def test_columns_that_only_moved_stay_where_they_were_for_those_who_depend_on_them(
    stand, warehouse, held, column_factory
):
    version = await stand.source("t", ONE, held)
    live = warehouse.live(version)
    turned = column_factory(c="integer", a="integer", d="text", b="text")
    load = "SELECT 10 AS c, 1 AS a, 'new' AS d, 'x'::text AS b"
    await warehouse.as_(
        warehouse.analyst, f"CREATE VIEW {warehouse.lab}.own AS SELECT * FROM {live}"
    )
    assert isinstance(
        await stand.publish(await stand.load(version.table_id, load, turned)), RunPublished
    )
    assert await warehouse.rows(live) == [(1, "x", 10, "new")]
    await warehouse.as_(warehouse.analyst, f"DROP VIEW {warehouse.lab}.own")
    await stand.publish(await stand.load(version.table_id, load, turned))
    assert await warehouse.rows(live) == [(10, 1, "new", "x")]


async def test_who_reads_a_dependent_is_waited_for_and_named(
    stand, warehouse, superuser, held, column_factory
):
    version = await stand.source("t", ONE, held)
    filled = f"{warehouse.schema}.filled"
    await warehouse.as_(
        warehouse.org,
        f"CREATE MATERIALIZED VIEW {filled} AS SELECT a FROM {warehouse.live(version)}",
    )
    narrow = await stand.load(version.table_id, "SELECT 2 AS a", column_factory(a="integer"))
    async with superuser.transaction():
        await superuser.execute("SET LOCAL application_name = 'a long report'")
        assert await warehouse.rows(filled) == [(1,)]
        failed = await stand.publish(narrow)
        assert isinstance(failed, PublishFailed)
        assert failed.problem.code == "tables_locked"
        assert "a long report" in failed.problem.detail
        assert await warehouse.rows(filled) == [(1,)]
    assert isinstance(await stand.publish(narrow), RunPublished)
    assert await warehouse.rows(filled) == [(2,)]


async def test_a_view_that_is_made_while_a_publish_waits_is_carried_over_too(
    stand, warehouse, superuser, held, column_factory
):
    version = await stand.source("t", ONE, held)
    late = f"{warehouse.schema}.late"
    narrow = await stand.load(version.table_id, "SELECT 2 AS a", column_factory(a="integer"))
    run_id = new_id()
    async with superuser.transaction():
        await superuser.execute(f"SET LOCAL ROLE {warehouse.org}")
        await superuser.execute(f"CREATE VIEW {late} AS SELECT a FROM {warehouse.live(version)}")
        await stand.send(PublishRun(run_id=run_id, step_id=new_id(), tables=(narrow,)))
        await waiting_for_a_lock(stand)
    assert isinstance(await stand.hear(RunPublished, PublishFailed, run_id=run_id), RunPublished)
    assert await warehouse.rows(late) == [(2,)]


async def test_a_view_that_is_dropped_while_a_publish_waits_for_it_holds_nothing_up(
    stand, warehouse, superuser, held, column_factory
):
    version = await stand.source("t", ONE, held)
    narrow = await stand.load(version.table_id, "SELECT 2 AS a", column_factory(a="integer"))
    filled = f"{warehouse.schema}.filled"
    await warehouse.as_(
        warehouse.org,
        f"CREATE MATERIALIZED VIEW {filled} AS SELECT a FROM {warehouse.live(version)}",
    )
    run_id = new_id()
    async with superuser.transaction():
        await superuser.execute(f"ALTER MATERIALIZED VIEW {filled} OWNER TO CURRENT_USER")
        await stand.send(PublishRun(run_id=run_id, step_id=new_id(), tables=(narrow,)))
        await waiting_for_a_lock(stand)
        await superuser.execute(f"DROP MATERIALIZED VIEW {filled}")
    assert isinstance(await stand.hear(RunPublished, PublishFailed, run_id=run_id), RunPublished)


async def test_an_owner_who_may_not_make_views_there_any_more_is_named(
    stand, warehouse, held, column_factory
):
    version = await stand.source("t", ONE, held)
    await warehouse.trust_the_analyst()
    view = f"{warehouse.schema}.guest"
    await warehouse.as_(
        warehouse.org, f"CREATE VIEW {view} AS SELECT a FROM {warehouse.live(version)}"
    )
    await warehouse.superuser.execute(f"ALTER VIEW {view} OWNER TO {warehouse.analyst}")
    narrow = await stand.load(version.table_id, "SELECT 1 AS a", column_factory(a="integer"))
    assert f"{view} cannot be made on the new columns: permission denied" in await refused(
        stand, narrow
    )
    assert await warehouse.rows(view) == [(1,)]


@pytest.mark.parametrize(
    "columns", [{"a": "integer", "b": "text", "c": "integer"}, {"a": "integer"}]
)
async def test_a_live_view_that_was_given_to_another_is_named(
    stand, warehouse, held, column_factory, columns
):
    version = await stand.source("t", ONE, held)
    live = warehouse.live(version)
    await warehouse.superuser.execute(f"ALTER VIEW {live} OWNER TO {warehouse.analyst}")
    select = ", ".join(f"NULL::{kind} AS {name}" for name, kind in columns.items())
    newer = await stand.load(version.table_id, f"SELECT {select}", column_factory(**columns))
    failed = await stand.publish(newer)
    assert isinstance(failed, PublishFailed)
    assert failed.problem.code == "live_view_not_ours"
    assert live.partition(".")[2] in failed.problem.detail
