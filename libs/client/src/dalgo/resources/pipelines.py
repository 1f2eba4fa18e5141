"""Pipelines: sources and transformations that run together."""

from collections.abc import Iterable
from uuid import UUID

from contracts.orchestrator import Pipeline, Run
from dalgo.call import Call, Listing, listing, model, nothing, once
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
    def run(pipeline_id: UUID, *, idempotency_key: str | None = None) -> Call[Run]:
        """Start the pipeline; the run tells how it goes."""
        return Call(
            "POST", f"/pipelines/{pipeline_id}/run", model(Run), headers=once(idempotency_key)
        )
