"""Going back: readers are shown a former version of a table, until the next run publishes another."""

import asyncio
from uuid import UUID

import asyncpg

from chassis.database import Connection, Database, collect, queries
from chassis.telemetry import log
from contracts.envelope import Meta
from contracts.problem import not_found, problem
from contracts.tables import Column, TableVersion
from contracts.transform import (
    ListTableVersions,
    PublishedVersion,
    PublishedVersions,
    RollbackTable,
    WarehouseTable,
)
from transform.catalogue import Catalogue, missing_relations, read_tables
from transform.domain import CatalogueTable, organization_of
from transform.live_views import lock_holders, replace_views
from transform.recipes import Recipes
from transform.sweeping import Sweeper
from warehouse.access import as_org
from warehouse.names import data_schema

_queries = queries("transform")

_LOCK_TIMEOUT = "200ms"
"""As of a publish: in a deadlock with a reader it is this that gives way."""
_PATIENCE = 5.0
"""Seconds that a person waits for who locks the table."""
_PAUSE = 0.2


class Rollback:
    """Which versions of a table there are, and the way back to one."""

    def __init__(
        self, database: Database, catalogue: Catalogue, recipes: Recipes, sweeper: Sweeper
    ) -> None:
        self._database = database
        self._catalogue = catalogue
        self._recipes = recipes
        self._sweeper = sweeper

    async def list_table_versions(
        self, request: ListTableVersions, meta: Meta
    ) -> PublishedVersions:
        """ListTableVersions."""
        org_id = organization_of(meta)
        table = await self._catalogue.get(org_id, request.name)
        async with self._database.organization(org_id) as connection:
            rows = await collect(
                _queries.table_versions(
                    connection, table_id=table.table_id, schema=data_schema(org_id)
                )
            )
        return PublishedVersions(versions=tuple(_shown(row) for row in rows))

    async def rollback_table(self, request: RollbackTable, meta: Meta) -> WarehouseTable:
        """RollbackTable: going to where readers are already changes nothing."""
        org_id = organization_of(meta)
        table = await self._catalogue.get(org_id, request.name)
        clock = asyncio.get_running_loop().time
        deadline = clock() + _PATIENCE
        while True:
            try:
                altered = await self._attempt(org_id, table.table_id, request.version)
                break
            except asyncpg.LockNotAvailableError as error:
                if clock() > deadline:
                    raise await self._locked(org_id, table) from error
            await asyncio.sleep(_PAUSE)
        if altered:
            await self._recipes.refresh(org_id, [table.table_id])
        self._sweeper.look_soon(org_id)
        log.info("table_rolled_back", table_id=str(table.table_id), version=str(request.version))
        return (await self._catalogue.get(org_id, str(table.table_id))).view()

    async def _attempt(self, org_id: UUID, table_id: UUID, version_id: UUID) -> bool:
        """Whether the table has other columns now."""
        async with self._database.organization(org_id) as connection:
            await connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
            await collect(_queries.lock_tables(connection, table_ids=[table_id]))
            table, version = await _both(connection, org_id, table_id, version_id)
            if table.shows(version):
                return False
            async with as_org(connection, org_id):
                await replace_views(connection, org_id, [(table, version)])
            await _queries.supersede(connection, table_id=table_id, version_id=version_id)
            await _queries.show_again(connection, version_id=version_id)
            await _queries.point_at(connection, table_id=table_id, version_id=version_id)
            return table.columns != version.columns

    async def _locked(self, org_id: UUID, table: CatalogueTable) -> Exception:
        async with self._database.organization(org_id) as connection, as_org(connection, org_id):
            holders = await lock_holders(connection, org_id, [table])
        whom = " and ".join(holders) if holders else "somebody"
        return problem(
            409,
            "tables_locked",
            f"'{table.name}' could not be moved in {_PATIENCE:.0f} s: {whom} holds a lock. End that "
            "session, then try again.",
        )


async def _both(
    connection: Connection, org_id: UUID, table_id: UUID, version_id: UUID
) -> tuple[CatalogueTable, TableVersion]:
    """The table as it stands, and the version of it, which stays. Raises 404 problems."""
    found = await read_tables(connection, [table_id])
    if not found:
        raise not_found("table", table_id)
    row = await _queries.lock_version(connection, table_id=table_id, version_id=version_id)
    version = TableVersion.model_validate(dict(row)) if row else None
    if version is None or await missing_relations(connection, org_id, [version.relation]):
        detail = (
            f"'{found[0].name}' has no version {version_id}. Former versions are kept for some time "
            "only: list those that are still there."
        )
        raise problem(404, "not_found", detail)
    return found[0], version


def _shown(row: asyncpg.Record) -> PublishedVersion:
    return PublishedVersion(
        version=row["version_id"],
        is_current=row["superseded_at"] is None,
        row_count=row["rows"],
        bytes=row["bytes"],
        columns=tuple(Column.model_validate(column) for column in row["columns"]),
        published_at=row["published_at"],
    )
