"""How long steps may take, and how long a run may be silent before its owners are asked again."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from orchestrator.domain import RunState, StepState
from orchestrator.settings import Settings

_LONGEST_SILENCE = timedelta(hours=1)


@dataclass(frozen=True)
class Deadlines:
    """What an operator allows."""

    sync: timedelta
    transform: timedelta
    publish: timedelta
    silence: timedelta

    @classmethod
    def of(cls, settings: Settings) -> "Deadlines":
        """As the settings say."""
        return cls(
            sync=timedelta(seconds=settings.sync_deadline),
            transform=timedelta(seconds=settings.transform_deadline),
            publish=timedelta(seconds=settings.publish_deadline),
            silence=timedelta(seconds=settings.ask_again_after),
        )

    def set(self, state: RunState, now: datetime) -> RunState:
        """The run, with a deadline for every step that runs and has none yet."""
        if all(step.due_at or step.view.status != "running" for step in state.steps):
            return state
        steps = tuple(
            replace(step, due_at=now + self._allowed(step))
            if step.view.status == "running" and step.due_at is None
            else step
            for step in state.steps
        )
        return replace(state, steps=steps)

    def look_at(self, state: RunState, now: datetime, repeats: int) -> datetime | None:
        """When to look after the run if nothing is heard of it; None: nobody works on it.

        Each time it was asked again in vain, twice as long: work that takes hours is no silence.
        """
        running = [step for step in state.steps if step.view.status == "running"]
        if not running:
            return None
        pause = min(self.silence * 2 ** min(repeats, 16), max(_LONGEST_SILENCE, self.silence))
        due = [] if is_called_off(state) else [step.due_at for step in running if step.due_at]
        return min([now + pause, *due])

    def _allowed(self, step: StepState) -> timedelta:
        of_kind = {"sync": self.sync, "transform": self.transform, "publish": self.publish}
        return of_kind[step.view.kind] + step.patience


def overdue(state: RunState, now: datetime) -> StepState | None:
    """A step that runs past its deadline, unless transform was asked to abort for that already."""
    if is_called_off(state):
        return None
    running = (step for step in state.steps if step.view.status == "running")
    return next((step for step in running if step.due_at and step.due_at <= now), None)


def is_called_off(state: RunState) -> bool:
    """Whether transform was asked to abort the publish: no deadline can do more."""
    return state.cancel_asked or state.timed_out is not None
