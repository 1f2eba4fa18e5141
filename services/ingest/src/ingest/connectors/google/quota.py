"""How many reads a credential may make: Google refuses more than 60 a minute."""

import time
from collections.abc import Callable
from typing import Protocol

READS_PER_MINUTE = 60
BURST = 15


class Quota(Protocol):
    """Reads of one credential. What replicas share keeps one time for each credential."""

    async def reserve(self, credential: str) -> float:
        """Take one read; how many seconds from now it may be made."""
        ...

    async def hold(self, credential: str, seconds: float) -> None:
        """Let no further read begin for so long: Google said that it is enough."""
        ...


class LocalQuota:
    """A token bucket for each credential, for one process.

    Holds `burst` reads and gains `per_minute - burst` a minute, so that no minute, wherever it
    begins, has more than `per_minute`. Kept as one time: when the bucket will be full again.
    """

    def __init__(
        self,
        per_minute: int = READS_PER_MINUTE,
        burst: int = BURST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not 0 < burst < per_minute:
            raise ValueError(f"burst is between 0 and {per_minute}, not {burst}")
        self._pace = 60 / (per_minute - burst)
        self._slack = self._pace * burst
        self._clock = clock
        self._full_at: dict[str, float] = {}

    async def reserve(self, credential: str) -> float:
        """Seconds until the read that was taken may be made."""
        now = self._clock()
        full_at = max(self._full_at.get(credential, now), now) + self._pace
        self._full_at[credential] = full_at
        return max(0.0, full_at - self._slack - now)

    async def hold(self, credential: str, seconds: float) -> None:
        """Empty the bucket, and let it gain nothing for `seconds`."""
        empty = self._clock() + seconds + self._slack - self._pace
        self._full_at[credential] = max(self._full_at.get(credential, empty), empty)
