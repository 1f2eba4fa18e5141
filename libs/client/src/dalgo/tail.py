"""Following a run: what has been seen, when to come back, when to stop. No I/O."""

import time
from datetime import UTC, datetime
from uuid import UUID

from httpx_sse import ServerSentEvent
from pydantic import ValidationError

from contracts.ingest import SyncProgress
from contracts.message import Part
from contracts.orchestrator import Run, RunEvent, RunStatus, Step
from dalgo.call import Call, model, nothing
from dalgo.errors import DalgoError

_ENDINGS: dict[RunStatus, str] = {
    "succeeded": "run_succeeded",
    "failed": "run_failed",
    "cancelled": "run_cancelled",
}
_PATIENT = 3
"""Connections in a row that told nothing, after which the run is polled instead."""
_ARRIVES_WITHIN = 60.0
"""Seconds within which a run that was accepted must have reached its owner."""


def id_of(run: Run | UUID) -> UUID:
    """The id of a run that is named by itself or its id."""
    return run.id if isinstance(run, Run) else run


def has_ended(run: Run) -> bool:
    """Whether nothing more will happen to the run."""
    return run.status in _ENDINGS


class _Progress(Part):
    run_id: UUID
    data: SyncProgress


class Tail:
    """The end of a run's events, as far as one reader has come."""

    def __init__(self, run: Run | UUID, after_version: int = 0) -> None:
        self.run_id = id_of(run)
        self.seen = after_version
        self.has_ended = False
        self._fruitless = 0
        self._is_unheard = isinstance(run, Run) and run.version == 0
        self._began = time.monotonic()
        self._steps: dict[UUID, Step] = {}

    @property
    def must_poll(self) -> bool:
        """Whether the live stream has failed too often to be tried again."""
        return self._fruitless >= _PATIENT

    @property
    def live(self) -> Call[None]:
        """The call that streams what comes after the last event that was seen."""
        last = {"Last-Event-ID": str(self.seen)} if self.seen else {}
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store", **last}
        return Call("GET", f"/runs/{self.run_id}/events", nothing, headers=headers)

    @property
    def poll(self) -> Call[Run]:
        """The call that looks at the run."""
        return Call("GET", f"/runs/{self.run_id}", model(Run))

    def take(self, sent: ServerSentEvent) -> RunEvent | None:
        """The run event in a server-sent one; None for progress and for what was seen before."""
        if not sent.id:
            return None
        try:
            event = RunEvent.model_validate_json(sent.data)
        except ValidationError:
            return None
        if event.version <= self.seen:
            return None
        self._fruitless = 0
        self._remember(event)
        return event

    def progress(self, sent: ServerSentEvent) -> SyncProgress | None:
        """How far a sync has come, if the server-sent event tells that."""
        if sent.event != "progress":
            return None
        try:
            return _Progress.model_validate_json(sent.data).data
        except ValidationError:
            return None

    def broke_off(self) -> float:
        """The line is gone, or closed; the seconds to wait before the next attempt."""
        self._fruitless += 1
        return min(1.0, 0.1 * self._fruitless)

    def forgives(self, error: DalgoError) -> bool:
        """Whether the run is only not there yet: accepted, but its owner has not read of it."""
        is_early = time.monotonic() - self._began < _ARRIVES_WITHIN
        return error.status == 404 and self._is_unheard and not self.seen and is_early

    def catch_up(self, run: Run) -> list[RunEvent]:
        """What must have happened since the last look, told as the live stream would tell it."""
        self.has_ended = has_ended(run)
        if run.version <= self.seen:
            return []
        missed = [
            self._event(run, _told(step), {"step": step.model_dump(mode="json")})
            for step in run.steps
            if step.status != "pending" and _is_news(self._steps.get(step.id), step)
        ]
        if run.status in _ENDINGS:
            data: dict[str, object] = {"run": run.model_dump(mode="json")}
            missed.append(self._event(run, _ENDINGS[run.status], data))
        for event in missed:
            self._remember(event)
        self.seen = run.version
        return missed

    def _remember(self, event: RunEvent) -> None:
        self.seen = max(self.seen, event.version)
        # What comes after an end is of a run that was retried.
        self.has_ended = event.type in _ENDINGS.values()
        if (step := step_of(event)) is not None:
            self._steps[step.id] = step

    def _event(self, run: Run, type: str, data: dict[str, object]) -> RunEvent:
        return RunEvent(
            run_id=self.run_id, version=run.version, type=type, time=datetime.now(UTC), data=data
        )


def step_of(event: RunEvent) -> Step | None:
    """The step that an event tells of, if it does."""
    told = event.data.get("step")
    return Step.model_validate(told) if isinstance(told, dict) else None


def run_of(event: RunEvent) -> Run | None:
    """The run as it stood at an event, if the event tells it."""
    told = event.data.get("run")
    return Run.model_validate(told) if isinstance(told, dict) else None


def _told(step: Step) -> str:
    return "step_started" if step.status == "running" else "step_finished"


def _is_news(known: Step | None, now: Step) -> bool:
    return known is None or (known.status, known.attempt) != (now.status, now.attempt)
