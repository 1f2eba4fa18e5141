"""Views as a database administrator makes them, as the catalogue has them, and waits for locks."""

from typing import Any

import asyncpg

from chassis.testing import eventually
from warehouse import names

_DESCRIBED = """
SELECT relkind::text AS kind, pg_get_viewdef(view.oid) AS definition,
       pg_get_userbyid(relowner)::text AS owner, relispopulated AS is_filled,
       ARRAY(SELECT unnest(coalesce(relacl, acldefault('r', relowner)))::text ORDER BY 1) AS grants,
       ARRAY(SELECT unnest(reloptions) ORDER BY 1) AS options,
       obj_description(view.oid) AS comment,
       ARRAY(SELECT format('%s %s %s', attname, ARRAY(SELECT unnest(attacl)::text ORDER BY 1),
                           col_description(view.oid, attnum))
             FROM pg_attribute WHERE attrelid = view.oid AND attnum > 0 ORDER BY attnum) AS columns,
       ARRAY(SELECT format('%s %s', pg_get_indexdef(indexrelid), obj_description(indexrelid))
             FROM pg_index WHERE indrelid = view.oid ORDER BY 1) AS indexes,
       ARRAY(SELECT pg_get_statisticsobjdef(oid) FROM pg_statistic_ext WHERE stxrelid = view.oid
             ORDER BY 1) AS statistics
FROM pg_class view WHERE view.oid = to_regclass($1)
"""


async def described(superuser: asyncpg.Connection, name: str) -> dict[str, Any]:
    """Everything of a view that a publish must leave alone, whatever becomes of its columns' types."""
    row = await superuser.fetchrow(_DESCRIBED, name)
    assert row is not None, f"{name} is gone"
    return dict(row)


async def waiting_for_a_lock(stand) -> None:
    """Until some session waits for a lock."""
    superuser = await asyncpg.connect(stand.ground.superuser_url)

    async def waits() -> bool:
        return await superuser.fetchval("SELECT count(*) > 0 FROM pg_locks WHERE NOT granted")

    try:
        await eventually(waits)
    finally:
        await superuser.close()


class Warehouse:
    """An organisation's warehouse as its database administrator sees it."""

    def __init__(self, stand, superuser) -> None:
        self.stand = stand
        self.superuser = superuser
        self.org = names.org_role(stand.org_id)
        self.schema = names.live_schema(stand.org_id)
        self.reader = names.reader_role(stand.org_id)
        self.analyst = f"analyst_{stand.org_id.hex}"
        self.lab = f"lab_{stand.org_id.hex}"

    async def settle(self) -> None:
        """An analyst with a schema, who reads the organisation's live views."""
        await self.superuser.execute(
            f"CREATE ROLE {self.analyst} IN ROLE {self.reader};"
            f"CREATE SCHEMA {self.lab} AUTHORIZATION {self.analyst};"
            # As on a server that is not ours.
            f"GRANT USAGE ON LANGUAGE plpgsql TO {self.analyst}, {self.org}"
        )

    async def trust_the_analyst(self) -> None:
        await self.superuser.execute(
            f"GRANT {self.analyst} TO {self.org} WITH INHERIT FALSE, SET TRUE"
        )

    async def as_(self, role: str, *statements: str) -> None:
        async with self.superuser.transaction():
            await self.superuser.execute(f"SET LOCAL ROLE {role}")
            for statement in statements:
                await self.superuser.execute(statement)

    def live(self, version) -> str:
        return f"{self.schema}.{names.live_name('source', version.table_id)}"

    async def rows(self, relation: str) -> list[tuple]:
        return [tuple(row) for row in await self.superuser.fetch(f"SELECT * FROM {relation}")]
