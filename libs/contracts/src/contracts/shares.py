"""What organisations share, and the share that each of them has: one list for all services."""

from dataclasses import dataclass
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

COMPILES = Slots(
    "compiles",
    "recipes that a replica of transform checks or compiles at once, for requests",
    total=2,
    each=1,
    waiting=100,
)
"""In processes of their own, each with a budget of CPU time."""

JOB_COMPILES = Slots(
    "job_compiles",
    "recipes that a replica of transform checks or compiles at once, for builds and publishes",
    total=2,
    each=1,
    waiting=10_000,
)
"""Apart from COMPILES, so that previews hold up no run."""

READS = Slots(
    "reads",
    "statements of previews, profiles and pivots' names that a replica of transform runs at once",
    total=6,
    each=2,
    waiting=50,
)
"""Well below the database pool (DATABASE_POOL_SIZE), so that short requests find a connection."""

SHARES: tuple[Slots | Rate | Cap, ...] = (REQUESTS, COMPILES, JOB_COMPILES, READS)
"""Every share, as docs/architecture.md lists them."""
