"""Random changes of columns under random views: each is carried over as it was, or named."""

import os
from random import Random

import asyncpg
import pytest

from chassis.database import Database
from chassis.settings import ServiceSettings
from contracts.envelope import new_id
from contracts.problem import ProblemError
from contracts.tables import Column, TableVersion
from transform.domain import CatalogueTable
from transform.live_views import replace_views
from warehouse import names
from warehouse.access import as_org
from warehouse.provision import provision

from .warehouse_views import described

STEPS = int(os.environ.get("WILD", "60"))
"""How many: few in every run of the tests, thousands when somebody looks for trouble."""

TYPES = ("integer", "bigint", "numeric(10,2)", "text", "date")
TABLES = 3


class Walk:
    """An organisation with three tables, and views that come and go between publishes."""

    def __init__(
        self, org_id, database: Database, superuser: asyncpg.Connection, seed: int
    ) -> None:
        self.org_id = org_id
        self.database = database
        self.superuser = superuser
        self.dice = Random(seed)
        self.org = names.org_role(org_id)
        self.schema = names.live_schema(org_id)
        self.trusted, self.stranger = f"trusted_{org_id.hex}", f"stranger_{org_id.hex}"
        self.columns: list[dict[str, str]] = [{"a": "integer"}] * TABLES
        self.tables = [CatalogueTable(new_id(), "source", f"t{n}", ()) for n in range(TABLES)]
        self.views: dict[str, set[str]] = {}
        """Each view with all that it reads, itself included."""
        self.carried = self.refused = 0

    async def begin(self) -> None:
        async with self.database.transaction() as connection:
            await provision(connection, self.org_id)
        reader = names.reader_role(self.org_id)
        for role in (self.trusted, self.stranger):
            await self.superuser.execute(
                f"CREATE ROLE {role} IN ROLE {reader}; CREATE SCHEMA {role} AUTHORIZATION {role};"
                f"GRANT USAGE ON SCHEMA {role} TO {reader}"
            )
        await self.superuser.execute(
            f"GRANT {self.trusted} TO {self.org} WITH INHERIT FALSE, SET TRUE"
        )
        await self.publish(self.columns)

    def live(self, number: int) -> str:
        return f"{self.schema}.{self.tables[number].physical_name}"

    async def publish(self, wanted: list[dict[str, str]]) -> None:
        changed = [
            (self.tables[number], await self.load(number, wanted[number]))
            for number in range(TABLES)
            if wanted[number] is not self.columns[number] or not self.views
        ]
        async with (
            self.database.organization(self.org_id) as connection,
            as_org(connection, self.org_id),
        ):
            await replace_views(connection, self.org_id, changed)

    async def load(self, number: int, columns: dict[str, str]) -> TableVersion:
        version_id = new_id()
        relation = names.version_relation(version_id)
        select = ", ".join(f"NULL::{kind} AS {name}" for name, kind in columns.items())
        async with (
            self.database.organization(self.org_id) as connection,
            as_org(connection, self.org_id),
        ):
            await connection.execute(
                f"CREATE TABLE {self.schema}_data.{relation} AS SELECT {select}"
            )
        return TableVersion(
            table_id=self.tables[number].table_id,
            version_id=version_id,
            relation=relation,
            columns=tuple(Column(name=name, physical=name, type="text") for name in columns),
            rows=1,
            bytes=8192,
            fingerprint="f",
        )

    def altered(self) -> list[dict[str, str]]:
        """Other columns for some tables; `a` is always there."""
        wanted = list(self.columns)
        for number in self.dice.sample(range(TABLES), self.dice.randint(1, TABLES)):
            columns = dict(self.columns[number])
            for _ in range(self.dice.randint(1, 2)):
                name = self.dice.choice("abcd")
                match self.dice.randrange(4):
                    case 0 if name != "a":
                        columns.pop(name, None)
                    case 1:
                        items = list(columns.items())
                        self.dice.shuffle(items)
                        columns = dict(items)
                    case 2:
                        columns[name] = self.dice.choice(TYPES)
                    case _:
                        columns.setdefault(name, self.dice.choice(TYPES))
            wanted[number] = columns
        return wanted

    async def make_view(self) -> None:
        name = f"v{len(self.views)}_{self.dice.randrange(10**6)}"
        owner = self.dice.choices((self.org, self.trusted, self.stranger), (6, 4, 1))[0]
        view = f"{self.schema if owner == self.org else owner}.{name}"
        choices = [self.live(number) for number in range(TABLES)] + list(self.views)
        one, two = self.dice.choice(choices), self.dice.choice(choices)
        body = self.dice.choice(
            (
                f"SELECT * FROM {one}",
                f"SELECT a FROM {one}",
                f"SELECT a AS b, count(*) AS a FROM {one} GROUP BY 1",
                f"SELECT x.a, y.a AS c FROM {one} x JOIN {two} y USING (a)",
                f"SELECT a FROM {one} UNION ALL SELECT a FROM {two}",
                f"SELECT max(a) AS a FROM {one} WHERE EXISTS (SELECT FROM {two} WHERE a IS NULL)",
            )
        )
        kind = self.dice.choice(("VIEW", "VIEW", "MATERIALIZED VIEW"))
        column = self.dice.choice("abcd")
        extras = [
            f"COMMENT ON {kind} {view} IS 'a \"view\"; it''s mine'",
            f"COMMENT ON COLUMN {view}.a IS '{name}'",
            f"GRANT SELECT, UPDATE ON {view} TO {self.stranger} WITH GRANT OPTION",
            f"GRANT SELECT (a) ON {view} TO PUBLIC",
            f"REVOKE ALL ON {view} FROM {names.reader_role(self.org_id)}",
            f"CREATE INDEX ON {view} (a)"
            if kind != "VIEW"
            else f"ALTER {kind} {view} SET (security_barrier)",
            f"GRANT UPDATE ({column}) ON {view} TO {self.trusted}",
        ]
        statements = [f"CREATE {kind} {view} AS {body}"]
        statements += [extra for extra in extras if self.dice.random() < 0.4]
        try:
            async with self.superuser.transaction():
                await self.superuser.execute(f"SET LOCAL ROLE {owner}")
                for statement in statements:
                    await self.superuser.execute(statement)
        except (asyncpg.SyntaxOrAccessError, asyncpg.DatatypeMismatchError):
            return  # chance has joined a number with a text, or reads what its owner may not
        read = {one, two} if two in body else {one}
        self.views[view] = {view}.union(*(self.views.get(each, {each}) for each in read))

    async def drop_view(self) -> None:
        view = self.dice.choice(list(self.views))
        kind = (await described(self.superuser, view))["kind"]
        await self.superuser.execute(
            f"DROP {'MATERIALIZED VIEW' if kind == 'm' else 'VIEW'} {view} CASCADE"
        )
        self.views = {name: read for name, read in self.views.items() if view not in read}

    async def all_described(self) -> dict[str, dict[str, object]]:
        return {view: await described(self.superuser, view) for view in self.views}

    async def step(self) -> None:
        for _ in range(self.dice.randint(0, 2)):
            await self.make_view()
        if self.views and (len(self.views) > 8 or self.dice.random() < 0.3):
            await self.drop_view()
        wanted, before = self.altered(), await self.all_described()
        refused = None
        try:
            await self.publish(wanted)
        except ProblemError as error:
            refused = error.problem
        if refused:
            assert refused.code == "columns_still_used"
            assert any(view in refused.detail for view in self.views), refused.detail
            pairs = zip(self.columns, wanted, strict=True)
            assert any(old.items() - new.items() for old, new in pairs), "nothing was lost"
            wanted = self.columns
        elif self.views:
            self.carried += 1
        self.refused += refused is not None
        for view, was in before.items():
            assert await described(self.superuser, view) == was, view
        self.columns = wanted
        for number, columns in enumerate(wanted):
            assert await self.shown(number) == columns

    async def shown(self, number: int) -> dict[str, str]:
        rows = await self.superuser.fetch(
            "SELECT attname, format_type(atttypid, atttypmod) AS type FROM pg_attribute "
            "WHERE attrelid = $1::text::regclass AND attnum > 0",
            self.live(number),
        )
        return {row["attname"]: row["type"] for row in rows}


@pytest.fixture
async def database(ground):
    settings = ServiceSettings.model_validate(
        {"nats_url": ground.nats_url, "database_url": ground.database_url("transform")}
    )
    database = await Database.connect(settings, "transform")
    yield database
    await database.close()


@pytest.fixture
async def superuser(ground):
    connection = await asyncpg.connect(ground.superuser_url)
    yield connection
    await connection.close()


@pytest.mark.parametrize("seed", [1, 2])
async def test_views_are_as_they_were_whatever_a_publish_does(org_id, database, superuser, seed):
    walk = Walk(org_id, database, superuser, seed)
    await walk.begin()
    for _ in range(STEPS // 2):
        await walk.step()
    assert walk.carried > 0
    assert walk.refused > 0
