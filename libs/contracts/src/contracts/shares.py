"""What organisations share, and the share that each of them has: one list for all services."""

from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True)
class Slots:
    """Work that one replica does at once.

    `total` slots, of which one organisation holds `each` at most; `waiting` more of its requests wait
    for a slot, in turn with those of other organisations; the next is refused with 429.
    """

    name: str
    what: str
    total: int
    each: int
    waiting: int

    def __post_init__(self) -> None:
        if not 0 < self.each <= self.total or self.waiting < 0:
            raise ValueError(f"{self.name}: {self.each} of {self.total} slots, {self.waiting}")

    def resized(self, total: int) -> "Slots":
        """As many slots as a setting says; as many as before stay out of each organisation's reach."""
        return replace(self, total=total, each=max(1, total - (self.total - self.each)))


@dataclass(frozen=True)
class Rate:
    """How often something may happen, counted exactly over all replicas: the next is 429."""

    name: str
    what: str
    limit: int
    per: float
    """Seconds."""
    of: Literal["organization", "address", "account"]


@dataclass(frozen=True)
class Cap:
    """How much of something an organisation may have or use; more is refused with a clear problem."""

    name: str
    what: str
    each: int
    unit: str


REQUESTS = Slots(
    "requests",
    "requests of one class that a replica of a service answers at once",
    total=32,
    each=12,
    waiting=100,
)
"""Of every class of request that names no other share."""

READS = Slots(
    "reads",
    "files that a replica of ingest looks into at once while people wait",
    total=4,
    each=2,
    waiting=20,
)
"""Previews of uploads, and what is read of them when a source is made or changed."""

OUTSIDE_READS = Slots(
    "outside_reads",
    "forms and spreadsheets on other servers that a replica of ingest looks into at once while "
    "people wait",
    total=8,
    each=2,
    waiting=20,
)
"""Apart from files: a slow server holds a slot for as long as a look may take (ADR 0025)."""

SYNCS = Slots(
    "syncs",
    "syncs that a replica of ingest works on at once",
    total=3,
    each=2,
    waiting=200,
)

SHARES: tuple[Slots | Rate | Cap, ...] = (
    REQUESTS,
    READS,
    OUTSIDE_READS,
    SYNCS,
)
"""Every share, as docs/architecture.md lists them."""
