"""A run and its steps as data: what the machine turns into its next state."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from contracts.ingest import PlannedSource, SourceSynced, SourceSyncFailed
from contracts.orchestrator import (
    CancelRun,
    RetryRun,
    Run,
    RunKind,
    RunStatus,
    StartRun,
    Step,
    Trigger,
)
from contracts.problem import Problem
from contracts.tables import TableVersion
from contracts.transform import (
    PlannedTransformation,
    PublishAborted,
    PublishFailed,
    RunPublished,
    TransformationBuilt,
    TransformationFailed,
)

ENDED: frozenset[RunStatus] = frozenset({"succeeded", "failed", "cancelled"})
OPEN = frozenset({"pending", "running"})
WELL = frozenset({"succeeded", "skipped"})
"""How a step ends that made, or kept, what others may read."""


@dataclass(frozen=True)
class RunPlanned:
    """The run was admitted; everything it will work on is pinned here."""

    sources: tuple[PlannedSource, ...]
    transformations: tuple[PlannedTransformation, ...]
    published: tuple[TableVersion, ...]
    table_names: dict[UUID, str]
    timezone: str


@dataclass(frozen=True)
class RunPlanRefused:
    """What the run is to work on does not exist or does not fit."""

    problem: Problem


@dataclass(frozen=True)
class StepTimedOut:
    """A step has not ended by its deadline."""

    step_id: UUID
    deadline: datetime


@dataclass(frozen=True)
class RunStalled:
    """Nothing was heard of the run for a while: a command or its answer may be lost."""


@dataclass(frozen=True)
class RoomFreed:
    """Steps of other runs of the organisation have ended: some of this run's may begin."""


Message = (
    StartRun
    | RunPlanned
    | RunPlanRefused
    | StepTimedOut
    | RunStalled
    | RoomFreed
    | SourceSynced
    | SourceSyncFailed
    | TransformationBuilt
    | TransformationFailed
    | RunPublished
    | PublishAborted
    | PublishFailed
    | CancelRun
    | RetryRun
)


@dataclass(frozen=True)
class StepState:
    """A step, and what the machine needs to give its command."""

    view: Step
    table_id: UUID | None = None
    other_table_ids: tuple[UUID, ...] = ()
    """Of a source that fills several."""
    recipe_version: int | None = None
    reads: tuple[UUID, ...] = ()
    """Ids of the tables that a transformation reads."""
    output: tuple[TableVersion, ...] = ()
    unchanged: bool = False
    patience: timedelta = timedelta(0)
    """For so long the step may wait for another system."""
    due_at: datetime | None = None
    """When a step that runs must have ended, by the database's clock: the store's to say."""
    former_ids: tuple[UUID, ...] = ()
    """Of the step in earlier attempts: news of them is too late."""

    @property
    def writes(self) -> frozenset[UUID | None]:
        """Ids of the tables that the step makes versions of."""
        return frozenset({self.table_id, *self.other_table_ids})

    @property
    def is_open(self) -> bool:
        """Whether the step has not ended yet."""
        return self.view.status in OPEN


@dataclass(frozen=True)
class RunState:
    """Everything about a run; stored as one snapshot."""

    run_id: UUID
    kind: RunKind
    pipeline_id: UUID | None
    source_ids: tuple[UUID, ...]
    transformation_ids: tuple[UUID, ...]
    trigger: Trigger
    force: bool
    status: RunStatus
    created_at: datetime
    version: int = 0
    """How many run events there have been."""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    timezone: str = "UTC"
    error: Problem | None = None
    published: tuple[TableVersion, ...] = ()
    """What readers saw when the run was first admitted."""
    steps: tuple[StepState, ...] = ()
    attempt: int = 1
    cancel_asked: bool = False
    timed_out: Problem | None = None
    """Why transform was asked to abort the publish, when nobody cancelled."""
    trace: str | None = None
    """The `traceparent` of whoever asked for this attempt; the store's to say."""

    @property
    def has_ended(self) -> bool:
        """Whether nothing can happen to the run any more, unless it is retried."""
        return self.status in ENDED

    @property
    def writes(self) -> tuple[UUID, ...]:
        """Ids of the tables that the run writes: a source's and a transformation's own."""
        return tuple(sorted({*self.source_ids, *self.transformation_ids}))


def view(state: RunState) -> Run:
    """The run as people see it."""
    return Run(
        id=state.run_id,
        kind=state.kind,
        pipeline_id=state.pipeline_id,
        status=state.status,
        trigger=state.trigger,
        created_at=state.created_at,
        started_at=state.started_at,
        finished_at=state.finished_at,
        error=state.error,
        steps=tuple(step.view for step in state.steps),
        attempt=state.attempt,
        version=state.version,
    )
