"""What transform answers; each handler is named for its message."""

from collections.abc import Sequence

from nats.aio.msg import Msg

from chassis.bus import Bus
from chassis.database import AWAY, Database
from chassis.jobs import Jobs
from chassis.outbox import Outgoing
from chassis.telemetry import log
from contracts.auth import OrganizationCreated
from contracts.envelope import MalformedMessage, Meta, from_body, from_headers
from contracts.message import Done
from contracts.orchestrator import FindPipelineUsers, RunCancelRequested
from contracts.problem import problem
from contracts.transform import (
    ColumnUsers,
    CompareRecipeVersions,
    CreateTransformation,
    DeclareTable,
    DeleteTransformation,
    DropTable,
    EnsureOrganization,
    FindColumnUsers,
    FindMissingVersions,
    GetRecipeVersion,
    GetTable,
    GetTransformation,
    ListRecipeVersions,
    ListTables,
    ListTransformations,
    MissingVersions,
    PlanTransformations,
    PreviewPage,
    PreviewRecipe,
    PreviewTable,
    ProfileRecipe,
    ProfileTable,
    RecipeCheck,
    RecipeDiff,
    RecipeSql,
    RecipeVersions,
    RestoreRecipeVersion,
    SavedRecipe,
    ShowSql,
    TableProfile,
    TracedTables,
    TraceTables,
    TraceTransformation,
    Transformation,
    TransformationLineage,
    TransformationList,
    TransformationsPlan,
    UpdateTransformation,
    ValidateRecipe,
    WarehouseTable,
    WarehouseTables,
)
from transform.build import Builder
from transform.catalogue import Catalogue
from transform.domain import CatalogueTable, organization_of, require_published
from transform.estimates import Estimates, drafted
from transform.history import History
from transform.lineage import Lineage
from transform.multiplying import multiplying
from transform.planning import Planner
from transform.preview import Previewer
from transform.profile import Profiler
from transform.recipes import Recipes
from transform.store import Store
from transform.usage import Usage
from transform.zones import Zones
from warehouse.provision import OrganizationErased, provision


