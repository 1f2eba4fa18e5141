"""Drops what is kept of runs that the orchestrator has forgotten: steps, decisions, cancels.

Not by a clock of its own: as long as the run is known its commands may come again, and must find
what came of them.
"""

from collections.abc import Sequence

from chassis.database import Database, queries
from chassis.outbox import Outgoing
from contracts.envelope import Meta
from contracts.orchestrator import RunsForgotten
from transform.domain import organization_of

_queries = queries("transform")


class Forgetting:
    """Follows the orchestrator's history."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def runs_forgotten(self, event: RunsForgotten, meta: Meta) -> Sequence[Outgoing]:
        """RunsForgotten."""
        async with self._database.organization(organization_of(meta)) as connection:
            await _queries.forget_runs(connection, run_ids=list(event.run_ids))
        return ()
