"""Requests that an address or an organisation may make: counted in this process, a part of the limit."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable
from dataclasses import replace

from starlette.types import ASGIApp, Receive, Scope, Send

from chassis.rates import refusal
from contracts.problem import ProblemError
from contracts.shares import REQUESTS_OF_ADDRESS, REQUESTS_OF_ORGANIZATION, Rate
from gateway.addresses import address_of
from gateway.problems import ProblemResponse
from gateway.settings import Settings

_KNOWN = 50_000
"""Holders that are counted; the longest unused go first, as if they had paused."""


class RequestRate:
    """One limit, counted without a round trip."""

    def __init__(
        self, rate: Rate, limit: int, replicas: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`limit` of all `replicas` together, in the rate's time."""
        self._rate = replace(rate, limit=limit)
        self._burst = max(1, limit // replicas)
        self._interval = rate.per / self._burst
        self._clock = clock
        self._paid_off: OrderedDict[Hashable, float] = OrderedDict()

    def take(self, holder: Hashable) -> None:
        """Count a request; raises ProblemError 429 past the limit."""
        now = self._clock()
        paid_off = max(self._paid_off.get(holder, now), now) + self._interval
        wait = paid_off - now - self._rate.per
        if wait > self._interval / 1000:
            raise refusal(self._rate, math.ceil(wait))
        self._paid_off[holder] = paid_off
        self._paid_off.move_to_end(holder)
        if len(self._paid_off) > _KNOWN:
            self._paid_off.popitem(last=False)


def requests_of_organizations(settings: Settings) -> RequestRate:
    """The limit that is counted once it is known who calls."""
    return RequestRate(
        REQUESTS_OF_ORGANIZATION,
        settings.requests_per_minute_of_organization,
        settings.gateway_replicas,
    )


def requests_of_addresses(settings: Settings) -> RequestRate:
    """The limit that is counted for every request, with a session or without."""
    return RequestRate(
        REQUESTS_OF_ADDRESS, settings.requests_per_minute_of_address, settings.gateway_replicas
    )


class AddressLimit:
    """Refuses requests of an address past its rate, before anything is done for them."""

    def __init__(self, app: ASGIApp, rate: RequestRate, free: Collection[str]) -> None:
        """`free`: paths that are not counted, by which machines look after this process."""
        self._app = app
        self._rate = rate
        self._free = free

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http" and scope["path"] not in self._free:
            try:
                self._rate.take(address_of(scope))
            except ProblemError as error:
                await ProblemResponse(error.problem)(scope, receive, send)
                return
        await self._app(scope, receive, send)
