"""Versions that were written and never published: dropped once no run can want them any more."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg

from chassis.bus import Bus
from chassis.database import AWAY, Database, collect, queries
from chassis.telemetry import log
from contracts.orchestrator import FindOldestRun
from contracts.problem import ProblemError
from warehouse import versions
from warehouse.access import as_org
from warehouse.names import data_schema, first_relation_of

_queries = queries("transform")

_LOCK_TIMEOUT = "200ms"
_WRITTEN = """
SELECT tablename::text AS relation FROM pg_tables
WHERE schemaname = $1 AND tablename LIKE 'v\\_%' AND tablename < $2
ORDER BY tablename
"""


class Sweeper:
    """Looks through every organisation's versions now and then; replicas may do so side by side."""

    def __init__(self, database: Database, bus: Bus, *, every: float, grace: float) -> None:
        """`every`: seconds between two looks; `grace`: seconds for which everything is left alone."""
        self._database = database
        self._bus = bus
        self._every = every
        self._grace = timedelta(seconds=grace)

    async def run(self) -> None:
        """Sweep until cancelled; what cannot be reached is left to the next time."""
        while True:
            await asyncio.sleep(self._every)
            try:
                async with self._database.system() as connection:
                    rows = await collect(_queries.organizations_with_tables(connection))
                for row in rows:
                    await self.sweep(row["org_id"])
            except (ProblemError, *AWAY) as error:
                log.warning("sweep_waits", error=str(error) or repr(error))
            except Exception:
                log.exception("sweep_failed")

    async def sweep(self, org_id: UUID) -> int:
        """Drop an organisation's leftovers; how many there were.

        A run that is open may want every version that was begun since it was started, whoever
        writes it: the names of versions tell when that was.
        """
        oldest = (await self._bus.ask(FindOldestRun(), org_id=org_id)).created_at
        limit = first_relation_of(
            min(oldest or datetime.max.replace(tzinfo=UTC), _now()) - self._grace
        )
        async with self._database.organization(org_id) as connection:
            known = {row["relation"] for row in await collect(_queries.known_relations(connection))}
            async with as_org(connection, org_id):
                written = await connection.fetch(_WRITTEN, data_schema(org_id), limit)
        left = [row["relation"] for row in written if row["relation"] not in known]
        return sum([await self._drop(org_id, relation) for relation in left])

    async def _drop(self, org_id: UUID, relation: str) -> bool:
        try:
            async with self._database.organization(org_id) as connection:
                await connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
                async with as_org(connection, org_id):
                    await versions.drop(connection, org_id, relation)
        except asyncpg.PostgresError as error:
            log.info("version_kept", relation=relation, reason=str(error))
            return False
        log.info("version_swept", relation=relation)
        return True


def _now() -> datetime:
    return datetime.now(UTC)
