"""How much an organisation notices of another one that takes all it can get."""

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Self

from contracts.problem import ProblemError

RATIO = 8.0
"""How many times longer an ordinary request may take beside a greedy organisation. Shares give each
its part of two cores, not a machine of its own; what they prevent are waits without end."""

FLOOR = 3.0
"""Seconds that are always fine: beside a busy machine, milliseconds have no ratio. Without shares what is
measured here takes from five seconds to for ever."""

LONGEST = 6.0
"""Seconds that a single try may always take. A wait for a share that others hold ends after eight."""


async def assert_undisturbed(
    ordinary: Callable[[], Awaitable[object]],
    greedy: AbstractAsyncContextManager[object],
    *,
    times: int = 5,
    patience: float = 30.0,
) -> None:
    """Time `ordinary` on the idle system, then inside `greedy`; medians and maxima are compared.

    `greedy` enters once its load is on. `patience`: seconds after which one try counts as starved.
    """
    idle = await _times(ordinary, times, patience)
    async with greedy:
        loaded = await _times(ordinary, times, patience)
    measured = f"{_listed(loaded)} s beside a greedy organisation, {_listed(idle)} s alone"
    assert statistics.median(loaded) <= max(FLOOR, RATIO * statistics.median(idle)), measured
    assert max(loaded) <= max(LONGEST, RATIO * max(idle)), measured


def _listed(seconds: list[float]) -> str:
    return ", ".join(f"{one:.2f}" for one in seconds)


async def _times(
    ordinary: Callable[[], Awaitable[object]], times: int, patience: float
) -> list[float]:
    taken: list[float] = []
    for _ in range(times):
        began = time.perf_counter()
        async with asyncio.timeout(patience):
            await ordinary()
        taken.append(time.perf_counter() - began)
    return taken


class Flood(AbstractAsyncContextManager[object]):
    """Repeats a request on `width` lanes for as long as the block lasts, whatever comes of it."""

    def __init__(
        self,
        request: Callable[[], Awaitable[object]],
        *,
        width: int,
        lead: float = 0.5,
        pause: float = 0.1,
    ) -> None:
        """`lead`: seconds before the block begins; `pause`: seconds of a lane after a refusal."""
        self._request = request
        self._width = width
        self._lead = lead
        self._pause = pause
        self._is_over = False
        self._lanes: list[asyncio.Task[None]] = []
        self.outcomes: list[object] = []
        """What every request gave: its result or its exception."""

    async def __aenter__(self) -> Self:
        self._lanes = [asyncio.create_task(self._lane()) for _ in range(self._width)]
        await asyncio.sleep(self._lead)
        return self

    async def __aexit__(self, *_: object) -> None:
        # Said as well: Python 3.11's wait_for, in which nats-py waits, may lose a cancellation.
        self._is_over = True
        for lane in self._lanes:
            lane.cancel()
        await asyncio.gather(*self._lanes, return_exceptions=True)

    @property
    def problems(self) -> Counter[str]:
        """How often each problem was answered. `share_used_up` shows that the flood took its share."""
        return Counter(one.problem.code for one in self.outcomes if isinstance(one, ProblemError))

    async def _lane(self) -> None:
        while not self._is_over:
            try:
                self.outcomes.append(await self._request())
            except Exception as error:
                self.outcomes.append(error)
                # The flood shares its event loop with what it is to flood.
                await asyncio.sleep(self._pause)
