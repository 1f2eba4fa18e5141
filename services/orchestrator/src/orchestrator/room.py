"""How many steps of an organisation may be under way at once, and which of a run's wait for that.

Only what takes a worker for long is counted: syncs and builds. Publishes are short. A sync that
waits for another system first holds no worker meanwhile, and therefore no slot.
"""

from dataclasses import dataclass

from contracts.orchestrator import StepKind
from orchestrator.domain import WELL, RunState, StepState


@dataclass(frozen=True)
class Slots:
    """So many steps of each kind that is counted."""

    syncs: int = 0
    builds: int = 0

    def of(self, kind: StepKind) -> int:
        """Of one of the two kinds."""
        return self.syncs if kind == "sync" else self.builds


@dataclass(frozen=True)
class Others:
    """How the other runs of a run's organisation stand."""

    held: Slots = Slots()
    """Steps of theirs that are under way."""
    waiting: Slots = Slots()
    """How many of the runs have steps that could begin if there were room."""


def held(state: RunState) -> Slots:
    """The slots that a run holds."""
    running = [
        step.view.kind
        for step in state.steps
        if step.view.status == "running" and not step.patience
    ]
    return Slots(syncs=running.count("sync"), builds=running.count("transform"))


def ready_steps(state: RunState) -> tuple[StepState, ...]:
    """Steps that could begin now: every source at once, a recipe when what it reads is made."""
    if state.status == "syncing":
        return tuple(step for step in state.steps if _is_pending(step, "sync"))
    if state.status == "transforming":
        return tuple(step for step in state.steps if _can_be_built(state, step))
    return ()


def waiting(state: RunState) -> Slots:
    """One for the kind of which the run has steps that could begin if there were room."""
    kinds = {step.view.kind for step in ready_steps(state)}
    return Slots(syncs=int("sync" in kinds), builds=int("transform" in kinds))


def waits_outside(state: RunState) -> bool:
    """Whether all that the run does is to wait for other systems."""
    running = [step for step in state.steps if step.view.status == "running"]
    return bool(running) and all(step.patience for step in running) and not ready_steps(state)


def room(cap: Slots, others: Others, own: Slots, has_turn: bool) -> Slots:
    """How many slots a run may hold from now on; fewer than its `own`: it begins nothing.

    It leaves one to each other run that waits, down to an equal share. Whose turn it is may take one
    more in any case, if one is free.
    """

    def of(cap: int, held: int, waiting: int, own: int) -> int:
        fair = max(cap - held - waiting, cap // (waiting + 1), own + 1 if has_turn else 0)
        return min(cap - held, fair)

    return Slots(
        of(cap.syncs, others.held.syncs, others.waiting.syncs, own.syncs),
        of(cap.builds, others.held.builds, others.waiting.builds, own.builds),
    )


def is_left(cap: Slots, others: Others, state: RunState) -> bool:
    """Whether a slot is free that a run of the organisation, this or another, waits for."""
    own, wants = held(state), waiting(state)
    return any(
        others.held.of(kind) + own.of(kind) < cap.of(kind)
        and others.waiting.of(kind) + wants.of(kind) > 0
        for kind in ("sync", "transform")
    )


def _is_pending(step: StepState, kind: StepKind) -> bool:
    return step.view.kind == kind and step.view.status == "pending"


def _can_be_built(state: RunState, step: StepState) -> bool:
    needed = set(step.reads)
    return _is_pending(step, "transform") and all(
        other.view.status in WELL for other in state.steps if needed & other.writes
    )
