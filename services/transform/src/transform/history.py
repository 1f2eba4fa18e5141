"""The versions of saved recipes: listed, shown, compared, brought back."""

from uuid import UUID

from contracts.transform import (
    CompareRecipeVersions,
    GetRecipeVersion,
    ListRecipeVersions,
    RecipeDiff,
    RecipeVersion,
    RecipeVersions,
    RestoreRecipeVersion,
    SavedRecipe,
    Transformation,
    UpdateTransformation,
)
from transform.catalogue import Catalogue
from transform.compiler import Compiler
from transform.recipe_json import texts_of
from transform.recipes import Recipes
from transform.saved import Version
from transform.store import Store


class History:
    """What was saved before, of the transformations of all organisations."""

    def __init__(
        self, store: Store, catalogue: Catalogue, recipes: Recipes, compiler: Compiler
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._recipes = recipes
        self._compiler = compiler

    async def page(self, org_id: UUID, request: ListRecipeVersions) -> RecipeVersions:
        """A page of versions, the newest first; raises a 404 problem."""
        newest = await self._store.get(org_id, request.transformation_id)
        versions, next_cursor = await self._store.versions(org_id, request)
        return RecipeVersions(
            versions=tuple(_view(one, newest.version) for one in versions),
            next_cursor=next_cursor,
        )

    async def get(self, org_id: UUID, request: GetRecipeVersion) -> SavedRecipe:
        """One version with its recipe; raises a 404 problem."""
        newest = await self._store.get(org_id, request.transformation_id)
        version = await self._store.version(org_id, request.transformation_id, request.version)
        view = _view(version, newest.version)
        return SavedRecipe(**dict(view), recipe=await self._recipe(org_id, version))

    async def compare(self, org_id: UUID, request: CompareRecipeVersions) -> RecipeDiff:
        """What one version says otherwise than another; raises a 404 problem.

        The very first one is compared with itself unless another is named.
        """
        own = request.transformation_id
        other = request.with_version
        if other is None:
            other = max(1, request.version - 1)
        new = await self._store.version(org_id, own, request.version)
        old = await self._store.version(org_id, own, other)
        return RecipeDiff(
            version=request.version,
            with_version=other,
            steps=await self._compiler.compare(
                org_id, await self._recipe(org_id, old), await self._recipe(org_id, new)
            ),
        )

    async def restore(
        self, org_id: UUID, request: RestoreRecipeVersion, actor: str
    ) -> Transformation:
        """Save an old version's recipe as a new version.

        A table that is gone is looked for by the name that it had. Raises problems 404, 412, and
        422 `invalid_recipe` with every error at its step when the recipe does not fit any more.
        """
        own = request.transformation_id
        version = await self._store.version(org_id, own, request.version)
        recipe = await self._recipe(org_id, version)
        update = UpdateTransformation(
            transformation_id=own,
            if_version=request.if_version,
            recipe=recipe,
        )
        return await self._recipes.update(org_id, update, actor, restored_from=version.version)

    async def _recipe(self, org_id: UUID, version: Version) -> dict[str, object]:
        # A table that has gone since is known by the name that it had.
        tables = await self._catalogue.around(org_id, ())
        now = {table.physical_name: table.name for table in tables}
        texts = texts_of(version.recipe)
        names = {live: name for live, name in (version.table_names | now).items() if live in texts}
        return (await self._compiler.shown(org_id, [(version.recipe, names)]))[0]


def _view(version: Version, newest: int) -> RecipeVersion:
    steps = version.recipe["steps"]
    assert isinstance(steps, list)
    return RecipeVersion(
        version=version.version,
        saved_at=version.saved_at,
        saved_by=version.saved_by,
        step_count=len(steps),
        is_current=version.version == newest,
        restored_from=version.restored_from,
    )
