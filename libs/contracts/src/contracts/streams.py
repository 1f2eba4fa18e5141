"""The bus as data: streams, durable consumers, and who may speak to whom.

The migrator creates what stands here, the server's user rights are derived from it, services bind
to it and declare nothing themselves.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from contracts import auth, ingest, orchestrator, outside, transform
from contracts.message import Command, Event, Outside, Request
from contracts.readiness import Readiness

SECOND = 1.0
MINUTE = 60 * SECOND
DAY = 24 * 60 * MINUTE

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

STORE = 10 * GIB
"""Bytes on disk that JetStream may take; NATS_STORE_BYTES sets another size."""


@dataclass(frozen=True)
class Stream:
    """A JetStream stream; ages and windows in seconds, None is without end."""

    name: str
    subjects: tuple[str, ...]
    retention: str
    max_age: float | None
    part: float
    """Of the store, which the server reserves: what fills one stream takes nothing from another."""
    discard: Literal["old", "new"] = "old"
    """What a full stream drops: its oldest messages, or what is published next (an error)."""
    max_per_subject: int | None = None
    """Messages; where the subject names the organisation, only that one loses its oldest."""
    max_message: int | None = None
    """Bytes with headers; None: what the server takes (1 MB)."""
    duplicate_window: float = 10 * MINUTE

    def max_bytes(self, store: int = STORE) -> int:
        """Its part of a store of so many bytes."""
        return int(self.part * store)


CMD = Stream("CMD", ("cmd.>",), "workqueue", None, part=0.2, discard="new")
EVT = Stream("EVT", ("evt.>",), "limits", 14 * DAY, part=0.4, max_per_subject=10_000)
EXT = Stream(
    "EXT",
    ("ext.>",),
    "limits",
    14 * DAY,
    part=0.1,
    max_per_subject=10_000,
    max_message=32 * KIB,
)
PULSE = Stream(
    "PULSE", ("pulse.>",), "limits", DAY, part=0.003, max_per_subject=1, max_message=16 * KIB
)
"""Where services prove that the store takes messages: the last proof of each is kept."""
STREAMS = (CMD, EVT, EXT, PULSE)


@dataclass(frozen=True)
class Bucket:
    """A JetStream key-value bucket of counters; when it is full, the longest unused make way."""

    name: str
    max_age: float
    """Seconds after which an unchanged key is gone."""
    max_bytes: int = 16 * MIB
    max_message: int = 1 * KIB

    @property
    def stream(self) -> str:
        """The stream that holds the bucket."""
        return f"KV_{self.name}"

    def subject(self, key: str = ">") -> str:
        """Where a key is written."""
        return f"$KV.{self.name}.{key}"


LOGIN_RATES = Bucket("login_rates", 1 * DAY)
QUOTAS = Bucket("quotas", 1 * DAY)
BUCKETS = (LOGIN_RATES, QUOTAS)


@dataclass(frozen=True)
class Consumer:
    """A durable pull consumer, one for each command that a service handles or for its events."""

    stream: Stream
    service: str
    name: str
    subjects: tuple[str, ...]
    ack_wait: float = 10 * SECOND
    """A message whose holder has not said `in progress` for so long goes to another."""
    max_ack_pending: int = 10_000
    """Messages that are handed out at once. Those that come back later are among them: far more than
    one organisation has under way, so that its backlog keeps no other's messages in the stream."""


