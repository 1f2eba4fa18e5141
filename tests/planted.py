"""Code that a loader plants in its table: what it tries, where it is put, and what came of it."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from chassis.database import Database
from contracts.envelope import new_id
from warehouse.loaders import issue_loader
from warehouse.names import data_schema, landing_schema, live_schema, loader_role, org_role, quoted

SECRET = "only the victim may read this"
RUNS = "planted code runs"
REFUSED = "refused: "

_ATTEMPT = """
    BEGIN
        {statement};
        RAISE NOTICE 'harm done';
    EXCEPTION WHEN OTHERS THEN RAISE NOTICE '{refused}%', SQLERRM;
    END;
"""

_FUNCTIONS = """
-- Or the setting of a role would be tried, and refused, when the function is made.
SET check_function_bodies = off;
CREATE FUNCTION {landing}.as_victim() RETURNS int LANGUAGE plpgsql SET role = {victim}
    AS $$ BEGIN EXECUTE 'CREATE TABLE {victim_data}.by_setting (n int)'; RETURN 1; END $$;
CREATE FUNCTION {landing}.attempts() RETURNS int LANGUAGE plpgsql VOLATILE AS $evil$
BEGIN
    IF session_user <> 'dalgo_ingest' AND session_user <> 'dalgo_transform' THEN
        RETURN 1;
    END IF;
    -- What runs at the end of a transaction would else go on for ever.
    IF coalesce(nullif(current_setting('planted.times', true), ''), '0')::int > 3 THEN
        RETURN 1;
    END IF;
    PERFORM set_config('planted.times',
        (coalesce(nullif(current_setting('planted.times', true), ''), '0')::int + 1)::text, false);
    RAISE NOTICE '{runs}';
    {attempts}
    RETURN 1;
END $evil$;
CREATE FUNCTION {landing}.evil(given int) RETURNS int LANGUAGE plpgsql IMMUTABLE
    AS $$ BEGIN RETURN {landing}.attempts() * given; END $$;
CREATE FUNCTION {landing}.fired() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN PERFORM {landing}.attempts(); RETURN new; END $$;
CREATE TABLE {landing}.bait (n int);
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON {landing}.bait DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION {landing}.fired();
"""

_OUTBOX = (
    "INSERT INTO dalgo_ingest.outbox (id, stream, subject, headers, body) "
    "VALUES (gen_random_uuid(), 'EVT', 'evt.{victim}.planted', '{{}}', '')"
)


@dataclass(frozen=True)
class Planter:
    """A loader of one organisation, and another organisation that has a table with a secret."""

    org_id: UUID
    source_id: UUID
    victim: UUID
    session: asyncpg.Connection
    """As the loader."""
    superuser: asyncpg.Connection

    @property
    def landing(self) -> str:
        """The schema that the loader may fill."""
        return landing_schema(self.org_id)

    @property
    def own_data(self) -> str:
        """The versions of the loader's own organisation."""
        return data_schema(self.org_id)

    async def plant(self, vector: str) -> None:
        """Run a vector's statements as the loader."""
        await self.session.execute(vector.format(own_data=self.own_data, landing=self.landing))

    async def harm(self) -> list[str]:
        """All that planted code has brought about."""
        found = await self.superuser.fetch(
            "SELECT nspname || '.' || relname AS name FROM pg_class "
            "JOIN pg_namespace ON pg_namespace.oid = relnamespace "
            "WHERE nspname = ANY ($1::text[]) AND relkind IN ('r', 'i') "
            "AND relname !~ '^(secret|v_[a-v0-9]{26})$'",
            [data_schema(self.victim), self.own_data, live_schema(self.org_id)],
        )
        events = await self.superuser.fetch(
            "SELECT subject FROM dalgo_ingest.outbox WHERE subject = $1",
            f"evt.{org_role(self.victim)}.planted",
        )
        functions = await self.superuser.fetch(
            "SELECT proname FROM pg_proc WHERE pronamespace = $1::text::regnamespace", self.own_data
        )
        taken = await self.superuser.fetch(f"SELECT n FROM {self.landing}.bait")
        return [str(tuple(row)) for row in (*found, *events, *functions, *taken)]


def attempts(org_id: UUID, victim: UUID) -> list[str]:
    """What planted code tries; each statement is one attempt by itself."""
    own, other, other_data = org_role(org_id), org_role(victim), data_schema(victim)
    own_data, landing = data_schema(org_id), landing_schema(org_id)
    steal = f"EXECUTE 'CREATE TABLE {other_data}.{{}} AS SELECT * FROM {other_data}.secret'"
    outbox = f"EXECUTE $x${_OUTBOX.format(victim=other)}$x$"
    back = f"PERFORM set_config('role', '{own}', true)"
    return [
        f"PERFORM set_config('role', '{other}', true); {steal.format('by_config')}; {back}",
        f"EXECUTE 'SET LOCAL ROLE {other}'; {steal.format('by_role')}; {back}",
        f"EXECUTE 'SET ROLE {other}'; {steal.format('by_session')}; {back}",
        f"PERFORM {landing}.as_victim()",
        f"PERFORM set_config('session_authorization', '{other}', true)",
        f"PERFORM set_config('role', 'none', true); {outbox}; {back}",
        f"EXECUTE 'RESET ROLE'; {outbox}; {back}",
        f"PERFORM set_config('role', 'dalgo_ingest_system', true); {outbox}; {back}",
        # With the organisation's own rights: what a service's other sessions would run later.
        f"EXECUTE 'CREATE TABLE {own_data}.planted (n int)'",
        f"EXECUTE 'CREATE INDEX second_stage ON {own_data}.secret (({landing}.evil(1)))'",
        # What runs when the transaction ends.
        f"INSERT INTO {landing}.bait VALUES (1)",
        f"EXECUTE 'DECLARE later CURSOR WITH HOLD FOR SELECT {landing_schema(org_id)}.attempts()'",
    ]


