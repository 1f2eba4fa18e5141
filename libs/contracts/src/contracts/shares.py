"""What organisations share, and the share that each of them has: one list for all services."""

from dataclasses import dataclass
from typing import Literal

Holder = Literal["organization", "address", "account", "person"]
"""What has a share: an organisation, a network address (of IPv6 the /64), an e-mail address at a network
address, or a user."""


@dataclass(frozen=True)
class Slots:
    """Work that one replica does at once.

    `total` slots, of which one organisation (or what `of` names) holds `each` at most; `waiting` more
    of its requests wait for a slot, in turn with those of others; the next is refused with 429.
    """

    name: str
    what: str
    total: int
    each: int
    waiting: int
    of: Holder = "organization"

    def __post_init__(self) -> None:
        if not 0 < self.each <= self.total or self.waiting < 0:
            raise ValueError(f"{self.name}: {self.each} of {self.total} slots, {self.waiting}")


@dataclass(frozen=True)
class Rate:
    """How often something may happen, counted over all replicas: the next is 429.

    `limit` at once after a pause; then one each `per / limit` seconds.
    """

    name: str
    what: str
    limit: int
    per: float
    """Seconds."""
    of: Holder
    without_bus: Literal["refuse", "allow"]
    """What happens while the counters cannot be reached."""
    exact: bool = True
    """False: every replica counts by itself, each its part of the limit."""

    def __post_init__(self) -> None:
        if self.limit < 1 or self.per <= 0:
            raise ValueError(f"{self.name}: {self.limit} in {self.per} s")


@dataclass(frozen=True)
class Backoff:
    """Tries that fail, counted exactly over all replicas: the pause between them grows.

    The first `free` may follow each other at once; then the pause is `first` seconds, twice as long
    after each further one, `longest` at most. All is forgotten after a success, or `forgotten` seconds.
    """

    name: str
    what: str
    free: int
    first: float
    longest: float
    forgotten: float
    of: Holder


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

ANONYMOUS = Slots(
    "anonymous",
    "requests without a session (sign-up, login, renewal) that a replica of auth answers at once",
    total=64,
    each=4,
    waiting=16,
    of="address",
)

PASSWORD_HASHES = Slots(
    "password_hashes",
    "passwords that a replica of auth hashes at once (PASSWORD_HASHING_THREADS)",
    total=2,
    each=1,
    waiting=8,
    of="address",
)

LIVE_STREAMS = Slots(
    "live_streams",
    "streams of events that a replica of the gateway keeps open",
    total=2000,
    each=100,
    waiting=0,
)
LIVE_STREAMS_OF_PERSON = Slots(
    "live_streams_of_person", "the same of one user", total=2000, each=25, waiting=0, of="person"
)

FAILED_LOGINS = Rate(
    "failed_logins",
    "failed logins",
    limit=100,
    per=3600,
    of="address",
    without_bus="refuse",
)
"""A login that succeeds does not count. Without counters passwords could be guessed at will: refused."""

WRONG_PASSWORDS = Backoff(
    "wrong_passwords",
    "wrong passwords",
    free=8,
    first=1,
    longest=300,
    forgotten=3600,
    of="account",
)
"""Of one e-mail address at one network address, so that nobody locks an owner out from elsewhere."""

SIGNUPS = Rate("signups", "sign-ups", limit=20, per=3600, of="address", without_bus="refuse")

RENEWALS = Rate(
    "renewals",
    "renewals and ends of sessions",
    limit=3000,
    per=3600,
    of="address",
    without_bus="allow",
)
"""A token of 256 bits is not guessed: without counters sessions go on."""

EVENTS = Rate("events", "events", limit=600, per=60, of="organization", without_bus="allow")
"""Without counters the stream cannot be written either; its limits hold in any case."""

RUN_STARTS = Rate(
    "run_starts",
    "starts and retries of runs",
    limit=120,
    per=60,
    of="organization",
    without_bus="allow",
)
"""A run starts without counters too: MAX_QUEUED_RUNS holds in any case."""

RUN_CANCELS = Rate(
    "run_cancels",
    "cancels of runs",
    limit=240,
    per=60,
    of="organization",
    without_bus="allow",
)

RUN_WAITS = Slots(
    "run_waits",
    "requests that wait for a run's end (`Prefer: wait`) at a replica of the gateway",
    total=2000,
    each=100,
    waiting=0,
)
"""Past it a request is answered at once, as if it had not asked to wait."""

REQUESTS_OF_ADDRESS = Rate(
    "requests_of_address",
    "requests",
    limit=6000,
    per=60,
    of="address",
    without_bus="allow",
    exact=False,
)
REQUESTS_OF_ORGANIZATION = Rate(
    "requests_of_organization",
    "requests",
    limit=6000,
    per=60,
    of="organization",
    without_bus="allow",
    exact=False,
)

QUEUED_RUNS = Cap("queued_runs", "runs that wait in the queue", each=1000, unit="runs")

SHARES: tuple[Slots | Rate | Backoff | Cap, ...] = (
    REQUESTS,
    ANONYMOUS,
    PASSWORD_HASHES,
    LIVE_STREAMS,
    LIVE_STREAMS_OF_PERSON,
    FAILED_LOGINS,
    WRONG_PASSWORDS,
    SIGNUPS,
    RENEWALS,
    EVENTS,
    RUN_STARTS,
    RUN_CANCELS,
    RUN_WAITS,
    REQUESTS_OF_ADDRESS,
    REQUESTS_OF_ORGANIZATION,
    QUEUED_RUNS,
)
"""Every share, as docs/architecture.md lists them."""
