"""What organisations share, and the share that each of them has: one list for all services."""

from dataclasses import dataclass, replace
from typing import Literal

Holder = Literal["organization", "address", "account", "person"]
"""What has a share: an organisation, a network address (of IPv6 the /64), an e-mail address at a network
address, or a user."""


@dataclass(frozen=True)
class Slots:
    """Work that one replica does at once.

    `total` slots, of which one organisation (or what `of` names) holds `each` at most; `waiting` more
    of its requests wait for a slot, in turn with those of others; the next is refused with 429. When
    `waiting_in_all` wait, the next takes the place of the last one of whoever has most.
    """

    name: str
    what: str
    total: int
    each: int
    waiting: int
    of: Holder = "organization"
    waiting_in_all: int = 1000

    def __post_init__(self) -> None:
        if not 0 < self.each <= self.total or self.waiting < 0:
            raise ValueError(f"{self.name}: {self.each} of {self.total} slots, {self.waiting}")

    def resized(self, total: int) -> "Slots":
        """As many slots as a setting says; as many as before stay out of each organisation's reach."""
        return replace(self, total=total, each=max(1, total - (self.total - self.each)))


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
    "requests without a session (sign-up, login) that a replica of auth answers at once",
    total=64,
    each=4,
    waiting=16,
    of="address",
)

SESSIONS = Slots(
    "sessions",
    "renewals and ends of sessions that a replica of auth answers at once",
    total=32,
    each=4,
    waiting=16,
    of="address",
)
"""Apart from logins: a flood of those signs nobody out."""

PASSWORD_HASHES = Slots(
    "password_hashes",
    "passwords that a replica of auth hashes at once (PASSWORD_HASHING_THREADS)",
    total=2,
    each=1,
    waiting=8,
    of="address",
    # What is hashed within the longest wait; who came later would wait in vain.
    waiting_in_all=100,
)

LIVE_STREAMS = Slots(
    "live_streams",
    "streams of events that a replica of the gateway keeps open, and half of HTTP_CONNECTIONS at most",
    total=400,
    each=100,
    waiting=0,
)
LIVE_STREAMS_OF_PERSON = Slots(
    "live_streams_of_person", "the same of one user", total=400, each=25, waiting=0, of="person"
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

UNCONFIRMED = Cap(
    "unconfirmed_commands",
    "accepted commands that no run shows yet and that a replica of the gateway would send again",
    each=1500,
    unit="commands",
)
"""More than `RUN_STARTS` lets through in the ten minutes for which the stream drops a repeat."""

QUEUED_RUNS = Cap("queued_runs", "runs that wait in the queue", each=1000, unit="runs")

BUILDS = Slots(
    "builds",
    "builds of transformations that a replica of transform runs at once",
    total=3,
    each=2,
    waiting=200,
)

BUILD_TIME = Cap("build_time", "time of one build, from its statement to its outcome", 1800, "s")
BUILD_ROWS = Cap("build_rows", "rows of the table that one build makes", 50_000_000, "rows")
BUILD_BYTES = Cap("build_bytes", "bytes of the table that one build makes", 5 * 1024**3, "bytes")
TEMP_BYTES = Cap(
    "temp_bytes",
    "bytes of temporary files of a process of PostgreSQL that works on a recipe or merges a table",
    5 * 1024**3,
    "bytes",
)
MERGE_TIME = Cap("merge_time", "time of the statement that merges files into a table", 3600, "s")

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

GOOGLE_READS = Rate(
    "google_reads",
    "reads of spreadsheets with the installation's Google key",
    limit=40,
    per=60,
    of="organization",
    without_bus="allow",
)
"""Of 60 that Google allows each key; counted in PostgreSQL. A key of the source's own has no such share."""

SYNCS = Slots(
    "syncs",
    "syncs that a replica of ingest works on at once",
    total=4,
    each=3,
    waiting=200,
)

LOADERS = Cap(
    "loaders",
    "logins of other systems that fill external sources",
    each=10,
    unit="logins that can log in",
)

LOADER_CONNECTIONS = Cap(
    "loader_connections",
    "what one of those logins holds of the database's connections, at once",
    each=2,
    unit="connections of a login",
)
"""Over all organisations they stay below what the server has, less what the services need."""

LOADER_LOCKS = Cap(
    "loader_locks",
    "what one session of those logins locks at once: tables, indexes, advisory keys",
    each=2_000,
    unit="locks of a session",
)
"""All sessions share PostgreSQL's table of locks. A session over it ends, and no login of its
organisation can log in for `LOADER_PAUSE` seconds."""

LOADER_RELATIONS = Cap(
    "loader_relations",
    "tables, indexes and sequences that those logins have made",
    each=10_000,
    unit="relations",
)
"""One statement may lock them all: the server's table of locks has places for several times as many.
Past it no login of the organisation can log in until some are gone."""

LOADER_PAUSE = 600.0
"""Seconds; what fills the table of locks takes one."""

LOADER_TRANSACTION = Cap(
    "loader_transaction",
    "time of one transaction of those logins",
    each=3_600,
    unit="s",
)
"""While a transaction is open, what all others delete and change stays on the disk."""

UPLOADS = Cap("uploads", "uploaded files that sources are made of, or may be", 50_000, "files")
UPLOAD_BYTES = Cap("upload_bytes", "bytes of uploaded files that are stored", 50 * 1024**3, "bytes")
SOURCES = Cap("sources", "sources", 500, "sources")
TABLES = Cap("tables", "tables of sources and transformations", 2_000, "tables")
TRANSFORMATIONS = Cap("transformations", "transformations", 1_000, "transformations")
PIPELINES = Cap("pipelines", "pipelines", 500, "pipelines")
RECIPE_VERSIONS = Cap(
    "recipe_versions",
    "versions of one transformation's recipe, of which the oldest go first",
    500,
    "versions",
)
FORMER_BYTES = Cap(
    "former_bytes",
    "bytes of former versions of tables, of which the oldest go first",
    5 * 1024**3,
    "bytes",
)

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

LONG_READS = Slots(
    "long_reads",
    "statements of previews, profiles and pivots' names that a replica of transform runs at once",
    total=6,
    each=2,
    waiting=50,
)
"""Well below the database pool (DATABASE_POOL_SIZE), so that short requests find a connection."""

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

SHARES: tuple[Slots | Rate | Backoff | Cap, ...] = tuple(
    each for each in tuple(globals().values()) if isinstance(each, Slots | Rate | Backoff | Cap)
)
"""Every share that is declared above, as docs/shares.md lists them."""
