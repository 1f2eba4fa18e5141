"""What the owners of a run's steps are told to do, now or once more: read off the run's state."""

from uuid import UUID

from contracts.ingest import SyncSource
from contracts.message import Command
from contracts.tables import TableVersion
from contracts.transform import AbortPublish, BuildTransformation, PublishRun
from orchestrator.domain import RunState, StepState


def command_of(state: RunState, step: StepState, repeated: bool = False) -> Command:
    """What the owner of a step is told to do, now or once more."""
    if step.view.kind == "sync":
        return _sync(state, step, repeated)
    if step.view.kind == "transform":
        return _build(state, step, repeated)
    if state.cancel_asked or state.timed_out:
        return abort_of(state)
    return PublishRun(
        run_id=state.run_id,
        step_id=step.view.id,
        tables=changed(state),
        attempt=state.attempt,
    )


def abort_of(state: RunState) -> AbortPublish:
    """Told to transform when the run is not to be published any more."""
    return AbortPublish(
        run_id=state.run_id, step_id=publish_step(state).view.id, attempt=state.attempt
    )


def changed(state: RunState) -> tuple[TableVersion, ...]:
    """The versions that readers do not see yet."""
    return tuple(table for own in state.steps if not own.unchanged for table in own.output)


def known(state: RunState) -> dict[UUID, TableVersion]:
    """The newest version of every table that has one, those of this run among them."""
    made = {table.table_id: table for own in state.steps for table in own.output}
    return {table.table_id: table for table in state.published} | made


def publish_step(state: RunState) -> StepState:
    """The last step of a run."""
    return next(step for step in state.steps if step.view.kind == "publish")


def _sync(state: RunState, step: StepState, repeated: bool) -> SyncSource:
    assert step.view.source_id is not None
    return SyncSource(
        run_id=state.run_id,
        step_id=step.view.id,
        source_id=step.view.source_id,
        published=_published_version(state, step.table_id),
        other_published=tuple(
            table for table in state.published if table.table_id in step.other_table_ids
        ),
        timezone=state.timezone,
        force=state.force,
        repeated=repeated,
        attempt=state.attempt,
    )


def _build(state: RunState, step: StepState, repeated: bool) -> BuildTransformation:
    assert step.view.transformation_id is not None
    assert step.recipe_version is not None
    assert state.started_at is not None
    newest = known(state)
    return BuildTransformation(
        run_id=state.run_id,
        step_id=step.view.id,
        transformation_id=step.view.transformation_id,
        recipe_version=step.recipe_version,
        inputs=tuple(newest[table_id] for table_id in step.reads),
        published=_published_version(state, step.table_id),
        as_of=state.started_at,
        timezone=state.timezone,
        force=state.force,
        repeated=repeated,
        attempt=state.attempt,
    )


def _published_version(state: RunState, table_id: UUID | None) -> TableVersion | None:
    return next((table for table in state.published if table.table_id == table_id), None)
