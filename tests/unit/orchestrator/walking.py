"""A run that is told one message after another, and what its owners answer."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from contracts.envelope import new_id
from contracts.ingest import PlannedSource, SourceSynced, SyncSource
from contracts.orchestrator import RunStatus, StartRun, Trigger
from contracts.problem import Problem
from contracts.tables import Column, TableVersion
from contracts.transform import BuildTransformation, PlannedTransformation, TransformationBuilt
from orchestrator.domain import RunPlanned, RunState, StepState, StepTimedOut
from orchestrator.machine import EDGES, Ignored, Moved, transition
from orchestrator.room import Slots

ENOUGH = Slots(syncs=9, builds=9)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
PROBLEM = Problem(title="Broken", status=422, code="broken", detail="The file is broken.")
DONATIONS, DONORS, CLEAN, SUMMARY, REPEAT = (new_id() for _ in range(5))


def syncing(*steps: StepState) -> RunState:
    """A run that syncs, with these steps."""
    return RunState(
        run_id=UUID(int=1),
        kind="pipeline",
        pipeline_id=None,
        source_ids=(),
        transformation_ids=(),
        trigger=Trigger(type="manual", actor="someone"),
        force=False,
        status="syncing",
        created_at=NOW,
        steps=steps,
    )


def version(table_id: UUID, rows: int = 3) -> TableVersion:
    return TableVersion(
        table_id=table_id,
        version_id=new_id(),
        relation="v_" + "a" * 26,
        columns=(Column(name="id", physical="id", type="integer"),),
        rows=rows,
        bytes=8192,
        fingerprint=new_id().hex,
    )


class Walk:
    """A run that is told one message after another; keeps all that it said."""

    def __init__(self, room: Slots = ENOUGH) -> None:
        self.state: RunState | None = None
        self.room = room
        self.edges: set[tuple[RunStatus, RunStatus]] = set()
        self.run_id = new_id()
        self.said: list[Any] = []
        self.at = NOW

    def tell(self, message: Any) -> Moved | Ignored:
        self.at += timedelta(seconds=1)
        result = transition(self.state, message, self.at, self.room)
        if isinstance(result, Moved):
            if self.state is not None and self.state.status != result.state.status:
                edge = self.state.status, result.state.status
                assert edge in EDGES
                self.edges.add(edge)
            self.state = result.state
            self.said += result.messages
        return result

    def start(self) -> "Walk":
        self.tell(
            StartRun(
                run_id=self.run_id,
                run_kind="pipeline",
                pipeline_id=new_id(),
                source_ids=(DONATIONS, DONORS),
                transformation_ids=(SUMMARY, CLEAN),
                trigger=Trigger(type="manual", actor="someone"),
            )
        )
        return self

    def plan(self, published: tuple[TableVersion, ...] = ()) -> "Walk":
        self.tell(
            RunPlanned(
                sources=tuple(
                    PlannedSource(source_id=source, name=str(source), table_id=source)
                    for source in (DONATIONS, DONORS)
                ),
                transformations=(
                    # Listed against their dependencies, which must not matter.
                    PlannedTransformation(
                        transformation_id=SUMMARY,
                        name="summary",
                        recipe_version=1,
                        table_id=SUMMARY,
                        reads=(CLEAN, DONORS),
                    ),
                    PlannedTransformation(
                        transformation_id=CLEAN,
                        name="clean",
                        recipe_version=1,
                        table_id=CLEAN,
                        reads=(DONATIONS,),
                    ),
                ),
                published=published,
                table_names={},
                timezone="Africa/Nairobi",
            )
        )
        return self

    def time_out(self, step_id: UUID) -> Moved | Ignored:
        return self.tell(StepTimedOut(step_id, deadline=self.at))

    def commands(self, kind: type) -> list[Any]:
        return [message for message in self.said if isinstance(message, kind)]

    def synced(self, command: SyncSource, *, unchanged: bool = False) -> Moved | Ignored:
        return self.tell(
            SourceSynced(
                run_id=self.run_id,
                step_id=command.step_id,
                lease=1,
                tables=(version(command.source_id),),
                unchanged=unchanged,
            )
        )

    def built(self, command: BuildTransformation, *, unchanged: bool = False) -> Moved | Ignored:
        return self.tell(
            TransformationBuilt(
                run_id=self.run_id,
                step_id=command.step_id,
                lease=1,
                tables=(version(command.transformation_id),),
                unchanged=unchanged,
                sql="SELECT 1",
            )
        )

    @property
    def status(self) -> str:
        assert self.state is not None
        return self.state.status
