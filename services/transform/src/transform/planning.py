"""The plan of a run: recipe versions pinned, and what is published of every table involved."""

from collections.abc import Mapping
from uuid import UUID

from chassis.database import Database
from contracts.problem import not_found, problem
from contracts.tables import Notice
from contracts.transform import (
    PlannedTransformation,
    PlanTransformations,
    TransformationsPlan,
)
from transform.catalogue import read_tables
from transform.domain import not_synced
from transform.saved import Saved, read_saved


class Planner:
    """Answers what a run must know before it starts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def plan(self, org_id: UUID, request: PlanTransformations) -> TransformationsPlan:
        """Pin the recipes of a run.

        Raises problems 404 for a recipe that is gone, 503 `being_deleted` for one that may be gone
        in a moment, and 422 `not_synced` for tables that are neither written by the run nor ever
        published.
        """
        asked = request.transformation_ids
        async with self._database.organization(org_id) as connection:
            found = {
                saved.transformation_id: saved
                for saved in (await read_saved(connection, asked) if asked else ())
            }
            recipes = [_recipe(found, transformation_id) for transformation_id in asked]
            written = {*request.source_table_ids, *asked}
            read = {table_id for recipe in recipes for table_id in recipe.reads}
            tables = {
                table.table_id: table for table in await read_tables(connection, written | read)
            }
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


def _recipe(found: Mapping[UUID, Saved], transformation_id: UUID) -> Saved:
    recipe = found.get(transformation_id)
    if recipe is None:
        raise not_found("transformation", transformation_id)
    if recipe.is_deleting:
        detail = f"'{recipe.name}' is being deleted right now. Try again shortly."
        raise problem(503, "being_deleted", detail)
    return recipe
