"""How much room an organisation's versions take, and how much former ones may take."""

from chassis.database import Database, collect, queries
from contracts.envelope import Meta
from contracts.transform import GetStorage, TableStorage, WarehouseStorage
from transform.domain import organization_of
from transform.settings import Settings
from transform.sweeping import Sweeper

_queries = queries("transform")


class Storage:
    """Adds up what the catalogue knows, and what was written and never published."""

    def __init__(self, database: Database, sweeper: Sweeper, settings: Settings) -> None:
        self._database = database
        self._sweeper = sweeper
        self._settings = settings

    async def get_storage(self, request: GetStorage, meta: Meta) -> WarehouseStorage:
        """GetStorage."""
        org_id = organization_of(meta)
        async with self._database.organization(org_id) as connection:
            rows = await collect(_queries.stored_tables(connection))
        tables = [TableStorage.model_validate(dict(row)) for row in rows]
        unpublished = await self._sweeper.unpublished(org_id)
        return WarehouseStorage(
            published_bytes=sum(table.published_bytes for table in tables),
            former_bytes=sum(table.former_bytes for table in tables),
            unpublished_bytes=sum(size for _, size in unpublished),
            former_budget_bytes=self._settings.version_budget_bytes,
            former_versions=self._settings.former_versions,
            tables=tuple(tables[: request.limit]),
        )
