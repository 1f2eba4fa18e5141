"""What an organisation may send to the bus in a minute, counted by all gateways together."""

from dataclasses import replace
from uuid import UUID

from chassis.rates import Rates
from contracts.shares import EVENTS, RUN_CANCELS, RUN_STARTS
from gateway.settings import Settings


class Quotas:
    """Limits of settings, in the gateways' bucket; all raise ProblemError 429."""

    def __init__(self, settings: Settings, rates: Rates) -> None:
        self._rates = rates
        self._events = replace(EVENTS, limit=settings.events_per_minute)
        self._starts = replace(RUN_STARTS, limit=settings.run_starts_per_minute)
        self._cancels = replace(RUN_CANCELS, limit=2 * settings.run_starts_per_minute)

    async def events(self, org_id: UUID, count: int) -> None:
        """Count events that are about to be stored, all or none."""
        if count:
            await self._rates.take(self._events, org_id, count)

    async def run_start(self, org_id: UUID) -> None:
        """Count a run that is about to be started or retried."""
        await self._rates.take(self._starts, org_id)

    async def run_cancel(self, org_id: UUID) -> None:
        """Count a run that is about to be cancelled."""
        await self._rates.take(self._cancels, org_id)