@dataclass(frozen=True)
class Service:
    """What one service asks, sends, handles and follows; the rest is denied it."""

    name: str
    asks: tuple[type[Request], ...] = ()
    sends: tuple[type[Command], ...] = ()
    handles: tuple[type[Command], ...] = ()
    follows: tuple[type[Event], ...] = ()
    """Events consumed durably, each once over all replicas."""
    watches: tuple[str, ...] = ()
    """Subjects that every replica hears now or never (core NATS)."""
    replays: tuple[str, ...] = ()
    """Subjects of the stream EVT that it reads again from any position on."""
    hears: tuple[type[Outside], ...] = ()
    """What other systems tell, consumed durably, each once over all replicas."""
    takes_in: tuple[str, ...] = ()
    """Subjects of what other systems tell, which this service lets in."""
    counts: Bucket | None = None
    """Where its replicas count rates together; no other service reads or writes there."""

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The streams that it writes to or has consumers in."""
        used = {EVT} | {consumer.stream for consumer in self.consumers()}
        used |= {CMD} if self.sends else set()
        used |= {EXT} if self.takes_in else set()
        return tuple(stream for stream in STREAMS if stream in used)

    @property
    def pulse(self) -> str:
        """Where it proves that the store takes messages."""
        return f"pulse.{self.name}"

    def consumers(self) -> Iterator[Consumer]:
        """The service's durable consumers."""
        for command in self.handles:
            name = f"{self.name}_{command.token.replace('.', '_')}"
            yield Consumer(CMD, self.name, name, (command.subject(),))
        if self.follows:
            subjects = tuple(event.pattern() for event in self.follows)
            yield Consumer(EVT, self.name, f"{self.name}_events", subjects)
        if self.hears:
            subjects = tuple(told.pattern() for told in self.hears)
            yield Consumer(EXT, self.name, f"{self.name}_outside", subjects)


SERVICES = (
    Service("auth", counts=LOGIN_RATES),
    Service(
        "ingest",
        asks=(
            transform.DeclareTable,
            transform.DropTable,
            transform.EnsureOrganization,
            transform.FindColumnUsers,
            transform.GetTable,
            transform.ListTables,
            transform.ProvisionLoader,
            transform.CloseLoader,
            transform.DropLoader,
            transform.FindMissingVersions,
            orchestrator.FindPipelineUsers,
        ),
        # To itself: a sync that waited is taken up again.
        sends=(ingest.SyncSource,),
        handles=(ingest.SyncSource,),
        follows=(
            orchestrator.RunCancelRequested,
            orchestrator.RunsForgotten,
            transform.RunPublished,
        ),
        watches=(orchestrator.RunCancelRequested.pattern(),),
        hears=(outside.SourceSynced,),
    ),
    Service(
        "transform",
        asks=(
            auth.GetOrganization,
            orchestrator.FindPipelineUsers,
            orchestrator.FindOldestRun,
            orchestrator.FindPinnedVersions,
        ),
        handles=(
            transform.BuildTransformation,
            transform.PublishRun,
            transform.AbortPublish,
        ),
        follows=(auth.OrganizationCreated, orchestrator.RunsForgotten),
        watches=(orchestrator.RunCancelRequested.pattern(),),
    ),
    Service(
        "orchestrator",
        asks=(
            auth.GetOrganization,
            ingest.PlanSources,
            transform.PlanTransformations,
            transform.FindMissingVersions,
        ),
        sends=(
            ingest.SyncSource,
            transform.BuildTransformation,
            transform.PublishRun,
            transform.AbortPublish,
        ),
        handles=(orchestrator.StartRun, orchestrator.CancelRun, orchestrator.RetryRun),
        follows=(
            ingest.SourceSynced,
            ingest.SourceSyncFailed,
            ingest.UploadAdded,
            transform.TransformationBuilt,
            transform.TransformationFailed,
            transform.RunPublished,
            transform.PublishAborted,
            transform.PublishFailed,
        ),
        hears=(outside.PipelineRun,),
    ),
    Service(
        "gateway",
        asks=(
            auth.SignUp,
            auth.LogIn,
            auth.RefreshSession,
            auth.LogOut,
            auth.GetMe,
            auth.GetOrganization,
            auth.GetSigningKeys,
            ingest.RegisterUpload,
            ingest.CreateSource,
            ingest.GetSource,
            ingest.ListSources,
            ingest.UpdateSource,
            ingest.AddUpload,
            ingest.DeleteSource,
            ingest.PreviewSource,
            ingest.ListForms,
            ingest.IssueLoader,
            ingest.RevokeLoader,
            ingest.ListRejects,
            ingest.ListSheets,
            ingest.PlanSources,
            ingest.ListSchemaChanges,
            ingest.AcceptSchemaChange,
            ingest.RejectSchemaChange,
            ingest.GetColumnHistory,
            transform.ListTables,
            transform.GetTable,
            transform.PreviewTable,
            transform.ProfileTable,
            transform.ListTableVersions,
            transform.RollbackTable,
            transform.GetStorage,
            transform.CreateTransformation,
            transform.UpdateTransformation,
            transform.GetTransformation,
            transform.ListTransformations,
            transform.DeleteTransformation,
            transform.ValidateRecipe,
            transform.PreviewRecipe,
            transform.ProfileRecipe,
            transform.ShowSql,
            transform.ListRecipeVersions,
            transform.GetRecipeVersion,
            transform.CompareRecipeVersions,
            transform.RestoreRecipeVersion,
            transform.TraceTransformation,
            transform.TraceTables,
            transform.PlanTransformations,
            orchestrator.CreatePipeline,
            orchestrator.GetPipeline,
            orchestrator.ListPipelines,
            orchestrator.UpdatePipeline,
            orchestrator.DeletePipeline,
            orchestrator.SetSchedule,
            orchestrator.SetTriggers,
            orchestrator.ListFirings,
            orchestrator.GetRun,
            orchestrator.ListRuns,
            orchestrator.ListRunEvents,
            orchestrator.GetRunTimeline,
            orchestrator.CheckRetry,
            orchestrator.CheckQueue,
            auth.GetReadiness,
            ingest.GetReadiness,
            transform.GetReadiness,
            orchestrator.GetReadiness,
        ),
        sends=(orchestrator.StartRun, orchestrator.CancelRun, orchestrator.RetryRun),
        watches=("evt.*.orchestrator.>", "tick.>"),
        replays=("evt.*.orchestrator.>",),
        takes_in=("ext.>",),
        counts=QUOTAS,
    ),
)


