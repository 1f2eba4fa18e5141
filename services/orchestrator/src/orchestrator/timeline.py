"""A run's events, told as attempts with their steps and times. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from contracts.orchestrator import Run, RunAttempt, RunEvent, RunStatus, Step, TimedStep
from contracts.problem import Problem

_ENDINGS = frozenset({"run_succeeded", "run_failed", "run_cancelled"})


@dataclass
class _Attempt:
    """An attempt as far as it has been told."""

    number: int
    queued_at: datetime
    status: RunStatus = "queued"
    started_at: datetime | None = None
    finished_at: datetime | None = None
    error: Problem | None = None
    steps: dict[UUID, Step] = field(default_factory=dict)

    def take(self, event: RunEvent) -> None:
        """One more thing that happened in it."""
        if "run" in event.data:
            run = Run.model_validate(event.data["run"])
            self.status = run.status
            for step in run.steps:
                self._note(step)
            if event.type == "run_started":
                self.started_at = event.time
            elif event.type in _ENDINGS:
                self.finished_at, self.error = event.time, run.error
        elif "step" in event.data:
            self._note(Step.model_validate(event.data["step"]))

    def told(self) -> RunAttempt:
        return RunAttempt(
            number=self.number,
            status=self.status,
            queued_at=self.queued_at,
            started_at=self.started_at,
            finished_at=self.finished_at,
            waited_ms=_between(self.queued_at, self.started_at or self.finished_at),
            took_ms=_between(self.started_at, self.finished_at),
            error=self.error,
            steps=tuple(self._timed(step) for step in self.steps.values()),
        )

    def _note(self, step: Step) -> None:
        if step.attempt == self.number:
            self.steps[step.id] = step

    def _timed(self, step: Step) -> TimedStep:
        return TimedStep(
            **dict(step),
            waited_ms=_between(self.started_at, step.started_at),
            took_ms=_between(step.started_at, step.finished_at),
        )


def attempts(events: Iterable[RunEvent], status: RunStatus) -> tuple[RunAttempt, ...]:
    """All attempts of a run, the first one first; `status` is how the run stands now."""
    known: list[_Attempt] = []
    for event in events:
        if event.type == "run_queued":
            known.append(_Attempt(len(known) + 1, event.time))
        known[-1].take(event)
    known[-1].status = status
    return tuple(attempt.told() for attempt in known)


def _between(begin: datetime | None, end: datetime | None) -> int | None:
    """Milliseconds; the clocks of two services may differ by a few, so never less than none."""
    if begin is None or end is None:
        return None
    return max(0, round((end - begin).total_seconds() * 1000))
