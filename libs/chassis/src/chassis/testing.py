"""For tests: settings of a service against given servers, and waiting without sleeping blindly."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(probe: Callable[[], Awaitable[T | None]], *, within: float = 10.0) -> T:
    """Ask `probe` until it gives something other than None or False; its answer.

    Raises AssertionError, naming the probe, after `within` seconds.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    pause = 0.01
    while True:
        found = await probe()
        if found is not None and found is not False:
            return found
        if loop.time() > deadline:
            name = getattr(probe, "__qualname__", repr(probe))
            raise AssertionError(f"{name} did not come true within {within} s")
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, 0.25)
