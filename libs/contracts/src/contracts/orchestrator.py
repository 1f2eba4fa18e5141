"""What the orchestrator owns: pipelines and runs."""

from datetime import datetime, time
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from contracts.envelope import derived_id
from contracts.message import Command, Done, Event, Part, Request
from contracts.problem import Problem
from contracts.readiness import Readiness
from contracts.text import LocalTime

RunKind = Literal["sync", "transform", "pipeline"]
RunStatus = Literal[
    "queued", "syncing", "transforming", "publishing", "succeeded", "failed", "cancelled"
]
StepKind = Literal["sync", "transform", "publish"]
StepStatus = Literal["pending", "running", "succeeded", "failed", "skipped", "cancelled"]
TriggerType = Literal["manual", "schedule", "event", "api"]


Frequency = Literal["manual", "hourly", "daily", "weekly", "cron"]
Overlap = Literal["skip", "queue"]


class ScheduleRule(Part):
    """When a pipeline is to run by itself."""

    frequency: Frequency
    run_at: time | None = None
    """Local time of day; of `hourly` its minute counts, None is the full hour."""
    day_of_week: int | None = Field(default=None, ge=0, le=6)
    """0 is Monday."""
    cron: str | None = Field(default=None, max_length=200)
    """Minute, hour, day of month, month, day of week."""
    timezone: str = Field(max_length=100)
    """IANA name: the times are those of a clock on the wall there."""
    is_active: bool = True
    """False: paused. What is due meanwhile is not made up for."""
    overlap: Overlap = "skip"
    """What becomes of a time that comes while the pipeline still runs: `queue` lets one wait."""
    grace_minutes: int = Field(default=60, ge=0, le=7 * 24 * 60)
    """How late a missed time is still made up for: the latest one, once."""


class Schedule(Part):
    """When a pipeline runs by itself, and when next (UTC)."""

    frequency: Frequency
    run_at_time: LocalTime | None
    run_at_day: int | None
    cron: str | None
    timezone: str
    is_active: bool
    overlap: Overlap
    grace_minutes: int
    next_run_at: datetime | None
    next_runs: tuple[datetime, ...]
    """The next five; none of a schedule that is paused or manual."""


class AfterPipeline(Part):
    """Run when another pipeline has succeeded."""

    type: Literal["pipeline"]
    pipeline_id: UUID
    """The other one."""
    only_if_changed: bool = False
    """Not after a run that found nothing new, and published nothing."""
    is_active: bool = True
    """False: paused. What happens meanwhile is not made up for."""
    overlap: Overlap = "queue"
    """What becomes of news that comes while the pipeline still runs: it may not have seen them."""


class OnUpload(Part):
    """Run when a source of the pipeline got a new file."""

    type: Literal["upload"]
    source_id: UUID | None = None
    """Of this source only; None: of any that the pipeline has by then."""
    is_active: bool = True
    """False: paused. What is uploaded meanwhile is not made up for."""
    overlap: Overlap = "queue"
    """What becomes of a file that comes while the pipeline still runs: it may not have read it."""


TriggerRule = Annotated[AfterPipeline | OnUpload, Field(discriminator="type")]
"""What sets a pipeline off, besides its schedule and people."""


class Pipeline(Part):
    """Sources and transformations that run together."""

    id: UUID
    name: str
    source_ids: tuple[UUID, ...]
    transformation_ids: tuple[UUID, ...]
    schedule: Schedule | None = None
    triggers: tuple[TriggerRule, ...] = ()
    revision: int
    last_run_at: datetime | None
    created_at: datetime


class PipelineList(Part):
    """A page of pipelines, by name."""

    pipelines: tuple[Pipeline, ...]
    next_cursor: str | None = None


class CreatePipeline(Request[Pipeline]):
    """Keep a pipeline; what its ids name was checked by the asker with their owners."""

    pipeline_id: UUID
    name: str
    source_ids: tuple[UUID, ...]
    transformation_ids: tuple[UUID, ...]


class GetPipeline(Request[Pipeline]):
    """One pipeline of the organisation."""

    pipeline_id: UUID


class ListPipelines(Request[PipelineList]):
    """The organisation's pipelines, a page at a time."""

    limit: int = 50
    cursor: str | None = None


class UpdatePipeline(Request[Pipeline]):
    """Change a pipeline; None leaves a field as it is."""

    pipeline_id: UUID
    if_revision: int | None = None
    name: str | None = None
    source_ids: tuple[UUID, ...] | None = None
    transformation_ids: tuple[UUID, ...] | None = None


