"""Composition root of transform, shared by the process and the tests."""

from chassis.service import Service
from chassis.shares import Share
from contracts.auth import OrganizationCreated
from contracts.orchestrator import RunCancelRequested, RunsForgotten
from contracts.shares import BUILDS, COMPILES, JOB_COMPILES, LONG_READS
from contracts.transform import (
    AbortPublish,
    BuildTransformation,
    CloseLoader,
    CompareRecipeVersions,
    CreateTransformation,
    DeclareTable,
    DeleteTransformation,
    DropLoader,
    DropTable,
    EnsureOrganization,
    FindColumnUsers,
    FindMissingVersions,
    GetRecipeVersion,
    GetStorage,
    GetTable,
    GetTransformation,
    ListRecipeVersions,
    ListTables,
    ListTableVersions,
    ListTransformations,
    PlanTransformations,
    PreviewRecipe,
    PreviewTable,
    ProfileRecipe,
    ProfileTable,
    ProvisionLoader,
    PublishRun,
    RestoreRecipeVersion,
    RollbackTable,
    ShowSql,
    TraceTables,
    TraceTransformation,
    UpdateTransformation,
    ValidateRecipe,
)
from transform.build import Builder
from transform.catalogue import Catalogue
from transform.column_names import ColumnNames
from transform.compiler import Compiler, compile_workers
from transform.estimates import Estimates
from transform.forgetting import Forgetting
from transform.handlers import Handlers
from transform.history import History
from transform.limits import Limits
from transform.lineage import Lineage
from transform.loaders import Loaders
from transform.planning import Planner
from transform.preview import Previewer
from transform.profile import Profiler
from transform.publish import Publisher
from transform.reading import COUNTS_KEPT, Counts, Reader, on_newest
from transform.recipes import Recipes
from transform.rollback import Rollback
from transform.session import Sessions
from transform.settings import Settings
from transform.storage import Storage
from transform.store import Store
from transform.sweeping import Sweeper
from transform.usage import Usage
from transform.zones import Zones


async def build(service: Service[Settings]) -> None:
    """Wire transform onto its open connections."""
    settings, database = service.settings, service.database
    store, catalogue = Store(database), Catalogue(database)
    sessions = Sessions(settings.mask_key, temp_bytes=settings.max_temp_bytes)
    workers = compile_workers()
    workers.warm()
    service.on_close(workers.close)
    reads, timeout = service.shares.of(LONG_READS), settings.preview_timeout
    compiler = Compiler(workers, service.shares.of(COMPILES), seconds=settings.compile_seconds)
    column_names = ColumnNames(database, sessions, compiler, reads)
    recipes = Recipes(store, catalogue, compiler, column_names, timeout=timeout)
    # Jobs have slots of their own, and wait for them as long as it takes. Their budget is larger, so
    # that a recipe which could be saved can be built on a slower machine too.
    of_jobs = Share(JOB_COMPILES, longest_wait=None)
    job_compiler = Compiler(workers, of_jobs, seconds=4 * settings.compile_seconds)
    job_names = ColumnNames(database, sessions, job_compiler)
    job_recipes = Recipes(store, catalogue, job_compiler, job_names, timeout=timeout)
    limits = Limits(
        seconds=settings.build_timeout,
        rows=settings.build_max_rows,
        bytes=settings.build_max_bytes,
        temp_bytes=settings.max_temp_bytes,
    )
    builder = Builder(database, sessions, job_compiler, job_names, limits)
    await builder.writer.check_rights()
    sweeper = Sweeper(database, service.bus, settings)
    publisher = Publisher(
        database, job_recipes, sweeper, service.outbox, patience=settings.publish_patience
    )
    service.lost_streams.repair(publisher.stream_lost)
    reader = Reader(database, sessions, timeout=timeout, share=reads)
    counts = Counts(COUNTS_KEPT)
    handlers = Handlers(
        database,
        service.bus,
        service.jobs,
        store=store,
        catalogue=catalogue,
        recipes=recipes,
        previewer=Previewer(reader, compiler, counts),
        profiler=Profiler(reader, compiler, counts),
        planner=Planner(database),
        builder=builder,
        estimates=Estimates(database, sessions, compiler, limits, reads),
        history=History(store, catalogue, recipes, compiler),
        lineage=Lineage(store, catalogue, compiler),
        usage=Usage(store, catalogue, compiler),
        zones=Zones(service.bus),
    )

    loaders = Loaders(database, settings)
    rollback = Rollback(database, catalogue, recipes, sweeper)
    storage = Storage(database, sweeper, settings)
    service.background("sweeper", sweeper.run)
    service.background("loaders", loaders.watch)

    answer = service.answers.answer
    answer(EnsureOrganization, handlers.ensure_organization)
    answer(DeclareTable, handlers.declare_table)
    answer(DropTable, handlers.drop_table)
    answer(ProvisionLoader, loaders.provision_loader)
    answer(CloseLoader, loaders.close_loader)
    answer(DropLoader, loaders.drop_loader)
    answer(ListTables, handlers.list_tables)
    answer(GetTable, handlers.get_table)
    answer(PreviewTable, on_newest(handlers.preview_table))
    answer(ProfileTable, on_newest(handlers.profile_table))
    answer(ListTableVersions, rollback.list_table_versions)
    answer(RollbackTable, rollback.rollback_table)
    answer(GetStorage, storage.get_storage)
    answer(CreateTransformation, on_newest(handlers.create_transformation))
    answer(UpdateTransformation, on_newest(handlers.update_transformation))
    answer(GetTransformation, handlers.get_transformation)
    answer(ListTransformations, handlers.list_transformations)
    answer(DeleteTransformation, handlers.delete_transformation)
    answer(ValidateRecipe, on_newest(handlers.validate_recipe))
    answer(PreviewRecipe, on_newest(handlers.preview_recipe))
    answer(ProfileRecipe, on_newest(handlers.profile_recipe))
    answer(ShowSql, handlers.show_sql)
    answer(ListRecipeVersions, handlers.list_recipe_versions)
    answer(GetRecipeVersion, handlers.get_recipe_version)
    answer(CompareRecipeVersions, handlers.compare_recipe_versions)
    answer(RestoreRecipeVersion, on_newest(handlers.restore_recipe_version))
    answer(TraceTransformation, handlers.trace_transformation)
    answer(TraceTables, handlers.trace_tables)
    answer(FindColumnUsers, handlers.find_column_users)
    answer(PlanTransformations, handlers.plan_transformations)
    answer(FindMissingVersions, handlers.find_missing_versions)

    jobs = service.jobs
    jobs.handle(OrganizationCreated, handlers.organization_created)
    jobs.handle(
        BuildTransformation,
        builder.build_transformation,
        share=BUILDS.resized(settings.max_builds),
        on_dead=builder.give_up,
        key=lambda command: (command.run_id, command.attempt),
        heartbeat=builder.heartbeat,
    )
    jobs.handle(PublishRun, publisher.publish_run, on_dead=publisher.give_up)
    jobs.handle(AbortPublish, publisher.abort_publish, on_dead=publisher.give_up)
    jobs.handle(RunsForgotten, Forgetting(database).runs_forgotten)
    await service.bus.watch(RunCancelRequested.pattern(), handlers.run_cancel_requested)
