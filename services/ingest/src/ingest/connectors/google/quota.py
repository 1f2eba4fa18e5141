"""How many reads a credential may make, over all replicas: Google refuses more than 60 a minute."""

import hashlib
from typing import Protocol
from uuid import UUID

from chassis.database import Database, queries
from ingest.connectors import Unavailable

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


class KeyShare:
    """What one organisation may read with a key that all organisations have in common."""

    def __init__(self, key: Quota, own: Quota, org_id: UUID) -> None:
        """`key`: of all reads; `own`: of those of each organisation."""
        self._key = key
        self._own = own
        self._org_id = org_id

    async def reserve(self, email: str, patience: float) -> float | None:
        """As `Quota.reserve`; raises Unavailable `quota_share` past the organisation's own reads."""
        own = await self._own.reserve(f"{email} {self._org_id}", patience)
        if own is None:
            raise Unavailable(
                "quota_share",
                "Your organisation has read as much as it may with the Google key of this "
                "installation. Try again in a few minutes, or save a key of your own with the source.",
            )
        turn = await self._key.reserve(email, patience)
        return None if turn is None else max(own, turn)

    async def hold(self, email: str, seconds: float) -> None:
        """Google refused the key, whoever read with it."""
        await self._key.hold(email, seconds)


def _name(email: str) -> str:
    return hashlib.sha256(email.encode()).hexdigest()
