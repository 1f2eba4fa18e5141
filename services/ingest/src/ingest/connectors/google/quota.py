"""How many reads a credential may make, over all replicas: Google refuses more than 60 a minute."""

import hashlib
from typing import Protocol

from chassis.database import Database, queries

READS_PER_MINUTE = 60
BURST = 15

_queries = queries("ingest")


class Quota(Protocol):
    """Reads of one credential, which is named by its e-mail."""

    async def reserve(self, email: str, patience: float) -> float | None:
        """Take one read, and say in how many seconds it may be made.

        None when that would be more than `patience`: none was taken.
        """
        ...

    async def hold(self, email: str, seconds: float) -> None:
        """Let no further read begin for so long: Google said that it is enough."""
        ...


class SharedQuota:
    """A token bucket for each credential in PostgreSQL, by its clock.

    Holds `burst` reads and gains `per_minute - burst` a minute, so that no minute, wherever it
    begins, has more than `per_minute`. Kept as one time: when the bucket will be full again.
    """

    def __init__(
        self, database: Database, per_minute: int = READS_PER_MINUTE, burst: int = BURST
    ) -> None:
        if not 0 < burst < per_minute:
            raise ValueError(f"burst is between 0 and {per_minute}, not {burst}")
        self._database = database
        self._pace = 60 / (per_minute - burst)
        self._slack = self._pace * burst

    async def reserve(self, email: str, patience: float) -> float | None:
        """Seconds until the read that was taken may be made."""
        async with self._database.transaction() as connection:
            return await _queries.reserve_read(
                connection,
                credential=_name(email),
                pace=self._pace,
                slack=self._slack,
                patience=patience,
            )

    async def hold(self, email: str, seconds: float) -> None:
        """Empty the bucket, and let it gain nothing for `seconds`."""
        async with self._database.transaction() as connection:
            await _queries.hold_reads(
                connection,
                credential=_name(email),
                seconds=seconds + self._slack - self._pace,
            )


def _name(email: str) -> str:
    return hashlib.sha256(email.encode()).hexdigest()
