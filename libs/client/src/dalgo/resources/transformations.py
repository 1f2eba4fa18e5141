"""Transformations: saved recipes."""

from collections.abc import Mapping
from typing import Any, Literal
from uuid import UUID

from contracts import transform
from contracts.orchestrator import Run
from contracts.transform import (
    PreviewPage,
    RecipeCheck,
    RecipeDiff,
    RecipeSql,
    RecipeVersion,
    SortItem,
    TableProfile,
    TransformationLineage,
)
from dalgo.call import Call, Listing, Parameter, listing, model, nothing, once, present
from dalgo.resource import D, Resource, endpoint, listed
from recipe import Recipe

RecipeLike = Recipe | Mapping[str, Any]
"""A recipe, or its JSON as a mapping: the server checks it and tells problems at their steps."""


class Transformation(transform.Transformation):
    """A saved recipe, at its newest version."""

    recipe: Recipe  # pyright: ignore[reportGeneralTypeIssues, reportIncompatibleVariableOverride]


class SavedRecipe(transform.SavedRecipe):
    """One save of a transformation, with its recipe."""

    recipe: Recipe  # pyright: ignore[reportGeneralTypeIssues, reportIncompatibleVariableOverride]


class Transformations(Resource[D]):
    """The organisation's transformations."""

    @endpoint
    @staticmethod
    def create(
        name: str,
        recipe: RecipeLike,
        *,
        description: str | None = None,
        output_table_name: str | None = None,
        idempotency_key: str | None = None,
    ) -> Call[Transformation]:
        """Save a recipe; its output's name is taken from now on, so that others may read it."""
        body = {"name": name, "recipe": _json(recipe)} | present(
            description=description, output_table_name=output_table_name
        )
        return Call(
            "POST",
            "/transformations",
            model(Transformation),
            json=body,
            headers=once(idempotency_key),
        )

    @endpoint
    @staticmethod
    def update(
        transformation_id: UUID,
        *,
        recipe: RecipeLike | None = None,
        name: str | None = None,
        description: str | None = None,
        output_table_name: str | None = None,
        if_version: int | None = None,
    ) -> Call[Transformation]:
        """Save a new version; 412 when `if_version` is not the newest any more."""
        body = present(
            recipe=_json(recipe) if recipe is not None else None,
            name=name,
            description=description,
            output_table_name=output_table_name,
        )
        return Call(
            "PUT",
            f"/transformations/{transformation_id}",
            model(Transformation),
            json=body,
            headers={"If-Match": f'"{if_version}"'} if if_version is not None else {},
            # A repeat would find its own first attempt and call it somebody else's.
            repeatable=if_version is None,
        )

    @listed
    @staticmethod
    def list(limit: int = 100) -> Listing[Transformation]:
        """All transformations by name; `limit` is the size of a page."""
        return listing("/transformations", Transformation, params={"limit": limit})

    @endpoint
    @staticmethod
    def get(transformation_id: UUID) -> Call[Transformation]:
        """One transformation."""
        return Call("GET", f"/transformations/{transformation_id}", model(Transformation))

    @endpoint
    @staticmethod
    def delete(transformation_id: UUID) -> Call[None]:
        """Delete a transformation and its table; 409 names what reads it."""
        return Call("DELETE", f"/transformations/{transformation_id}", nothing)

    @endpoint
    @staticmethod
    def validate(recipe: RecipeLike) -> Call[RecipeCheck]:
        """Every error at its step, and the columns after each step; no data is touched."""
        body = {"recipe": _json(recipe)}
        return Call("POST", "/transformations/validate", model(RecipeCheck), json=body)

    @endpoint
    @staticmethod
    def preview(
        recipe: RecipeLike | None = None,
        *,
        transformation_id: UUID | None = None,
        until_step: int | None = None,
        limit: int = 100,
        offset: int = 0,
        sort: tuple[SortItem, ...] = (),
        filter: Mapping[str, Any] | None = None,
        count: Literal["exact", "none"] = "exact",
    ) -> Call[PreviewPage]:
        """A page of what a recipe gives now: the given one, or the saved one of an id.

        `filter` is a predicate on the columns of the result.
        """
        body: dict[str, Any] = {"limit": limit, "offset": offset, "count": count}
        if sort:
            body["sort"] = [item.model_dump(mode="json") for item in sort]
        body |= present(
            recipe=_json(recipe) if recipe is not None else None,
            until_step=until_step,
            filter=filter,
        )
        saved = f"/{transformation_id}" if transformation_id else ""
        return Call("POST", f"/transformations{saved}/preview", model(PreviewPage), json=body)

    @endpoint
    @staticmethod
    def profile(recipe: RecipeLike, *, until_step: int | None = None) -> Call[TableProfile]:
        """What the columns of a recipe's result hold now, or of its steps up to one."""
        body = {"recipe": _json(recipe)} | present(until_step=until_step)
        return Call("POST", "/transformations/profile", model(TableProfile), json=body)

    @endpoint
    @staticmethod
    def sql(
        transformation_id: UUID | None = None, *, recipe: RecipeLike | None = None
    ) -> Call[RecipeSql]:
        """The one statement that a recipe compiles to: the given one's, or the saved one of an id."""
        if recipe is None:
            return Call("GET", f"/transformations/{transformation_id}/sql", model(RecipeSql))
        body = {"recipe": _json(recipe)}
        return Call("POST", "/transformations/sql", model(RecipeSql), json=body)

    @listed
    @staticmethod
    def versions(transformation_id: UUID, limit: int = 100) -> Listing[RecipeVersion]:
        """Every save, the newest first; `limit` is the size of a page."""
        path = f"/transformations/{transformation_id}/versions"
        return listing(path, RecipeVersion, params={"limit": limit})

    @endpoint
    @staticmethod
    def version(transformation_id: UUID, version: int) -> Call[SavedRecipe]:
        """One save with its recipe."""
        path = f"/transformations/{transformation_id}/versions/{version}"
        return Call("GET", path, model(SavedRecipe))

    @endpoint
    @staticmethod
    def diff(
        transformation_id: UUID, version: int, *, with_version: int | None = None
    ) -> Call[RecipeDiff]:
        """What a version changed, compared with another one, else with the one before it."""
        path = f"/transformations/{transformation_id}/versions/{version}/diff"
        params: dict[str, Parameter] = {} if with_version is None else {"with": with_version}
        return Call("GET", path, model(RecipeDiff), params=params)

    @endpoint
    @staticmethod
    def restore(
        transformation_id: UUID, version: int, *, if_version: int | None = None
    ) -> Call[Transformation]:
        """Save an old version's recipe as a new version, if it fits the tables there are now."""
        return Call(
            "POST",
            f"/transformations/{transformation_id}/versions/{version}/restore",
            model(Transformation),
            headers={"If-Match": f'"{if_version}"'} if if_version is not None else {},
            # What stands already is not saved again: a repeat is harmless without a condition.
            repeatable=if_version is None,
        )

    @endpoint
    @staticmethod
    def lineage(transformation_id: UUID) -> Call[TransformationLineage]:
        """For every column those of the sources that it comes from; the tables around it."""
        path = f"/transformations/{transformation_id}/lineage"
        return Call("GET", path, model(TransformationLineage))

    @endpoint
    @staticmethod
    def execute(
        transformation_id: UUID, *, force: bool = False, idempotency_key: str | None = None
    ) -> Call[Run]:
        """Start building and publishing its table; the run tells how it goes.

        `force`: even if nothing changed.
        """
        return Call(
            "POST",
            f"/transformations/{transformation_id}/execute",
            model(Run),
            params={"force": True} if force else {},
            headers=once(idempotency_key),
        )


def _json(recipe: RecipeLike) -> object:
    if isinstance(recipe, Recipe):
        return recipe.model_dump(mode="json")
    return dict(recipe)
