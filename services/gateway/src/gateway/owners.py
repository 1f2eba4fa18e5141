"""Whether the owners are ready, asked over the bus once a second at most."""

import asyncio
import time

from chassis.bus import Bus
from contracts.problem import ProblemError
from contracts.streams import READINESS

_FRESH = 1.0
"""Seconds for which an answer holds: anybody may ask the gateway, and that must cost nothing."""
_TIMEOUT = 2.0


class Owners:
    """What the services behind the gateway say of themselves."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._asking = {name: asyncio.Lock() for name in READINESS}
        self._lacks: dict[str, tuple[float, str | None]] = {}

    async def check(self, name: str) -> None:
        """Raise RuntimeError with what a service lacks."""
        async with self._asking[name]:
            at, lacks = self._lacks.get(name, (float("-inf"), None))
            if time.monotonic() - at > _FRESH:
                lacks = await self._ask(name)
                self._lacks[name] = (time.monotonic(), lacks)
        if lacks is not None:
            raise RuntimeError(lacks)

    async def _ask(self, name: str) -> str | None:
        try:
            answer = await self._bus.ask(READINESS[name](), org_id=None, timeout=_TIMEOUT)
        except ProblemError as error:
            return error.problem.detail
        missing = [f"{check}: {said}" for check, said in answer.checks.items() if said != "ok"]
        return "; ".join(missing) or None