class DeletePipeline(Request[Done]):
    """Delete a pipeline; its runs stay in the history."""

    pipeline_id: UUID
    if_revision: int | None = None


class SetSchedule(Request[Schedule]):
    """Say when a pipeline runs by itself; 404 names an unknown pipeline, 422 what cannot be."""

    pipeline_id: UUID
    rule: ScheduleRule


class SetTriggers(Request[Pipeline]):
    """Say what sets a pipeline off, in place of what was said before.

    404 names an unknown pipeline, 422 what cannot be (pipelines that would set each other off for
    ever, with the way), 412 a lost update.
    """

    pipeline_id: UUID
    if_revision: int | None = None
    triggers: tuple[TriggerRule, ...] = Field(max_length=50)


class Cause(Part):
    """What set a pipeline off: a run that succeeded, a new upload, an event from outside."""

    type: Literal["pipeline", "upload", "event"]
    pipeline_id: UUID | None = None
    """Whose run succeeded."""
    run_id: UUID | None = None
    source_id: UUID | None = None
    """Which got the upload."""
    upload_id: UUID | None = None
    event_id: UUID | None = None
    """Of an event from outside, as the bus knows it."""
    event_source: str | None = None
    """Who told it, in their own words."""


class Firing(Part):
    """A time at which a pipeline was due, and what came of it."""

    scheduled_for: datetime
    """Of a trigger: when its cause was heard of."""
    run_id: UUID | None
    """None: nothing was started, for the reason."""
    reason: str | None
    at: datetime
    cause: Cause | None = None
    """None: the schedule."""


class Firings(Part):
    """What came of a schedule and of triggers, newest first."""

    firings: tuple[Firing, ...]


class ListFirings(Request[Firings]):
    """The last times at which a pipeline was due."""

    pipeline_id: UUID
    limit: int = Field(default=50, ge=1, le=500)


class PipelineUsers(Part):
    """Names of the pipelines that use something."""

    names: tuple[str, ...]


class FindPipelineUsers(Request[PipelineUsers]):
    """Which pipelines use this source or transformation?"""

    target_id: UUID


class Trigger(Part):
    """Why a run was started, and by whom."""

    type: TriggerType
    actor: str
    scheduled_for: datetime | None = None
    caused_by: Cause | None = None
    """Of an event; the actor is then who caused it, after a pipeline who had set that one off."""


class Step(Part):
    """One piece of a run's work."""

    id: UUID
    kind: StepKind
    source_id: UUID | None = None
    transformation_id: UUID | None = None
    name: str
    table: str | None = None
    """Display name of the table that the step writes."""
    recipe_version: int | None = None
    """Of a transformation's step: the version of its recipe that the run uses."""
    status: StepStatus
    attempt: int
    rows: int | None = None
    bytes: int | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    error: Problem | None = None
    reason: str | None = None
    """Why the step was skipped or cancelled."""


class Run(Part):
    """A run as people see it."""

    id: UUID
    kind: RunKind
    pipeline_id: UUID | None
    status: RunStatus
    trigger: Trigger
    created_at: datetime
    started_at: datetime | None = None
    """When its first attempt began: what TODAY means in all of them follows from it."""
    finished_at: datetime | None = None
    error: Problem | None = None
    steps: tuple[Step, ...] = ()
    attempt: int = 1
    """How often the run was begun, this time included."""
    version: int
    """Grows with every change; the `id:` of the run's live events."""


class RunList(Part):
    """A page of runs, newest first."""

    runs: tuple[Run, ...]
    next_cursor: str | None = None


class GetRun(Request[Run]):
    """One run of the organisation."""

    run_id: UUID


class ListRuns(Request[RunList]):
    """The organisation's runs that fit everything that is said; of several values, any will do.

    A page ends early when its runs have so many steps that it would be too large an answer.
    """

    pipeline_id: UUID | None = None
    status: RunStatus | None = None
    statuses: tuple[RunStatus, ...] = ()
    kinds: tuple[RunKind, ...] = ()
    triggers: tuple[TriggerType, ...] = ()
    source_id: UUID | None = None
    """Runs that sync it, alone or with others."""
    transformation_id: UUID | None = None
    created_after: datetime | None = None
    """At this time or later."""
    created_before: datetime | None = None
    limit: int = 50
    cursor: str | None = None


class OldestRun(Part):
    """When the oldest run that has not ended was created; None: all have ended."""

    created_at: datetime | None


