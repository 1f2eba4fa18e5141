"""The plan of a run: recipe versions pinned, and what is published of every table involved."""

from uuid import UUID

from contracts.problem import problem
from contracts.tables import Notice
from contracts.transform import (
    PlannedTransformation,
    PlanTransformations,
    TransformationsPlan,
)
from transform.catalogue import Catalogue
from transform.domain import not_synced
from transform.store import Store


class Planner:
    """Answers what a run must know before it starts."""

    def __init__(self, store: Store, catalogue: Catalogue) -> None:
        self._store = store
        self._catalogue = catalogue

    async def plan(self, org_id: UUID, request: PlanTransformations) -> TransformationsPlan:
        """Pin the recipes of a run.

        Raises problems 404 for a recipe that is gone, 503 `being_deleted` for one that may be gone
        in a moment, and 422 `not_synced` for tables that are neither written by the run nor ever
        published.
        """
        recipes = await self._store.some(org_id, request.transformation_ids)
        for recipe in recipes:
            if recipe.is_deleting:
                detail = f"'{recipe.name}' is being deleted right now. Try again shortly."
                raise problem(503, "being_deleted", detail)
        written = {*request.source_table_ids, *request.transformation_ids}
        read = {table_id for recipe in recipes for table_id in recipe.reads}
        tables = await self._catalogue.some(org_id, written | read)
        outside = sorted(
            (tables[table_id] for table_id in read - written), key=lambda table: table.name
        )
        unpublished = [table for table in outside if table.published is None]
        if unpublished:
            raise not_synced(unpublished, 422)
        return TransformationsPlan(
            transformations=tuple(
                PlannedTransformation(
                    transformation_id=recipe.transformation_id,
                    name=recipe.name,
                    recipe_version=recipe.version,
                    table_id=recipe.transformation_id,
                    reads=recipe.reads,
                )
                for recipe in recipes
            ),
            published=tuple(table.published for table in tables.values() if table.published),
            table_names={table.table_id: table.name for table in tables.values()},
            warnings=tuple(
                Notice(
                    code="read_from_outside",
                    message=f"'{table.name}' is not part of this run: it is read as it is now.",
                )
                for table in outside
            ),
        )
