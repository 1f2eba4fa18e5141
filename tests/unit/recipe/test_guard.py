"""The guard refuses every statement that no recipe compiles to."""

import logging

import pytest

from recipe.guard import Forbidden, guard


@pytest.mark.parametrize(
    "sql",
    [
        "select 1; select 2",
        "",
        "insert into org.a select 1",
        "delete from org.a",
        "create table org.b as select 1",
        "select 1 into org.b",
        "select a from org.a for update",
        "with x as (delete from org.a returning a) select a from x",
        "with recursive x as (select 1 as a union all select a from x) select a from x",
        "select a from other.a",
        "select a from pg_authid",
        "select a from pg_catalog.pg_class",
        "select a from db.org.a",
        "with x as (select a from pg_authid), pg_authid as (select 1 as a) select a from x",
        "with pg_authid as (select a from pg_authid) select a from pg_authid",
        "select a from pg_authid where exists (with pg_authid as (select 1) select 1 from pg_authid)",
        "select a from pg_ls_dir('.')",
        "select a from org.a, lateral pg_sleep(1)",
        "select pg_sleep(10)",
        "select pg_catalog.pg_read_file('/etc/passwd')",
        "select lo_import('/etc/passwd')",
        "select set_config('role', 'postgres', false)",
        "select query_to_xml('select 1', true, true, '')",
        "select current_user",
        "select current_setting('app.mask_key')",
        "select encode(decode(current_setting('app.mask_key'), 'hex'), 'hex')",
        "select sha256(convert_to(current_setting('app.org_id'), 'UTF8'))",
        "select sha256(convert_to(current_setting('app.mask_key', true), 'UTF8'))",
        "select sha256(convert_to(current_setting('dalgo.' || 'mask_key'), 'UTF8'))",
        "select pg_catalog.current_setting('app.mask_key')",
        "select 'pg_authid'::regclass",
        "select a from org.a tablesample system (1)",
        "select a operator(pg_catalog.+) 1 from org.a",
        "select a from org.a union select a from pg_authid",
        "select $1",
        "copy org.a to program 'x'",
        "do $$ begin end $$",
        "explain select 1",
    ],
)
def test_the_statement_is_refused(sql: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, logger="sqlglot")
    with pytest.raises(Forbidden):
        guard(sql, {"org"})


def test_a_union_is_looked_at_on_both_sides() -> None:
    guard('SELECT "a" FROM (SELECT "a" FROM "org"."v" UNION ALL SELECT 1) AS "t"', {"org"})
    with pytest.raises(Forbidden, match="reads"):
        guard(
            'SELECT "a" FROM (SELECT "a" FROM "org"."v" UNION SELECT 1 FROM "x"."y") AS "t"',
            {"org"},
        )


def test_a_select_over_the_schemas_tables_passes() -> None:
    guard('WITH "s" AS (SELECT "a" FROM "org"."v") SELECT LOWER("a") COLLATE "C" FROM "s"', {"org"})
