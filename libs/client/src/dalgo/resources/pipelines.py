"""Pipelines: sources and transformations that run together."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from contracts.orchestrator import (
    Firing,
    Frequency,
    Overlap,
    Pipeline,
    Run,
    Schedule,
    TriggerRule,
)
from dalgo.call import Call, Listing, listing, model, nothing, once, present
from dalgo.resource import D, Resource, endpoint, listed


class Pipelines(Resource[D]):
    """The organisation's pipelines."""

    @endpoint
    @staticmethod
    def create(
        name: str,
        source_ids: Iterable[UUID],
        transformation_ids: Iterable[UUID] = (),
        *,
        idempotency_key: str | None = None,
    ) -> Call[Pipeline]:
        """Keep a pipeline; the order of its work follows from what the recipes read."""
        body = {
            "name": name,
            "source_ids": [str(source_id) for source_id in source_ids],
            "transformation_ids": [str(each) for each in transformation_ids],
        }
        return Call("POST", "/pipelines", model(Pipeline), json=body, headers=once(idempotency_key))

    @listed
    @staticmethod
    def list(limit: int = 100) -> Listing[Pipeline]:
        """All pipelines by name; `limit` is the size of a page."""
        return listing("/pipelines", Pipeline, params={"limit": limit})

    @endpoint
    @staticmethod
    def get(pipeline_id: UUID) -> Call[Pipeline]:
        """One pipeline."""
        return Call("GET", f"/pipelines/{pipeline_id}", model(Pipeline))

    @endpoint
    @staticmethod
    def delete(pipeline_id: UUID) -> Call[None]:
        """Delete a pipeline; its runs stay in the history."""
        return Call("DELETE", f"/pipelines/{pipeline_id}", nothing)

    @endpoint
    @staticmethod
    def schedule(
        pipeline_id: UUID,
        frequency: Frequency,
        *,
        run_at: str | None = None,
        day_of_week: int | None = None,
        cron: str | None = None,
        timezone: str | None = None,
        is_active: bool = True,
        overlap: Overlap = "skip",
        grace_minutes: int = 60,
    ) -> Call[Schedule]:
        """Say when the pipeline runs by itself: `run_at` is HH:MM, `day_of_week` 0 is Monday.

        The time zone is the organisation's by default. The answer tells the next five times.
        """
        body = {
            "frequency": frequency,
            "is_active": is_active,
            "overlap": overlap,
            "grace_minutes": grace_minutes,
        } | present(run_at=run_at, day_of_week=day_of_week, cron=cron, timezone=timezone)
        return Call("PUT", f"/pipelines/{pipeline_id}/schedule", model(Schedule), json=body)

    @endpoint
    @staticmethod
    def triggers(
        pipeline_id: UUID, triggers: Iterable[TriggerRule], *, if_revision: int | None = None
    ) -> Call[Pipeline]:
        """Say what sets the pipeline off, in place of what was said before.

        412 when `if_revision` is not the newest any more.
        """
        return Call(
            "PUT",
            f"/pipelines/{pipeline_id}/triggers",
            model(Pipeline),
            json={"triggers": [rule.model_dump(mode="json") for rule in triggers]},
            headers={"If-Match": f'"{if_revision}"'} if if_revision is not None else {},
            # A repeat would find its own first attempt and call it somebody else's.
            repeatable=if_revision is None,
        )

    @endpoint
    @staticmethod
    def firings(pipeline_id: UUID, *, limit: int = 50) -> Call[Sequence[Firing]]:
        """The last times at which it was due or set off, and what came of each, newest first."""
        return Call(
            "GET",
            f"/pipelines/{pipeline_id}/firings",
            lambda response: [Firing.model_validate(one) for one in response.json()],
            params={"limit": limit},
        )

    @endpoint
    @staticmethod
    def run(
        pipeline_id: UUID, *, force: bool = False, idempotency_key: str | None = None
    ) -> Call[Run]:
        """Start the pipeline; the run tells how it goes. `force`: what has not changed, too."""
        return Call(
            "POST",
            f"/pipelines/{pipeline_id}/run",
            model(Run),
            params={"force": True} if force else {},
            headers=once(idempotency_key),
        )
