"""The machine in bad weather: news in any order, twice, never, from zombies; rooms that shrink.

A storm is a string of bytes, two for each message, so that Hypothesis can shorten the one that finds
something.
"""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.envelope import new_id
from contracts.ingest import PlannedSource, SourceSynced, SourceSyncFailed, SyncSource
from contracts.message import Command, Event
from contracts.orchestrator import (
    CancelRun,
    RetryRun,
    RunCancelled,
    RunFailed,
    RunSucceeded,
    StepFinished,
    StepStarted,
)
from contracts.transform import (
    AbortPublish,
    BuildTransformation,
    PlannedTransformation,
    PublishAborted,
    PublishFailed,
    PublishRun,
    RunPublished,
    TransformationBuilt,
    TransformationFailed,
)
from orchestrator.domain import RoomFreed, RunPlanned, RunPlanRefused, RunStalled, StepTimedOut
from orchestrator.machine import EDGES, Ignored, Moved
from orchestrator.room import Slots, held, ready_steps

from .walking import PROBLEM, Walk, version

if TYPE_CHECKING:
    from uuid import UUID

STORMS, MESSAGES = 280, 400
SOURCES = tuple(new_id() for _ in range(4))
RECIPES = tuple(new_id() for _ in range(4))
FULL = RunPlanned(
    sources=tuple(
        PlannedSource(
            source_id=source,
            name="source",
            table_id=source,
            # The last one waits for another system.
            patience=timedelta(hours=int(source == SOURCES[-1])),
        )
        for source in SOURCES
    ),
    transformations=tuple(
        PlannedTransformation(
            transformation_id=recipe, name="recipe", recipe_version=1, table_id=recipe, reads=reads
        )
        for recipe, reads in zip(
            RECIPES, [(SOURCES[0],), (SOURCES[1],), (RECIPES[0], RECIPES[1]), ()], strict=True
        )
    ),
    published=(),
    table_names={},
    timezone="UTC",
)
PLANS = (
    *[FULL] * 5,
    replace(FULL, sources=FULL.sources[:1], transformations=()),
    replace(FULL, sources=(), transformations=FULL.transformations[3:]),
    replace(FULL, sources=(), transformations=()),
)
NEWS = (RunPlanned, RoomFreed, SourceSynced, SourceSyncFailed, TransformationBuilt)
"""After these nothing that could begin is left without need."""


