"""Deadlines of steps, and the pauses after which a silent run is asked about again."""

from dataclasses import replace
from datetime import timedelta

from contracts.envelope import new_id
from contracts.orchestrator import Step, StepKind, StepStatus
from orchestrator.deadlines import Deadlines, overdue
from orchestrator.domain import StepState

from .walking import NOW, syncing

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
DEADLINES = Deadlines(sync=6 * HOUR, transform=2 * HOUR, publish=HOUR / 2, silence=2 * MINUTE)


def step(kind: StepKind, status: StepStatus = "running", patience: timedelta = 0 * HOUR):
    view = Step(id=new_id(), kind=kind, name=kind, status=status, attempt=1)
    return StepState(view, patience=patience)


def test_each_kind_of_step_has_its_own_deadline_and_waiting_comes_on_top() -> None:
    waits = step("sync", patience=24 * HOUR)
    state = DEADLINES.set(syncing(step("sync"), waits, step("transform"), step("publish")), NOW)
    due = [own.due_at - NOW for own in state.steps if own.due_at]
    assert due == [6 * HOUR, 30 * HOUR, 2 * HOUR, HOUR / 2]


def test_a_deadline_counts_from_the_beginning_and_not_from_the_last_look() -> None:
    state = DEADLINES.set(syncing(step("sync"), step("transform", "pending")), NOW)
    later = DEADLINES.set(state, NOW + HOUR)
    assert later == state
    assert later.steps[1].due_at is None


def test_a_step_is_late_at_its_deadline_and_not_before() -> None:
    state = DEADLINES.set(syncing(step("publish"), step("sync")), NOW)
    assert overdue(state, NOW + HOUR / 2 - MINUTE) is None
    assert overdue(state, NOW + HOUR / 2) == state.steps[0]
    assert overdue(replace(state, cancel_asked=True), NOW + HOUR) is None


def test_silence_is_broken_after_pauses_that_double_up_to_an_hour() -> None:
    state = DEADLINES.set(syncing(step("sync", patience=24 * HOUR)), NOW)
    pauses = [DEADLINES.look_at(state, NOW, repeats) for repeats in range(8)]
    minutes = [(at - NOW) / MINUTE for at in pauses if at]
    assert minutes == [2, 4, 8, 16, 32, 60, 60, 60]


def test_a_deadline_that_is_near_is_looked_at_first_and_an_ended_run_never() -> None:
    state = DEADLINES.set(syncing(step("publish")), NOW)
    assert DEADLINES.look_at(state, NOW + HOUR / 2 - MINUTE, 3) == NOW + HOUR / 2
    assert DEADLINES.look_at(syncing(step("sync", "failed")), NOW, 0) is None
