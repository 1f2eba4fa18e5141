"""How much an organisation notices of another one that takes all it can get."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Self

RATIO = 8.0
"""How many times longer an ordinary request may take beside a greedy organisation. Shares give each
its part of two cores, not a machine of its own; what they prevent are waits without end."""

FLOOR = 1.5
"""Seconds that are always fine: beside a busy machine, milliseconds have no ratio."""


async def assert_undisturbed(
    ordinary: Callable[[], Awaitable[object]],
    greedy: AbstractAsyncContextManager[object],
    *,
    times: int = 5,
    patience: float = 30.0,
) -> None:
    """Time `ordinary` on the idle system, then inside `greedy`; the medians are compared.

    `greedy` enters once its load is on. `patience`: seconds after which one try counts as starved.
    """
    idle = await _median(ordinary, times, patience)
    async with greedy:
        loaded = await _median(ordinary, times, patience)
    bound = max(FLOOR, RATIO * idle)
    assert loaded <= bound, f"{loaded:.2f} s beside a greedy organisation, {idle:.2f} s alone"


async def _median(ordinary: Callable[[], Awaitable[object]], times: int, patience: float) -> float:
    taken: list[float] = []
    for _ in range(times):
        began = time.perf_counter()
        async with asyncio.timeout(patience):
            await ordinary()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


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

    async def _lane(self) -> None:
        while not self._is_over:
            try:
                self.outcomes.append(await self._request())
            except Exception as error:
                self.outcomes.append(error)
                # The flood shares its event loop with what it is to flood.
                await asyncio.sleep(self._pause)
