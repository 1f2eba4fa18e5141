"""The state machine of a run: the only place that decides what happens next.

Pure: `transition(state, message, at, room)` gives the next state and the messages to send, looks at
no clock and makes no random id. It has three outcomes: Moved, Ignored for a stated reason, or an
IllegalMessage raised. The store owns the transaction around it; EDGES below are all the
changes of status that a message can make, and tests show that it takes each of them and no other.

    queued -> syncing -> transforming -> publishing -> succeeded
       `---------`------------`--------------`-------> failed | cancelled -> queued

From `publishing` on only transform decides: a cancel or a deadline asks it to abort, and its word
is the end. A deadline before that fails the run. A run of which nothing is heard gives the commands
of its running steps again: their owners say a known outcome once more, and do nothing twice.

Of the steps that could begin, as many do as the organisation has room for; the others stay pending
until a step of the run ends or `RoomFreed` comes (`room.py`).

A retry takes a run that failed or was cancelled back into the queue. Steps that went well keep what
they made; the others begin anew under new ids, so that news of the attempt before cannot be taken
for theirs. What was pinned stays pinned.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal, assert_never
from uuid import UUID

from contracts.envelope import derived_id
from contracts.ingest import SourceSynced, SourceSyncFailed
from contracts.message import Command, Event
from contracts.orchestrator import (
    CancelRun,
    RetryRun,
    RunCancelled,
    RunCancelRequested,
    RunFailed,
    RunQueued,
    RunStarted,
    RunStatus,
    RunSucceeded,
    StartRun,
    Step,
    StepFinished,
    StepStarted,
)
from contracts.problem import Problem, problem
from contracts.transform import (
    PublishAborted,
    PublishFailed,
    RunPublished,
    TransformationBuilt,
    TransformationFailed,
)
from orchestrator.commands import abort_of, changed, command_of, known, publish_step
from orchestrator.domain import (
    WELL,
    Message,
    RoomFreed,
    RunPlanned,
    RunPlanRefused,
    RunStalled,
    RunState,
    StepState,
    StepTimedOut,
    view,
)
from orchestrator.room import Slots, held, ready_steps

EDGES: frozenset[tuple[RunStatus, RunStatus]] = frozenset(
    {
        ("queued", "syncing"),
        ("queued", "transforming"),
        ("queued", "publishing"),
        ("queued", "succeeded"),
        ("queued", "failed"),
        ("queued", "cancelled"),
        ("syncing", "transforming"),
        ("syncing", "publishing"),
        ("syncing", "succeeded"),
        ("syncing", "failed"),
        ("syncing", "cancelled"),
        ("transforming", "publishing"),
        ("transforming", "succeeded"),
        ("transforming", "failed"),
        ("transforming", "cancelled"),
        ("publishing", "succeeded"),
        ("publishing", "failed"),
        ("publishing", "cancelled"),
        ("failed", "queued"),
        ("cancelled", "queued"),
    }
)


class IllegalMessage(Exception):
    """A message that this run can never have caused: a defect of its sender, not a late arrival."""


@dataclass(frozen=True)
class Moved:
    """The run changed; these messages tell of it and drive it on."""

    state: RunState
    messages: tuple[Command | Event, ...]


@dataclass(frozen=True)
class Ignored:
    """The message changes nothing, and that is right; the reason is for the log."""

    reason: str


def transition(
    state: RunState | None, message: Message, at: datetime, room: Slots
) -> Moved | Ignored:
    """What `message`, said at `at`, does to a run; `state` is None before the run exists.

    `room`: how many steps of the run may be under way from now on, of each kind that is counted.
    Raises IllegalMessage for a message about a run or a step that was never asked for.
    """
    if isinstance(message, StartRun):
        return _start(message, at) if state is None else Ignored("the run was started before")
    if state is None:
        raise IllegalMessage(f"{type(message).__name__} about a run that was never started")
    if isinstance(message, RetryRun):
        return _retry(state, message)
    if state.has_ended:
        return Ignored(f"the run has {state.status}")
    match message:
        case RunPlanned():
            if state.status != "queued":
                return Ignored("the run was admitted before")
            return _admit(state, message, at, room)
        case RunPlanRefused():
            if state.status != "queued":
                return Ignored("the run was admitted before")
            return _fail(state, message.problem, at)
        case SourceSynced() | TransformationBuilt():
            return _step_succeeded(state, message, at, room)
        case SourceSyncFailed() | TransformationFailed():
            return _step_failed(state, message, at, room)
        case RunPublished() | PublishFailed() | PublishAborted() if message.attempt < state.attempt:
            return Ignored(f"it is about attempt {message.attempt}")
        case RunPublished():
            _require_publishing(state, message)
            return _published(state, at)
        case PublishFailed():
            _require_publishing(state, message)
            state, told = _finish(
                state, publish_step(state), at, status="failed", error=message.problem
            )
            return _fail(state, message.problem, at, told)
        case PublishAborted():
            _require_publishing(state, message)
            return _aborted(state, at)
        case CancelRun():
            return _cancel_asked(state, at)
        case StepTimedOut():
            return _timed_out(state, message, at)
        case RunStalled():
            return _ask_again(state)
        case RoomFreed():
            return _use_room(state, at, room)
        case _:
            assert_never(message)


def _start(message: StartRun, at: datetime) -> Moved:
    state = RunState(
        run_id=message.run_id,
        kind=message.run_kind,
        pipeline_id=message.pipeline_id,
        source_ids=message.source_ids,
        transformation_ids=message.transformation_ids,
        trigger=message.trigger,
        force=message.force,
        status="queued",
        created_at=at,
        version=1,
    )
    return Moved(state, (RunQueued(run_id=state.run_id, version=1, run=view(state)),))


def _retry(state: RunState, message: RetryRun) -> Moved | Ignored:
    if state.status not in ("failed", "cancelled"):
        return Ignored(f"the run is {state.status}")
    if message.attempt != state.attempt + 1:
        return Ignored(f"it is about attempt {message.attempt}, after {state.attempt}")
    state = replace(
        state,
        status="queued",
        attempt=message.attempt,
        finished_at=None,
        error=None,
        cancel_asked=False,
        timed_out=None,
        version=state.version + 1,
    )
    steps = (own if own.view.status in WELL else _anew(state, own) for own in state.steps)
    state = replace(state, steps=tuple(steps))
    return Moved(state, (RunQueued(run_id=state.run_id, version=state.version, run=view(state)),))


def _anew(state: RunState, step: StepState) -> StepState:
    old = step.view
    target = old.source_id or old.transformation_id or state.run_id
    fresh = Step(
        id=_step_id(state, old.kind, target),
        kind=old.kind,
        source_id=old.source_id,
        transformation_id=old.transformation_id,
        name=old.name,
        table=old.table,
        recipe_version=old.recipe_version,
        status="pending",
        attempt=state.attempt,
    )
    former = (*step.former_ids, old.id)
    return replace(step, view=fresh, due_at=None, former_ids=former)


def _step_id(state: RunState, kind: str, target: UUID) -> UUID:
    return derived_id(state.run_id, kind, target, state.attempt)


def _admit(state: RunState, plan: RunPlanned, at: datetime, room: Slots) -> Moved:
    if not state.steps:
        state = _pinned(state, plan, at)
    syncs = any(step.view.kind == "sync" and step.is_open for step in state.steps)
    status = "syncing" if syncs else "transforming"
    state = replace(state, status=status, version=state.version + 1)
    started = RunStarted(run_id=state.run_id, version=state.version, run=view(state))
    return _go_on(state, at, [started], room)


def _pinned(state: RunState, plan: RunPlanned, at: datetime) -> RunState:
    """The run with everything it will work on."""
    syncs = [
        StepState(
            Step(
                id=_step_id(state, "sync", source.source_id),
                kind="sync",
                source_id=source.source_id,
                name=source.name,
                table=plan.table_names.get(source.table_id, source.name),
                status="pending",
                attempt=state.attempt,
            ),
            table_id=source.table_id,
            other_table_ids=source.other_table_ids,
            patience=source.patience,
        )
        for source in plan.sources
    ]
    builds = [
        StepState(
            Step(
                id=_step_id(state, "transform", transformation.transformation_id),
                kind="transform",
                transformation_id=transformation.transformation_id,
                name=transformation.name,
                table=plan.table_names.get(transformation.table_id, transformation.name),
                recipe_version=transformation.recipe_version,
                status="pending",
                attempt=state.attempt,
            ),
            table_id=transformation.table_id,
            recipe_version=transformation.recipe_version,
            reads=transformation.reads,
        )
        for transformation in plan.transformations
    ]
    publish = StepState(
        Step(
            id=_step_id(state, "publish", state.run_id),
            kind="publish",
            name="Publish",
            status="pending",
            attempt=state.attempt,
        )
    )
    return replace(
        state,
        started_at=at,
        timezone=plan.timezone,
        published=plan.published,
        steps=(*syncs, *builds, publish),
    )


def _step_succeeded(
    state: RunState, message: SourceSynced | TransformationBuilt, at: datetime, room: Slots
) -> Moved | Ignored:
    step = _running(state, message.step_id)
    if isinstance(step, Ignored):
        return step
    main = next((table for table in message.tables if table.table_id == step.table_id), None)
    state, told = _finish(
        state,
        replace(step, output=message.tables, unchanged=message.unchanged),
        at,
        status="skipped" if message.unchanged else "succeeded",
        rows=main.rows if main else None,
        size=main.bytes if main else None,
        reason=_kept(message) if message.unchanged else None,
    )
    return _go_on(state, at, told, room)


def _step_failed(
    state: RunState, message: SourceSyncFailed | TransformationFailed, at: datetime, room: Slots
) -> Moved | Ignored:
    step = _running(state, message.step_id)
    if isinstance(step, Ignored):
        return step
    state, told = _finish(state, step, at, status="failed", error=message.problem)
    if isinstance(message, TransformationFailed):
        return _fail(state, message.problem, at, told)
    return _go_on(state, at, told, room)


def _go_on(state: RunState, at: datetime, told: list[Command | Event], room: Slots) -> Moved:
    """What there is room for begins; after the last step of a stage the next stage does."""
    if state.status == "syncing":
        syncs = [step for step in state.steps if step.view.kind == "sync"]
        if any(step.is_open for step in syncs):
            return _begin_ready(state, at, told, room)
        # Every source has reported, so that a person sees all that is wrong at once.
        failed = [step for step in syncs if step.view.status == "failed"]
        if failed:
            return _fail(state, _summary(failed), at, told)
        state = replace(state, status="transforming")
    for step in ready_steps(state):
        if not known(state).keys() >= set(step.reads):
            why = _never_filled(step)
            state, messages = _finish(state, step, at, status="failed", error=why)
            return _fail(state, why, at, [*told, *messages])
    if any(step.is_open for step in state.steps if step.view.kind == "transform"):
        return _begin_ready(state, at, told, room)
    return _publish(state, at, told)


def _begin_ready(state: RunState, at: datetime, told: list[Command | Event], room: Slots) -> Moved:
    """Begin what could begin, in its order, as far as there is room."""
    own = held(state)
    left = {"sync": room.syncs - own.syncs, "transform": room.builds - own.builds}
    for step in ready_steps(state):
        if not step.patience:
            if left[step.view.kind] <= 0:
                continue
            left[step.view.kind] -= 1
        state, messages = _begin(state, step, at, command_of(state, step))
        told = [*told, *messages]
    return Moved(state, tuple(told))


def _use_room(state: RunState, at: datetime, room: Slots) -> Moved | Ignored:
    moved = _begin_ready(state, at, [], room)
    return moved if moved.messages else Ignored("nothing waits for room, or there is none")


def _publish(state: RunState, at: datetime, told: list[Command | Event]) -> Moved:
    step = publish_step(state)
    if not changed(state):
        state, messages = _finish(state, step, at, status="skipped", reason="nothing changed")
        return _succeed(state, at, [*told, *messages])
    state = replace(state, status="publishing")
    state, messages = _begin(state, step, at, command_of(state, step))
    return Moved(state, (*told, *messages))


def _published(state: RunState, at: datetime) -> Moved:
    state, told = _finish(state, publish_step(state), at, status="succeeded")
    return _succeed(state, at, told)


def _succeed(state: RunState, at: datetime, told: list[Command | Event]) -> Moved:
    state = replace(state, status="succeeded", finished_at=at, version=state.version + 1)
    end = RunSucceeded(run_id=state.run_id, version=state.version, run=view(state))
    return Moved(state, (*told, end))


def _fail(
    state: RunState, problem: Problem, at: datetime, told: Iterable[Command | Event] = ()
) -> Moved:
    state, stopped = _stop_open_steps(state, at, "the run failed")
    state = replace(
        state, status="failed", error=problem, finished_at=at, version=state.version + 1
    )
    end = RunFailed(run_id=state.run_id, version=state.version, run=view(state))
    return Moved(state, (*told, *stopped, end))


def _cancel(state: RunState, at: datetime) -> Moved:
    state, stopped = _stop_open_steps(state, at, "the run was cancelled")
    state = replace(state, status="cancelled", finished_at=at, version=state.version + 1)
    end = RunCancelled(run_id=state.run_id, version=state.version, run=view(state))
    return Moved(state, (*stopped, end))


def _cancel_asked(state: RunState, at: datetime) -> Moved | Ignored:
    if state.status != "publishing":
        return _cancel(state, at)
    if state.cancel_asked or state.timed_out:
        return Ignored("transform was asked to abort before")
    return Moved(replace(state, cancel_asked=True), (abort_of(state),))


def _timed_out(state: RunState, message: StepTimedOut, at: datetime) -> Moved | Ignored:
    step = _running(state, message.step_id)
    if isinstance(step, Ignored):
        return step
    why = _too_long(step, message.deadline)
    if state.status == "publishing":
        if state.cancel_asked or state.timed_out:
            return Ignored("transform was asked to abort before")
        return Moved(replace(state, timed_out=why), (abort_of(state),))
    # Others are not waited for: whoever hangs is to be called off now, and the call is the run's.
    state, told = _finish(state, step, at, status="failed", error=why)
    if not _is_worked_on(state):
        state, called = _call_off(state)
        told += called
    return _fail(state, why, at, told)


def _aborted(state: RunState, at: datetime) -> Moved:
    why = state.timed_out
    if why is None:
        return _cancel(state, at)
    state, told = _finish(state, publish_step(state), at, status="failed", error=why)
    return _fail(state, why, at, told)


def _ask_again(state: RunState) -> Moved | Ignored:
    told = [command_of(state, own, True) for own in state.steps if own.view.status == "running"]
    return Moved(state, tuple(told)) if told else Ignored("nobody was asked for anything")


def _call_off(state: RunState) -> tuple[RunState, list[Command | Event]]:
    """Tell whoever works on the run to stop."""
    state = replace(state, version=state.version + 1)
    return state, [
        RunCancelRequested(run_id=state.run_id, version=state.version, attempt=state.attempt)
    ]


def _stop_open_steps(
    state: RunState, at: datetime, reason: str
) -> tuple[RunState, list[Command | Event]]:
    """End what has not ended, and tell whoever works on it to stop."""
    state, told = _call_off(state) if _is_worked_on(state) else (state, [])
    for step in state.steps:
        if step.is_open:
            state, messages = _finish(state, step, at, status="cancelled", reason=reason)
            told += messages
    return state, told


def _begin(
    state: RunState, step: StepState, at: datetime, command: Command
) -> tuple[RunState, list[Command | Event]]:
    begun = replace(step, view=step.view.model_copy(update={"status": "running", "started_at": at}))
    state = replace(_with(state, begun), version=state.version + 1)
    event = StepStarted(run_id=state.run_id, version=state.version, step=begun.view)
    return state, [event, command]


def _finish(
    state: RunState,
    step: StepState,
    at: datetime,
    *,
    status: Literal["succeeded", "failed", "skipped", "cancelled"],
    rows: int | None = None,
    size: int | None = None,
    error: Problem | None = None,
    reason: str | None = None,
) -> tuple[RunState, list[Command | Event]]:
    update = {
        "status": status,
        "finished_at": at,
        "rows": rows,
        "bytes": size,
        "error": error,
        "reason": reason,
    }
    done = replace(step, view=step.view.model_copy(update=update))
    state = replace(_with(state, done), version=state.version + 1)
    return state, [StepFinished(run_id=state.run_id, version=state.version, step=done.view)]


def _is_worked_on(state: RunState) -> bool:
    return any(step.view.status == "running" for step in state.steps)


def _with(state: RunState, step: StepState) -> RunState:
    steps = tuple(step if own.view.id == step.view.id else own for own in state.steps)
    return replace(state, steps=steps)


def _running(state: RunState, step_id: UUID) -> StepState | Ignored:
    for step in state.steps:
        if step.view.id == step_id:
            if step.view.status == "running":
                return step
            return Ignored(f"the step has {step.view.status}")
        if step_id in step.former_ids:
            return Ignored("the step was begun anew since")
    raise IllegalMessage(f"run {state.run_id} has no step {step_id}")


def _kept(message: SourceSynced | TransformationBuilt) -> str:
    """Why a step left what readers see as it is."""
    reason = message.reason if isinstance(message, SourceSynced) else None
    return reason or "unchanged"


def _require_publishing(
    state: RunState, message: RunPublished | PublishFailed | PublishAborted
) -> None:
    if state.status != "publishing" or message.attempt != state.attempt:
        about = f"{type(message).__name__} about attempt {message.attempt}"
        where = f"run {state.run_id} is {state.status} in attempt {state.attempt}"
        raise IllegalMessage(f"{about} while {where}")


def _too_long(step: StepState, deadline: datetime) -> Problem:
    detail = (
        f"'{step.view.name}' was called off: it had not ended by its deadline, "
        f"{deadline.astimezone(UTC):%Y-%m-%d %H:%M} UTC. Run it again; if it does need longer, "
        "whoever operates this installation can extend the deadline."
    )
    return problem(504, "timed_out", detail).problem


def _never_filled(step: StepState) -> Problem:
    """What to say of a recipe that reads a table which its source was to fill and did not."""
    detail = (
        f"'{step.view.name}' reads a table that its source has no more and that never held data, a "
        "repeat that was taken out of a form. Change the recipe."
    )
    return problem(422, "never_filled", detail).problem


def _summary(failed: list[StepState]) -> Problem:
    """The problem of the run: the first source's own, and how many more there are."""
    first = failed[0].view.error
    assert first is not None
    if len(failed) == 1:
        return first
    names = ", ".join(step.view.name for step in failed[1:])
    return first.model_copy(update={"detail": f"{first.detail} (Also failed: {names}.)"})
