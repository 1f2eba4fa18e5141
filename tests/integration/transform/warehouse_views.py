"""Views as PostgreSQL's catalogue has them, and the locks that are waited for."""

from typing import Any

import asyncpg

from chassis.testing import eventually

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
