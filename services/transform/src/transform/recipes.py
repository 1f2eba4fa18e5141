"""Recipes as people meet them: checked while they write, shown back, expected columns in step."""

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from uuid import UUID

from chassis.telemetry import log
from contracts.problem import ProblemError, problem
from contracts.transform import (
    CreateTransformation,
    RecipeCheck,
    RecipeSql,
    ShowSql,
    StepColumns,
    Transformation,
    UpdateTransformation,
    ValidateRecipe,
)
from recipe import Checked, Context, RecipeError
from transform.catalogue import Catalogue
from transform.column_names import ColumnNames, Named
from transform.compiler import TOO_EXPENSIVE, Compiler, Prepared
from transform.domain import CatalogueTable, not_synced, recipe_error
from transform.placing import cycle_error, final_columns, live_tables, recipe_tables
from transform.recipe_json import without_names
from transform.saved import Saved
from transform.store import Store


class Recipes:
    """Saves, checks and shows the recipes of all organisations."""

    def __init__(
        self,
        store: Store,
        catalogue: Catalogue,
        compiler: Compiler,
        column_names: ColumnNames,
        *,
        timeout: float,
    ) -> None:
        """`timeout`: seconds after which reading the names of a pivot's columns is stopped."""
        self._store = store
        self._catalogue = catalogue
        self._compiler = compiler
        self._column_names = column_names
        self._timeout = timeout

    async def create(
        self, org_id: UUID, request: CreateTransformation, actor: str
    ) -> Transformation:
        """Check, resolve and keep; a repeat of the same request gives what it made.

        Raises problems 409 `name_taken`, 422 `invalid_recipe`, `bad_name`, `idempotency_mismatch`.
        """
        # Asked before the check: the tables may have changed since the request was first served.
        if not await self._store.repeated(org_id, request):
            tables = await self._catalogue.around(org_id, [request.recipe])
            prepared = await self._prepare(org_id, request.recipe, tables)
            await self._store.create(org_id, request, prepared, actor)
        return await self.get(org_id, request.transformation_id)

    async def update(
        self,
        org_id: UUID,
        request: UpdateTransformation,
        actor: str,
        restored_from: int | None = None,
    ) -> Transformation:
        """Check and keep a new version, and let the recipes that read it expect its columns.

        `restored_from` is the version that the recipe was taken from. Raises problems 404, 412 and
        as `create` does.
        """
        await self._store.get(org_id, request.transformation_id)
        prepared = None
        if request.recipe is not None:
            tables = await self._catalogue.around(org_id, [request.recipe])
            prepared = await self._prepare(org_id, request.recipe, tables)
        if await self._store.update(org_id, request, prepared, actor, restored_from):
            await self.refresh(org_id, [request.transformation_id])
        return await self.get(org_id, request.transformation_id)

    async def _prepare(
        self, org_id: UUID, written: object, tables: Collection[CatalogueTable]
    ) -> Prepared:
        """A recipe ready to be kept, with the names of its columns as they are now.

        Where the data is not there yet they stay unknown, and every build reads them.
        """
        prepared = await self._compiler.prepare(without_names(written), org_id, tables)
        named = (await self._named(org_id, prepared.recipe, tables)).recipe
        if named is prepared.recipe:
            return prepared
        return await self._compiler.prepare(named, org_id, tables)

    async def named(
        self,
        org_id: UUID,
        recipe: object,
        tables: Collection[CatalogueTable],
        until_step: int | None = None,
    ) -> object:
        """A recipe that can be previewed: names that it does not bring along are read.

        Raises problems 409 `not_synced`, 422 and 504.
        """
        named = await self._named(org_id, recipe, tables, until_step)
        if named.waiting:
            raise not_synced([t for t in tables if t.table_id in named.waiting], 409)
        return named.recipe

    async def _named(
        self,
        org_id: UUID,
        recipe: object,
        tables: Collection[CatalogueTable],
        until_step: int | None = None,
    ) -> Named:
        return await self._column_names.read(
            org_id,
            recipe,
            recipe_tables(org_id, tables),
            Context(as_of=datetime.now(UTC)),
            until_step=until_step,
            timeout=self._timeout,
        )

    async def get(self, org_id: UUID, transformation_id: UUID) -> Transformation:
        """One transformation; raises a 404 problem."""
        saved = await self._store.get(org_id, transformation_id)
        return (await self.views(org_id, [saved]))[0]

    async def views(self, org_id: UUID, saved: Sequence[Saved]) -> tuple[Transformation, ...]:
        """Transformations as the contract shows them, tables by their display names."""
        read = {table_id for one in saved for table_id in one.reads}
        found = (await self._catalogue.some(org_id, read)).values()
        names = {table.physical_name: table.name for table in found}
        live = {table.table_id: table.physical_name for table in found}
        asked = [
            (one.recipe, {live[t]: names[live[t]] for t in one.reads if t in live}) for one in saved
        ]
        recipes = await self._compiler.shown(org_id, asked)
        return tuple(
            Transformation(
                id=one.transformation_id,
                name=one.name,
                description=one.description,
                recipe=recipe,
                version=one.version,
                output_table_id=one.transformation_id,
                output_table_name=one.output_table_name,
                columns=one.columns,
                last_run_at=one.last_run_at,
                created_at=one.created_at,
                updated_at=one.updated_at,
            )
            for one, recipe in zip(saved, recipes, strict=True)
        )

    async def validate(self, org_id: UUID, request: ValidateRecipe) -> RecipeCheck:
        """Every error at its step, and the columns after each step before the first."""
        tables = await self._catalogue.around(org_id, [request.recipe])
        checked = await self._compiler.check(request.recipe, org_id, tables)
        errors = list(checked.errors)
        own = request.transformation_id
        if own is not None and not errors:
            errors += await self._cycles(org_id, own, request.recipe)
        if checked.open is not None and not errors:
            checked, errors = await self._named_check(org_id, request.recipe, tables, checked)
        steps = checked.steps[: min((error.step for error in errors), default=len(checked.steps))]
        return RecipeCheck(
            valid=not errors,
            errors=tuple(errors),
            steps=tuple(StepColumns(columns=columns) for columns in steps),
        )

    async def _named_check(
        self,
        org_id: UUID,
        recipe: object,
        tables: Collection[CatalogueTable],
        unnamed: Checked,
    ) -> tuple[Checked, list[RecipeError]]:
        """The check with the names of columns as the data has them, where it has any."""
        try:
            named = await self._named(org_id, recipe, tables)
        except ProblemError as error:
            if error.problem.code != "invalid_recipe":
                raise
            return unnamed, [recipe_error(found) for found in error.problem.errors]
        checked = await self._compiler.check(named.recipe, org_id, tables)
        return checked, list(checked.errors)

    async def content(
        self,
        org_id: UUID,
        recipe: dict[str, object] | None,
        transformation_id: UUID | None,
        until_step: int | None = None,
    ) -> object:
        """The recipe given, else the saved one; what comes after `until_step` may still be wrong.

        Raises a 404 problem, and 422 `no_recipe` or `bad_until_step`.
        """
        if recipe is None and transformation_id is None:
            raise problem(422, "no_recipe", "Give a recipe, or the id of a transformation.")
        data: object = recipe
        if recipe is None and transformation_id is not None:
            data = (await self._store.get(org_id, transformation_id)).recipe
        return _until(data, until_step)

    async def sql(self, org_id: UUID, request: ShowSql, timezone: str) -> RecipeSql:
        """The statement of a recipe over the live names, at this moment in a time zone.

        Raises a 404 problem, and 422 for a recipe that does not fit.
        """
        recipe = await self.content(org_id, request.recipe, request.transformation_id)
        tables = live_tables(org_id, await self._catalogue.around(org_id, [recipe]))
        now = Context(as_of=datetime.now(UTC), timezone=timezone)
        return RecipeSql(sql=await self._compiler.live_sql(org_id, recipe, tables, now))

    async def refresh(self, org_id: UUID, changed: Iterable[UUID]) -> None:
        """After the columns of tables changed: what the recipes that read them give now.

        Goes on with the readers of those. A recipe that does not fit any more keeps the columns it
        had; its next build says why.
        """
        waiting = list(changed)
        while waiting:
            for reader in await self._store.readers(org_id, waiting.pop()):
                tables = await self._catalogue.around(org_id, [reader.recipe])
                checked = await self._compiler.try_check(reader.recipe, org_id, tables)
                if checked is None or checked.errors:
                    log.info(
                        "recipe_fits_no_more",
                        transformation_id=str(reader.transformation_id),
                        error=checked.errors[0].message if checked else TOO_EXPENSIVE,
                    )
                    continue
                columns = final_columns(checked)
                if columns != reader.columns:
                    await self._store.expect(org_id, reader.transformation_id, columns)
                    waiting.append(reader.transformation_id)

    async def _cycles(self, org_id: UUID, own: UUID, recipe: object) -> list[RecipeError]:
        tables = await self._catalogue.around(org_id, [recipe])
        reads = await self._store.graph(org_id)
        prepared = await self._compiler.prepare(recipe, org_id, tables)
        by_id = {table.table_id: table for table in tables}
        error = cycle_error(prepared.mentions, reads | {own: set(prepared.reads)}, by_id, own)
        return [error] if error else []


def _until(data: object, step: int | None) -> object:
    """The steps that are asked for; raises a 422 problem when there are fewer."""
    steps = data.get("steps") if isinstance(data, dict) else None
    if step is None or not isinstance(data, dict) or not isinstance(steps, list | tuple):
        return data
    if step >= len(steps) > 0:
        raise problem(
            422,
            "bad_until_step",
            f"There is no step {step}: the last one is {len(steps) - 1}.",
        )
    return {**data, "steps": steps[: step + 1]}