class Storm:
    """A run, the workers that answer its commands, and the weather between them."""

    def __init__(self, luck: int) -> None:
        self.walk = Walk(Slots(2, 2))
        self.plan = PLANS[luck % len(PLANS)]
        self.given: list[Command] = []
        self.in_flight: list[Any] = []
        self.steps = 0
        self.moves = 0
        self.version = 1
        self.ends: list[Any] = []
        self.started: set[UUID] = set()
        self.finished: set[UUID] = set()
        self.kept: set[UUID] = set()
        self.publishes: dict[int, PublishRun] = {}
        self.walk.start()

    def tell(self, message: Any, luck: int = 0) -> Moved | Ignored:
        """One step of the machine; what it commands is answered some time."""
        result = self.walk.tell(message)
        self.steps += 1
        if isinstance(result, Moved):
            self.moves += 1
            self.check(message, result)
            commands = [said for said in result.messages if isinstance(said, Command)]
            self.given += commands
            self.in_flight += [self.answer(command, luck + n) for n, command in enumerate(commands)]
        return result

    def answer(self, command: Command, luck: int) -> Any:
        """What a worker says of it: well, unchanged or failed, as luck has it."""
        run_id, failed, unchanged = self.walk.run_id, luck % 7 == 6, luck % 5 == 4
        match command:
            case SyncSource() | BuildTransformation() if failed:
                kind = SourceSyncFailed if isinstance(command, SyncSource) else TransformationFailed
                return kind(run_id=run_id, step_id=command.step_id, lease=luck, problem=PROBLEM)
            case SyncSource():
                return SourceSynced(
                    run_id=run_id,
                    step_id=command.step_id,
                    lease=luck,
                    tables=(version(command.source_id),),
                    unchanged=unchanged,
                )
            case BuildTransformation():
                return TransformationBuilt(
                    run_id=run_id,
                    step_id=command.step_id,
                    lease=luck,
                    tables=(version(command.transformation_id),),
                    unchanged=unchanged,
                    sql="SELECT 1",
                )
            case PublishRun(attempt=attempt) | AbortPublish(attempt=attempt):
                if failed:
                    return PublishFailed(run_id=run_id, problem=PROBLEM, attempt=attempt)
                if isinstance(command, AbortPublish) and unchanged:
                    return PublishAborted(run_id=run_id, attempt=attempt)
                return RunPublished(run_id=run_id, table_ids=(), attempt=attempt)
        raise AssertionError(command)

    def blow(self, weather: int, luck: int) -> None:
        """One message that bad weather lets through."""
        state = self.walk.state
        assert state is not None
        match weather % 16:
            case 0 | 1 | 2 | 3 | 4 | 5 if self.in_flight:
                self.tell(self.in_flight.pop(luck % len(self.in_flight)), luck)
            case 6 if self.in_flight:
                self.tell(self.in_flight[luck % len(self.in_flight)], luck)
            case 7 if self.in_flight:
                self.in_flight.pop(luck % len(self.in_flight))
                self.tell(RunStalled(), luck)
            case 8 if self.given:
                self.tell(self.answer(self.given[luck % len(self.given)], luck + weather), luck)
            case 9:
                self.tell(RunStalled(), luck)
            case 10 | 11:
                self.walk.room = Slots(luck % 3, luck // 3 % 3)
                self.tell(RoomFreed(), luck)
            case 12 if luck % 8 == 0:
                self.tell(CancelRun(run_id=self.walk.run_id))
            case 13 if luck % 8 == 0 and state.steps:
                step = state.steps[luck // 8 % len(state.steps)]
                self.tell(StepTimedOut(step.view.id, deadline=self.walk.at))
            case 14 if luck % 4 == 0:
                self.tell(RetryRun(run_id=self.walk.run_id, attempt=luck // 4 % 6))
            case _ if state.status in ("failed", "cancelled"):
                self.tell(RetryRun(run_id=self.walk.run_id, attempt=state.attempt + 1))
            case _ if luck % 16 == 15:
                self.tell(RunPlanRefused(PROBLEM))
            case _:
                self.tell(self.plan, luck)

    @property
    def has_succeeded(self) -> bool:
        """Whether the run has come to the end after which there is no other."""
        return bool(self.ends) and isinstance(self.ends[-1], RunSucceeded)

    def calm(self) -> None:
        """Fair weather at last: the run ends, with room for one step at a time."""
        self.walk.room = Slots(1, 1)
        for _ in range(100):
            state = self.walk.state
            assert state is not None
            if state.has_ended:
                return
            self.in_flight.clear()
            for message in (self.plan, RoomFreed(), RunStalled()):
                self.tell(message)
            for answer in list(self.in_flight):
                self.tell(answer)
        raise AssertionError("the run is stuck")

    def check(self, message: Any, moved: Moved) -> None:
        """What holds after every move."""
        state, room = moved.state, self.walk.room
        for said in moved.messages:
            if isinstance(said, Event):
                self.version += 1
                assert getattr(said, "version", None) == self.version
            if isinstance(said, StepStarted):
                assert said.step.id not in self.started, "no step begins twice"
                self.started.add(said.step.id)
                if said.step.kind != "publish" and said.step.source_id != SOURCES[-1]:
                    assert held(state).of(said.step.kind) <= room.of(said.step.kind)
            if isinstance(said, StepFinished):
                assert said.step.id not in self.finished, "no step ends twice"
                self.finished.add(said.step.id)
            if isinstance(said, RunSucceeded | RunFailed | RunCancelled):
                self.ends.append(said)
            if isinstance(said, PublishRun):
                assert self.publishes.setdefault(said.attempt, said) == said
            if isinstance(said, Command):
                begun = getattr(said, "step_id", None)
                assert begun in self.started, "nothing is asked for that has not begun"
        assert len(self.ends) == state.attempt - (0 if state.has_ended else 1)
        assert not any(isinstance(end, RunSucceeded) for end in self.ends[:-1])
        if state.has_ended:
            assert not any(step.is_open for step in state.steps)
        if isinstance(message, NEWS):
            for step in ready_steps(state):
                assert not step.patience
                assert held(state).of(step.view.kind) >= room.of(step.view.kind)
        kept = {step.view.id for step in state.steps if step.output}
        assert kept >= self.kept, "what was made is kept by every attempt"
        self.kept = kept


@pytest.mark.timeout(600)
def test_in_a_hundred_thousand_messages_of_bad_weather_a_run_stays_whole_and_ends_in_calm() -> None:
    steps, moves, ended, taken = 0, 0, Counter[str](), Counter[Any]()

    @settings(max_examples=STORMS, deadline=None)
    @given(st.binary(min_size=2 * MESSAGES, max_size=2 * MESSAGES))
    def weather(script: bytes) -> None:
        nonlocal steps, moves
        storms = [Storm(script[0])]
        for one, luck in zip(script[::2], script[1::2], strict=True):
            if storms[-1].has_succeeded and luck % 4 == 0:
                # Nothing but late news can come of it any more.
                storms.append(Storm(one))
            storms[-1].blow(one, luck)
        storms[-1].calm()
        steps += sum(storm.steps for storm in storms)
        moves += sum(storm.moves for storm in storms)
        taken.update(edge for storm in storms for edge in storm.walk.edges)
        ended.update(end.run.status for storm in storms for end in storm.ends)

    weather()
    print(f"{steps} messages moved runs {moves} times; ends: {dict(ended)}")
    assert steps >= 100_000
    assert moves >= 30_000
    assert taken.keys() == EDGES
    assert min(ended[status] for status in ("succeeded", "failed", "cancelled")) >= 100