class FindOldestRun(Request[OldestRun]):
    """Since when may somebody be writing versions that are not published yet?"""


class PinnedVersions(Part):
    """Relations of versions that are pinned."""

    relations: tuple[str, ...]


class FindPinnedVersions(Request[PinnedVersions]):
    """Which of these versions of the organisation was a run planned on that has not ended?"""

    relations: tuple[str, ...]


class RunEvent(Part):
    """One change of a run, as the live stream tells it."""

    run_id: UUID
    version: int
    type: str
    """Type of the event that told it: `step_finished`."""
    time: datetime
    data: dict[str, object]


class RunEvents(Part):
    """A stretch of a run's history."""

    events: tuple[RunEvent, ...]
    more: bool = False
    """There are later ones: ask again after the last."""


class ListRunEvents(Request[RunEvents]):
    """What happened to a run after a version that the asker has seen (0: everything)."""

    run_id: UUID
    after_version: int = 0


class TimedStep(Step):
    """A step in one attempt of a run; milliseconds, None while it has not come to that."""

    waited_ms: int | None = None
    """From the beginning of the attempt to its own: what it reads had to be there first."""
    took_ms: int | None = None
    """Until its end, with its wait for a worker."""


class RunAttempt(Part):
    """One time that a run was begun, with the steps that were done in it."""

    number: int
    status: RunStatus
    queued_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    waited_ms: int | None = None
    """In the queue."""
    took_ms: int | None = None
    error: Problem | None = None
    steps: tuple[TimedStep, ...] = ()
    """What an earlier attempt did well stands there: it is not done again."""


class RunTimeline(Part):
    """How a run went, attempt by attempt."""

    run_id: UUID
    attempts: tuple[RunAttempt, ...]


class GetRunTimeline(Request[RunTimeline]):
    """How a run went, attempt by attempt."""

    run_id: UUID


class StartRun(Command):
    """Start a run over sources and transformations; `run_id` was minted by the asker."""

    run_id: UUID
    run_kind: RunKind
    pipeline_id: UUID | None
    source_ids: tuple[UUID, ...]
    transformation_ids: tuple[UUID, ...]
    trigger: Trigger
    force: bool = False

    @property
    def message_id(self) -> UUID:
        """The id under which a person's start is said: it is the same run however often."""
        return start_id(self.run_id)


def start_id(run_id: UUID) -> UUID:
    """The `message_id` of the command that a person started a run with."""
    return derived_id("start_run", run_id)


class CancelRun(Command):
    """Stop a run, unless it has ended."""

    run_id: UUID


class CheckRetry(Request[Run]):
    """The run, if it can be retried; 404 and 409 say why it cannot."""

    run_id: UUID


class QueuePlaces(Part):
    """How many runs more the organisation's queue takes, one at least."""

    places: int


class CheckQueue(Request[QueuePlaces]):
    """Whether the organisation's queue takes one more run; 429 says that it is full.

    503 `database_full` while nothing can be stored.
    """


class RetryRun(Command):
    """Begin a run that failed or was cancelled again, from where it stopped."""

    run_id: UUID
    attempt: int
    """The one that is to begin: said twice, it begins once."""


class RunsForgotten(Event):
    """These runs are history no more: what others keep of them can go as well."""

    run_ids: tuple[UUID, ...]


class RunQueued(Event):
    """A run waits for its turn."""

    run_id: UUID
    version: int
    run: Run


class RunStarted(Event):
    """A run was admitted; `run` names its steps."""

    run_id: UUID
    version: int
    run: Run


class StepStarted(Event):
    """A step's command was sent."""

    run_id: UUID
    version: int
    step: Step


class StepFinished(Event):
    """A step ended, one way or another."""

    run_id: UUID
    version: int
    step: Step


class RunCancelRequested(Event):
    """Whoever works on the run, stop: nobody will look at the result."""

    run_id: UUID
    version: int
    attempt: int = 1
    """Work on a later one goes on."""


class RunSucceeded(Event):
    """Everything was done and is visible."""

    run_id: UUID
    version: int
    run: Run


class RunFailed(Event):
    """The run ended without publishing anything."""

    run_id: UUID
    version: int
    run: Run


class RunCancelled(Event):
    """The run was stopped; nothing was published."""

    run_id: UUID
    version: int
    run: Run


class GetReadiness(Request[Readiness]):
    """Whether this service is ready: what its own `/readyz` answers."""
