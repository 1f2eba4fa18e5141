"""The organisations' time zones, asked of auth and kept for a minute."""

import asyncio
from uuid import UUID

from chassis.bus import Bus
from chassis.telemetry import log
from contracts.auth import GetOrganization
from contracts.problem import ProblemError

_KEPT = 60.0
_KEPT_AFTER_SILENCE = 5.0
_PATIENCE = 2.0
_MOST = 10_000


class Zones:
    """What TODAY means, for those who show something now; a run is told its zone by its command."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._known: dict[UUID, tuple[float, str]] = {}
        """Until when a zone is believed, by the loop's clock."""

    async def of(self, org_id: UUID) -> str:
        """The IANA name of an organisation's time zone.

        While auth does not answer it is what it was last, else UTC: a preview of yesterday's rows
        helps more than none.
        """
        clock = asyncio.get_running_loop().time
        until, zone = self._known.get(org_id, (0.0, "UTC"))
        if clock() < until:
            return zone
        try:
            organization = await self._bus.ask(GetOrganization(), org_id=org_id, timeout=_PATIENCE)
        except ProblemError as error:
            log.warning("zone_not_known", taken=zone, error=error.problem.detail)
            self._keep(org_id, clock() + _KEPT_AFTER_SILENCE, zone)
            return zone
        self._keep(org_id, clock() + _KEPT, organization.timezone)
        return organization.timezone

    def _keep(self, org_id: UUID, until: float, zone: str) -> None:
        self._known.pop(org_id, None)
        self._known[org_id] = (until, zone)
        if len(self._known) > _MOST:
            del self._known[next(iter(self._known))]