async def planter(ground: Any, org_id: UUID) -> Planter:
    """Both organisations, and the loader's functions; `session` and `superuser` are to be closed."""
    victim, source_id = new_id(), new_id()
    pool = await asyncpg.create_pool(ground.database_url("transform"), min_size=1, max_size=1)
    transform = Database(pool, "transform")
    password = await issue_loader(transform, org_id, source_id)
    await issue_loader(transform, victim, new_id())
    await pool.close()
    superuser = await asyncpg.connect(ground.superuser_url)
    for org in (org_id, victim):
        secret = f"{data_schema(org)}.secret"
        await superuser.execute(f"CREATE TABLE {secret} AS SELECT '{SECRET}'::text AS note, 1 AS n")
        await superuser.execute(f"ALTER TABLE {secret} OWNER TO {quoted(org_role(org))}")
    name = loader_role(org_id, source_id)
    # As on a server that is not ours.
    await superuser.execute(f"GRANT USAGE ON LANGUAGE plpgsql TO {quoted(name)}")
    place = ground.migrator_url.partition("@")[2]
    session = await asyncpg.connect(f"postgresql://{name}:{password}@{place}")
    tries = "".join(
        _ATTEMPT.format(statement=statement, refused=REFUSED)
        for statement in attempts(org_id, victim)
    )
    await session.execute(
        _FUNCTIONS.format(
            landing=landing_schema(org_id),
            victim=org_role(victim),
            victim_data=data_schema(victim),
            runs=RUNS,
            attempts=tries,
        )
    )
    return Planter(org_id, source_id, victim, session, superuser)


PLANNED = {
    "index": "CREATE TABLE wells AS SELECT 1 AS n; CREATE INDEX ON wells ((evil(1)))",
    "predicate": "CREATE TABLE wells AS SELECT 1 AS n; CREATE INDEX ON wells (n) WHERE evil(1) > 0",
    "statistics": "CREATE TABLE wells AS SELECT 1 AS n; "
    "CREATE STATISTICS s ON (n + evil(1)), n FROM wells",
    "partition key": "CREATE TABLE wells (n int) PARTITION BY LIST ((n + evil(1))); "
    "CREATE TABLE rest PARTITION OF wells DEFAULT",
    "index of a partition": "CREATE TABLE wells (n int) PARTITION BY LIST (n); "
    "CREATE TABLE one PARTITION OF wells FOR VALUES IN (1); CREATE INDEX ON one ((evil(1)))",
    "index of a child": "CREATE TABLE wells (n int); CREATE TABLE child () INHERITS (wells); "
    "CREATE INDEX ON child ((evil(1)))",
}
"""What PostgreSQL's planner computes while it plans any statement that reads the table."""

NOT_PLANNED = {
    "check": "CREATE TABLE wells AS SELECT 1 AS n; ALTER TABLE wells ADD CHECK (evil(1) > 0)",
    "generated column": "CREATE TABLE wells (n int, g int GENERATED ALWAYS AS (evil(1)) STORED); "
    "INSERT INTO wells VALUES (1)",
    "default": "CREATE TABLE wells (n int DEFAULT evil(1)); INSERT INTO wells DEFAULT VALUES",
    "view": "CREATE VIEW wells AS SELECT evil(1) AS n",
    "policy": "CREATE TABLE wells AS SELECT 1 AS n; "
    "ALTER TABLE wells ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; "
    "CREATE POLICY mine ON wells USING (evil(1) > 0)",
    "cast": "CREATE TYPE mood AS ENUM ('ok'); "
    "CREATE FUNCTION worse(mood) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT evil(1)::text'; "
    "CREATE CAST (mood AS text) WITH FUNCTION worse(mood) AS IMPLICIT; "
    "CREATE TABLE wells AS SELECT 'ok'::mood AS n",
    "domain": "CREATE DOMAIN odd AS int; CREATE TABLE wells AS SELECT 1::odd AS n; "
    "ALTER DOMAIN odd ADD CHECK (evil(1) > 0)",
    "trigger": "CREATE TABLE wells AS SELECT 1 AS n; CREATE TRIGGER t BEFORE INSERT ON wells "
    "FOR EACH ROW EXECUTE FUNCTION fired()",
    "rule": "CREATE TABLE wells AS SELECT 1 AS n; "
    "CREATE RULE r AS ON INSERT TO wells DO ALSO SELECT evil(1)",
}
"""What does not run while the table is read."""
