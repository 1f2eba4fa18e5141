"""Drops what is kept of runs that the orchestrator has forgotten: syncs and cancels.

Not by a clock of its own: as long as the run is known its commands may come again, and must find
what came of them. The sync that made a version stays while that exists: by its fingerprint and its
shape the next one knows what readers see.
"""

from collections.abc import Sequence
from uuid import UUID

from chassis.bus import Bus
from chassis.database import Database, collect, queries
from chassis.errors import Retry
from chassis.outbox import Outgoing
from contracts.envelope import Meta
from contracts.orchestrator import RunsForgotten
from contracts.problem import ProblemError
from contracts.transform import FindMissingVersions
from ingest.domain import organization_of

_queries = queries("ingest")


class Forgetting:
    """Follows the orchestrator's history."""

    def __init__(self, database: Database, bus: Bus) -> None:
        self._database = database
        self._bus = bus

    async def runs_forgotten(self, event: RunsForgotten, meta: Meta) -> Sequence[Outgoing]:
        """RunsForgotten."""
        org_id, run_ids = organization_of(meta), list(event.run_ids)
        async with self._database.organization(org_id) as connection:
            rows = await collect(_queries.outcomes_of_runs(connection, run_ids=run_ids))
        made = {row["step_id"]: {table["relation"] for table in row["tables"]} for row in rows}
        kept = await self._existing(org_id, made)
        async with self._database.organization(org_id) as connection:
            await _queries.forget_runs(connection, run_ids=run_ids, kept=kept)
        return ()

    async def _existing(self, org_id: UUID, made: dict[UUID, set[str]]) -> list[UUID]:
        """The steps of which a version is still there."""
        relations = tuple(sorted(set().union(*made.values())))
        if not relations:
            return []
        try:
            missing = await self._bus.ask(FindMissingVersions(relations=relations), org_id=org_id)
        except ProblemError as error:
            raise Retry(error.problem.detail, after=5) from error
        gone = set(missing.relations)
        return [step_id for step_id, own in made.items() if own - gone]
