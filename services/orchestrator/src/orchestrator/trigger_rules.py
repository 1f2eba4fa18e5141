"""Which triggers a pipeline may have, and keeping them: never two pipelines that set each other off."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from asyncpg import Record

from chassis.database import Connection, collect, queries
from contracts.orchestrator import AfterPipeline, OnUpload, TriggerRule
from contracts.problem import FieldProblem, ProblemError, problem

_queries = queries("orchestrator")


async def keep(
    connection: Connection, org_id: UUID, pipeline: Record, rules: Sequence[TriggerRule]
) -> None:
    """Put rules in the place of those that a pipeline had; raises a 422 problem at the field.

    `pipeline` is its row; its organisation's triggers are locked.
    """
    own: UUID = pipeline["id"]
    _require_different(rules)
    _require_own_sources(pipeline, rules)
    await _require_an_end(connection, own, rules)
    await _queries.drop_triggers(connection, pipeline_id=own)
    await _queries.insert_trigger(
        connection,
        [
            {
                "pipeline_id": own,
                "position": position,
                "org_id": org_id,
                "after_pipeline_id": rule.pipeline_id if isinstance(rule, AfterPipeline) else None,
                "source_id": rule.source_id if isinstance(rule, OnUpload) else None,
                "only_if_changed": isinstance(rule, AfterPipeline) and rule.only_if_changed,
                "is_active": rule.is_active,
                "overlap": rule.overlap,
            }
            for position, rule in enumerate(rules)
        ],
    )


def kept(row: Mapping[str, object]) -> TriggerRule:
    """The rule in a row of `triggers`."""
    if row["after_pipeline_id"] is None:
        return OnUpload.model_validate({**row, "type": "upload"})
    given = {**row, "type": "pipeline", "pipeline_id": row["after_pipeline_id"]}
    return AfterPipeline.model_validate(given)


def way_back(runs_after: Mapping[UUID, Collection[UUID]], start: UUID) -> list[UUID] | None:
    """The pipelines that set each other off, from `start` back to it; None when there is an end.

    `runs_after` maps a pipeline to those after which it runs.
    """
    came_from: dict[UUID, UUID] = {}
    waiting = [start]
    while waiting:
        later = waiting.pop()
        for earlier in sorted(runs_after.get(later, ())):
            if earlier == start:
                # Followed from later to earlier, so its steps lie in the order of the runs.
                way = [start, later]
                while way[-1] != start:
                    way.append(came_from[way[-1]])
                return way
            if earlier not in came_from:
                came_from[earlier] = later
                waiting.append(earlier)
    return None


async def _require_an_end(connection: Connection, own: UUID, rules: Sequence[TriggerRule]) -> None:
    """Paused triggers count: who resumes one need not look for circles."""
    places = {
        rule.pipeline_id: place
        for place, rule in enumerate(rules)
        if isinstance(rule, AfterPipeline)
    }
    if not places:
        return
    runs_after: dict[UUID, set[UUID]] = {}
    for row in await collect(_queries.who_runs_after_whom(connection)):
        runs_after.setdefault(row["pipeline_id"], set()).add(row["after_pipeline_id"])
    runs_after[own] = set(places)
    mentioned = {own, *places, *runs_after}
    rows = await collect(_queries.pipeline_names(connection, pipeline_ids=list(mentioned)))
    names = {row["id"]: row["name"] for row in rows}
    for pipeline_id, place in places.items():
        if pipeline_id not in names:
            message = f"There is no pipeline {pipeline_id} in your organisation."
            raise _refused(place, "pipeline_id", "unknown_pipeline", message)
    way = way_back(runs_after, own)
    if way is not None:
        spelled = " → ".join(names[each] for each in way)
        raise _refused(
            places[way[-2]],
            "pipeline_id",
            "cycle",
            f"The pipelines would set each other off for ever: {spelled}. "
            "Take one of these triggers away.",
        )


def _require_different(rules: Sequence[TriggerRule]) -> None:
    seen: set[tuple[str, UUID | None]] = set()
    for place, rule in enumerate(rules):
        on, field = (
            (rule.pipeline_id, "pipeline_id")
            if isinstance(rule, AfterPipeline)
            else (rule.source_id, "source_id")
        )
        if (rule.type, on) in seen:
            message = "The same trigger stands there twice. Leave one of them out."
            raise _refused(place, field, "same_trigger", message)
        seen.add((rule.type, on))


def _require_own_sources(pipeline: Record, rules: Sequence[TriggerRule]) -> None:
    for place, rule in enumerate(rules):
        source_id = rule.source_id if isinstance(rule, OnUpload) else None
        if source_id is not None and source_id not in pipeline["source_ids"]:
            message = (
                f"'{pipeline['name']}' does not run the source {source_id}: name one of its own, "
                "or none for any of them."
            )
            raise _refused(place, "source_id", "not_its_source", message)


def _refused(place: int, field: str, code: str, message: str) -> ProblemError:
    entry = FieldProblem(field=f"triggers.{place}.{field}", code=code, message=message)
    return problem(422, code, message, (entry,))