class Handlers:
    """Requests, and the events that transform follows; commands go to Builder and Publisher."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        jobs: Jobs,
        *,
        store: Store,
        catalogue: Catalogue,
        recipes: Recipes,
        previewer: Previewer,
        profiler: Profiler,
        planner: Planner,
        builder: Builder,
        estimates: Estimates,
        history: History,
        lineage: Lineage,
        usage: Usage,
        zones: Zones,
    ) -> None:
        self._database = database
        self._bus = bus
        self._jobs = jobs
        self._store = store
        self._catalogue = catalogue
        self._recipes = recipes
        self._previewer = previewer
        self._profiler = profiler
        self._planner = planner
        self._builder = builder
        self._estimates = estimates
        self._history = history
        self._lineage = lineage
        self._usage = usage
        self._zones = zones

    async def ensure_organization(self, _: EnsureOrganization, meta: Meta) -> Done:
        """EnsureOrganization."""
        try:
            async with self._database.transaction() as connection:
                await provision(connection, organization_of(meta))
        except OrganizationErased as error:
            raise problem(409, "organization_erased", "This organisation was deleted.") from error
        return Done()

    async def organization_created(self, event: OrganizationCreated, _: Meta) -> Sequence[Outgoing]:
        """OrganizationCreated: one that was erased meanwhile stays so."""
        try:
            async with self._database.transaction() as connection:
                await provision(connection, event.organization_id)
        except OrganizationErased:
            log.info("organization_is_erased", organization_id=str(event.organization_id))
        return ()

    async def declare_table(self, request: DeclareTable, meta: Meta) -> Done:
        """DeclareTable."""
        org_id = organization_of(meta)
        if await self._catalogue.declare(org_id, request):
            await self._recipes.refresh(org_id, [request.table_id])
        return Done()

    async def drop_table(self, request: DropTable, meta: Meta) -> Done:
        """DropTable."""
        table_ids = (request.table_id, *request.other_table_ids)
        await self._catalogue.drop(organization_of(meta), table_ids)
        return Done()

    async def list_tables(self, request: ListTables, meta: Meta) -> WarehouseTables:
        """ListTables."""
        return await self._catalogue.page(organization_of(meta), request)

    async def get_table(self, request: GetTable, meta: Meta) -> WarehouseTable:
        """GetTable."""
        return (await self._catalogue.get(organization_of(meta), request.name)).view()

    async def preview_table(self, request: PreviewTable, meta: Meta) -> PreviewPage:
        """PreviewTable: the recipe that does nothing, so that there is one way to read."""
        org_id = organization_of(meta)
        table = await self._catalogue.get(org_id, request.name)
        require_published([table], [table.table_id])
        recipe = {"steps": [{"type": "source", "table": table.physical_name}]}
        return await self._previewer.page(
            org_id,
            recipe,
            [table],
            sort=request.sort,
            limit=request.limit,
            offset=request.offset,
            count=request.count,
            filter=request.filter,
            known_total=_rows_of(table) if request.filter is None else None,
            as_stored=True,
            timezone=await self._zones.of(org_id),
        )

    async def profile_table(self, request: ProfileTable, meta: Meta) -> TableProfile:
        """ProfileTable."""
        org_id = organization_of(meta)
        table = await self._catalogue.get(org_id, request.name)
        require_published([table], [table.table_id])
        recipe = {"steps": [{"type": "source", "table": table.physical_name}]}
        return await self._profiler.profile(
            org_id,
            recipe,
            [table],
            timezone=await self._zones.of(org_id),
            known_total=_rows_of(table),
        )

    async def create_transformation(
        self, request: CreateTransformation, meta: Meta
    ) -> Transformation:
        """CreateTransformation."""
        return await self._recipes.create(organization_of(meta), request, meta.actor)

    async def update_transformation(
        self, request: UpdateTransformation, meta: Meta
    ) -> Transformation:
        """UpdateTransformation."""
        return await self._recipes.update(organization_of(meta), request, meta.actor)

    async def get_transformation(self, request: GetTransformation, meta: Meta) -> Transformation:
        """GetTransformation."""
        return await self._recipes.get(organization_of(meta), request.transformation_id)

    async def list_transformations(
        self, request: ListTransformations, meta: Meta
    ) -> TransformationList:
        """ListTransformations."""
        org_id = organization_of(meta)
        saved, next_cursor = await self._store.page(org_id, request)
        views = await self._recipes.views(org_id, saved)
        return TransformationList(transformations=views, next_cursor=next_cursor)

    async def delete_transformation(self, request: DeleteTransformation, meta: Meta) -> Done:
        """DeleteTransformation: marked first, then the orchestrator says which pipelines run it."""
        org_id = organization_of(meta)
        async with self._store.deleting(org_id, request.transformation_id):
            users = FindPipelineUsers(target_id=request.transformation_id)
            pipelines = await self._bus.ask(users, org_id=org_id, actor=meta.actor)
            await self._store.delete(org_id, request, pipelines.names)
        return Done()

    async def validate_recipe(self, request: ValidateRecipe, meta: Meta) -> RecipeCheck:
        """ValidateRecipe."""
        org_id = organization_of(meta)
        checked = await self._recipes.validate(org_id, request)
        if not checked.valid or not any(multiplying(request.recipe)):
            return checked
        tables = await self._catalogue.around(org_id, [request.recipe])
        given = drafted(org_id, request.recipe, tables, await self._zones.of(org_id))
        warnings = await self._estimates.warnings(org_id, given)
        return checked.model_copy(update={"warnings": warnings})

    async def preview_recipe(self, request: PreviewRecipe, meta: Meta) -> PreviewPage:
        """PreviewRecipe."""
        org_id = organization_of(meta)
        recipe = await self._recipes.content(
            org_id, request.recipe, request.transformation_id, request.until_step
        )
        tables = await self._catalogue.around(org_id, [recipe])
        recipe = await self._recipes.named(org_id, recipe, tables, request.until_step)
        zone = await self._zones.of(org_id)
        given = drafted(org_id, recipe, tables, zone, request.until_step)
        async with self._estimates.explained(org_id, given):
            page = await self._previewer.page(
                org_id,
                recipe,
                tables,
                sort=request.sort,
                limit=request.limit,
                offset=request.offset,
                count=request.count,
                filter=request.filter,
                until_step=request.until_step,
                timezone=zone,
            )
        warnings = await self._estimates.warnings(org_id, given)
        return page.model_copy(update={"warnings": warnings}) if warnings else page

    async def profile_recipe(self, request: ProfileRecipe, meta: Meta) -> TableProfile:
        """ProfileRecipe."""
        org_id = organization_of(meta)
        recipe = await self._recipes.content(org_id, request.recipe, None, request.until_step)
        tables = await self._catalogue.around(org_id, [recipe])
        recipe = await self._recipes.named(org_id, recipe, tables, request.until_step)
        zone = await self._zones.of(org_id)
        given = drafted(org_id, recipe, tables, zone, request.until_step)
        async with self._estimates.explained(org_id, given):
            return await self._profiler.profile(
                org_id, recipe, tables, until_step=request.until_step, timezone=zone
            )

    async def show_sql(self, request: ShowSql, meta: Meta) -> RecipeSql:
        """ShowSql."""
        org_id = organization_of(meta)
        return await self._recipes.sql(org_id, request, await self._zones.of(org_id))

    async def list_recipe_versions(self, request: ListRecipeVersions, meta: Meta) -> RecipeVersions:
        """ListRecipeVersions."""
        return await self._history.page(organization_of(meta), request)

    async def get_recipe_version(self, request: GetRecipeVersion, meta: Meta) -> SavedRecipe:
        """GetRecipeVersion."""
        return await self._history.get(organization_of(meta), request)

    async def compare_recipe_versions(
        self, request: CompareRecipeVersions, meta: Meta
    ) -> RecipeDiff:
        """CompareRecipeVersions."""
        return await self._history.compare(organization_of(meta), request)

    async def restore_recipe_version(
        self, request: RestoreRecipeVersion, meta: Meta
    ) -> Transformation:
        """RestoreRecipeVersion."""
        return await self._history.restore(organization_of(meta), request, meta.actor)

    async def trace_transformation(
        self, request: TraceTransformation, meta: Meta
    ) -> TransformationLineage:
        """TraceTransformation."""
        return await self._lineage.transformation(organization_of(meta), request.transformation_id)

    async def trace_tables(self, request: TraceTables, meta: Meta) -> TracedTables:
        """TraceTables."""
        return await self._lineage.tables(organization_of(meta), request)

    async def find_column_users(self, request: FindColumnUsers, meta: Meta) -> ColumnUsers:
        """FindColumnUsers."""
        return await self._usage.find(organization_of(meta), request)

    async def plan_transformations(
        self, request: PlanTransformations, meta: Meta
    ) -> TransformationsPlan:
        """PlanTransformations."""
        return await self._planner.plan(organization_of(meta), request)

    async def find_missing_versions(
        self, request: FindMissingVersions, meta: Meta
    ) -> MissingVersions:
        """FindMissingVersions."""
        missing = await self._catalogue.missing(organization_of(meta), request.relations)
        return MissingVersions(relations=missing)

    async def run_cancel_requested(self, message: Msg) -> None:
        """RunCancelRequested: heard by every replica; whoever holds the build stops it."""
        try:
            meta = from_headers(message.headers, message.subject)
            event = from_body(RunCancelRequested, message.data)
            org_id = organization_of(meta)
        except MalformedMessage as error:
            log.warning("cancel_not_understood", error=str(error))
            return
        # Marked first: a build that begins in between finds the mark, one before it is stopped.
        try:
            await self._builder.cancel(org_id, event.run_id, event.attempt)
        except AWAY as error:
            log.warning("cancel_not_marked", error=str(error) or repr(error))
        stopped = self._jobs.stop((event.run_id, event.attempt))
        log.info("run_cancel_heard", run_id=str(event.run_id), stopped=stopped)


def _rows_of(table: CatalogueTable) -> int | None:
    return table.published.rows if table.published else None
