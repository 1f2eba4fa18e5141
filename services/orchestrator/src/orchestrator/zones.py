"""The organisations' time zones, asked of auth and kept for a minute."""

import asyncio
from uuid import UUID

from chassis.bus import Bus
from contracts.auth import GetOrganization

_KEPT = 60.0
_MOST = 10_000


class Zones:
    """What a day is, for the runs of an organisation."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._known: dict[UUID, tuple[float, str]] = {}
        """Until when a zone is believed, by the loop's clock."""

    async def of(self, org_id: UUID) -> str:
        """The IANA name of an organisation's time zone; raises auth's ProblemError.

        Unlike a preview a run waits for auth: its tables are to stay.
        """
        clock = asyncio.get_running_loop().time
        until, zone = self._known.get(org_id, (0.0, ""))
        if clock() >= until:
            zone = (await self._bus.ask(GetOrganization(), org_id=org_id)).timezone
            self._known.pop(org_id, None)
            self._known[org_id] = (clock() + _KEPT, zone)
            if len(self._known) > _MOST:
                del self._known[next(iter(self._known))]
        return zone
