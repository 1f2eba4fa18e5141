"""Whether a run can be begun again from where it stopped: what it made and read must still hold."""

from uuid import UUID

from chassis.bus import Bus
from contracts.problem import Problem, ProblemError, problem
from contracts.tables import TableVersion
from contracts.transform import FindMissingVersions
from orchestrator.domain import RunState


async def require_intact(
    bus: Bus, org_id: UUID, state: RunState, published: tuple[TableVersion, ...]
) -> None:
    """Raises a 409 problem for a run whose next attempt could not be as good as its first.

    `published`: what readers see now.
    """
    newer = newer_data(state, published)
    if newer is not None:
        raise ProblemError(newer)
    needed = needed_relations(state)
    if not needed:
        return
    gone = await bus.ask(FindMissingVersions(relations=needed), org_id=org_id)
    if gone.relations:
        raise problem(
            409,
            "versions_gone",
            "What this run had made or read does not exist any more. Start a new run instead.",
        )


def require_ended(state: RunState) -> None:
    """Raises a 409 problem for a run that neither failed nor was cancelled."""
    if state.status == "succeeded":
        raise problem(409, "succeeded", "The run has succeeded. Start a new run instead.")
    if not state.has_ended:
        raise problem(409, "not_ended", f"The run has not ended: it is {state.status}.")


def newer_data(state: RunState, published: tuple[TableVersion, ...]) -> Problem | None:
    """What to say when one of the run's tables was published since by another run."""
    now = {table.table_id: table.version_id for table in published}
    then = {table.table_id: table.version_id for table in state.published}
    names = [
        f"'{step.view.table or step.view.name}'"
        for step in state.steps
        for table_id in step.writes
        if table_id is not None and now.get(table_id) != then.get(table_id)
    ]
    if not names:
        return None
    detail = (
        f"Newer data of {', '.join(sorted(set(names)))} was published after this run had begun. "
        "Start a new run instead."
    )
    return problem(409, "newer_data", detail).problem


def needed_relations(state: RunState) -> tuple[str, ...]:
    """The tables of versions that the next attempt publishes or reads, for what has been done."""
    made = {table.relation for step in state.steps for table in step.output}
    read = {table_id for step in state.steps if not step.output for table_id in step.reads}
    pinned = {table.relation for table in state.published if table.table_id in read}
    return tuple(sorted(made | pinned))
