"""Code of a view's owner, when a publish makes the view anew: it reaches nothing but the owner's."""

import pytest

from contracts.transform import PublishFailed, RunPublished
from warehouse import names

ONE = "SELECT 1 AS a, 'x'::text AS b, 10 AS c"

_ATTEMPT = """
    BEGIN
        {statement};
    EXCEPTION WHEN OTHERS THEN NULL;
    END;
"""


def functions(warehouse, other) -> list[str]:
    """What the analyst writes: `evil` may be computed while a statement is planned."""
    lab, own = warehouse.lab, names.data_schema(warehouse.stand.org_id)
    theirs, theirs_data = names.org_role(other.org_id), names.data_schema(other.org_id)
    outbox = (
        "EXECUTE $x$INSERT INTO dalgo_transform.outbox (id, stream, subject, headers, body) "
        f"VALUES (gen_random_uuid(), 'EVT', 'evt.{lab}.planted', '{{}}', '')$x$"
    )
    steal = f"EXECUTE 'CREATE TABLE {theirs_data}.stolen (n int)'"
    tries = [
        f"PERFORM set_config('role', '{theirs}', true); {steal}",
        f"EXECUTE 'SET ROLE {theirs}'; {steal}",
        f"PERFORM set_config('role', 'none', true); {outbox}",
        f"PERFORM set_config('role', 'dalgo_transform_system', true); {outbox}",
        f"EXECUTE 'CREATE TABLE {own}.planted (n int)'",
        f"INSERT INTO {lab}.bait VALUES (1)",
        f"EXECUTE 'DECLARE later CURSOR WITH HOLD FOR SELECT {lab}.attempts()'",
        "PERFORM set_config('app.org_id', '', false)",
    ]
    body = "".join(_ATTEMPT.format(statement=statement) for statement in tries)
    return [
        f"""
        CREATE TABLE {lab}.bait (n int);
        CREATE FUNCTION {lab}.attempts() RETURNS int LANGUAGE plpgsql AS $evil$ BEGIN
            IF session_user = 'dalgo_transform' THEN {body} END IF;
            RETURN 1;
        END $evil$;
        CREATE FUNCTION {lab}.evil(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE
            AS $$ BEGIN RETURN {lab}.attempts(); END $$;
        CREATE FUNCTION {lab}.fired() RETURNS trigger LANGUAGE plpgsql
            AS $$ BEGIN PERFORM {lab}.attempts(); RETURN new; END $$;
        CREATE CONSTRAINT TRIGGER late AFTER INSERT ON {lab}.bait DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION {lab}.fired()
        """
    ]


async def harm(warehouse, other) -> list[str]:
    found = await warehouse.superuser.fetch(
        "SELECT relname::text AS name FROM pg_class WHERE relname IN ('stolen', 'planted') "
        "AND relnamespace = ANY (ARRAY[$1, $2]::regnamespace[]) "
        "UNION ALL SELECT subject FROM dalgo_transform.outbox WHERE subject = $3",
        names.data_schema(other.org_id),
        names.data_schema(warehouse.stand.org_id),
        f"evt.{warehouse.lab}.planted",
    )
    return [row["name"] for row in found]


VECTORS = {
    "body": "CREATE MATERIALIZED VIEW {lab}.trap AS SELECT a, {lab}.evil(1) AS n FROM {live}",
    "index": "CREATE MATERIALIZED VIEW {lab}.trap AS SELECT a FROM {live}; "
    "CREATE INDEX ON {lab}.trap (({lab}.evil(1)))",
    "predicate": "CREATE MATERIALIZED VIEW {lab}.trap AS SELECT a FROM {live}; "
    "CREATE INDEX ON {lab}.trap (a) WHERE {lab}.evil(1) > 0",
    "statistics": "CREATE MATERIALIZED VIEW {lab}.trap AS SELECT a FROM {live}; "
    "CREATE STATISTICS {lab}.s ON (a + {lab}.evil(1)), a FROM {lab}.trap",
    "view": "CREATE VIEW {lab}.trap AS SELECT a, {lab}.evil(1) AS n FROM {live}",
    "view on a trap": "CREATE MATERIALIZED VIEW {lab}.base AS SELECT a FROM {live}; "
    "CREATE INDEX ON {lab}.base (({lab}.evil(1))); "
    "CREATE MATERIALIZED VIEW {lab}.trap AS SELECT a FROM {lab}.base",
}


@pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS)
async def test_an_owners_code_reaches_nothing_when_its_view_is_made_anew(
    stand,
    other,
    warehouse,
    held,
    column_factory,
    vector,
):
    version = await stand.source("t", ONE, held)
    await warehouse.trust_the_analyst()
    await warehouse.as_(warehouse.analyst, *functions(warehouse, other))
    made = vector.format(lab=warehouse.lab, live=warehouse.live(version))
    await warehouse.as_(warehouse.analyst, made)
    narrow = await stand.load(version.table_id, "SELECT 1 AS a", column_factory(a="integer"))
    assert isinstance(await stand.publish(narrow), RunPublished)
    assert await harm(warehouse, other) == []


async def test_an_organisations_own_view_does_not_lend_its_rights_to_anothers_code(
    stand,
    other,
    warehouse,
    held,
    column_factory,
):
    """Filled anew it would plan, and run, what another role wrote, as the organisation."""
    version = await stand.source("t", ONE, held)
    await warehouse.trust_the_analyst()
    await warehouse.as_(warehouse.analyst, *functions(warehouse, other))
    made = VECTORS["view"].format(lab=warehouse.lab, live=warehouse.live(version))
    grant = f"GRANT SELECT ON {warehouse.lab}.trap TO {warehouse.org}"
    use = f"GRANT USAGE ON SCHEMA {warehouse.lab} TO {warehouse.org}"
    await warehouse.as_(warehouse.analyst, made, grant, use)
    await warehouse.as_(
        warehouse.org,
        f"CREATE MATERIALIZED VIEW {warehouse.schema}.mine AS SELECT a, n FROM {warehouse.lab}.trap",
    )
    narrow = await stand.load(version.table_id, "SELECT 1 AS a", column_factory(a="integer"))
    failed = await stand.publish(narrow)
    assert await harm(warehouse, other) == []
    assert isinstance(failed, PublishFailed)
    assert f"{warehouse.schema}.mine" in failed.problem.detail
    assert warehouse.analyst in failed.problem.detail