READINESS: dict[str, type[Request[Readiness]]] = {
    "auth": auth.GetReadiness,
    "ingest": ingest.GetReadiness,
    "transform": transform.GetReadiness,
    "orchestrator": orchestrator.GetReadiness,
}
"""The request by which an owner is asked whether it is ready."""


def service(name: str) -> Service:
    """The entry of one service; raises KeyError for a name that is none."""
    return {entry.name: entry for entry in SERVICES}[name]


@dataclass(frozen=True)
class Rights:
    """Subjects that a service's user may publish and subscribe; all else the server refuses."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


def rights(entry: Service) -> Rights:
    """Least privilege, derived: what the entry says, its own events and its own inbox.

    A puller needs MSG.NEXT, INFO and ACK of its own consumers and nothing of JetStream's else.
    """
    publish = {request.subject() for request in entry.asks}
    publish |= {request.withdrawal() for request in entry.asks if request.withdrawable}
    publish |= {command.subject() for command in entry.sends}
    publish |= set(entry.takes_in)
    publish |= {f"evt.*.{entry.name}.>", f"tick.*.{entry.name}.>", f"alive.{entry.name}"}
    publish.add(entry.pulse)
    # Whether its streams are there, and still those that it knows.
    publish |= {f"$JS.API.STREAM.INFO.{stream.name}" for stream in entry.streams}
    for consumer in entry.consumers():
        address = f"{consumer.stream.name}.{consumer.name}"
        publish |= {
            f"$JS.API.CONSUMER.MSG.NEXT.{address}",
            f"$JS.API.CONSUMER.INFO.{address}",
            f"$JS.ACK.{address}.>",
        }
    for subject in entry.replays:
        # The filter stands in the subject of the call: no other consumer can be made with it.
        publish.add(f"$JS.API.CONSUMER.CREATE.{EVT.name}.*.{subject}")
        # Which event is the oldest of its type.
        publish.add(f"$JS.API.STREAM.MSG.GET.{EVT.name}")
    if entry.counts is not None:
        publish.add(entry.counts.subject())
        publish.add(f"$JS.API.STREAM.MSG.GET.{entry.counts.stream}")
    subscribe = {f"req.{entry.name}.>", f"stop.{entry.name}.>", *entry.watches}
    subscribe |= {request.sign_of_life() for request in entry.asks}
    subscribe.add(f"{inbox_prefix(entry.name)}.>")
    return Rights(tuple(sorted(publish)), tuple(sorted(subscribe)))


def inbox_prefix(service_name: str) -> str:
    """Where a service's answers and pulled messages arrive; no other may listen there."""
    return f"_INBOX_{service_name}"
