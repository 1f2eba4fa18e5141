"""The warehouse's tables, as readers see them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal
from urllib.parse import quote
from uuid import UUID

from contracts.transform import (
    PreviewPage,
    PublishedVersion,
    TableProfile,
    WarehouseStorage,
    WarehouseTable,
)
from dalgo.call import Call, Listing, listing, model, models, present
from dalgo.models import WarehouseLineage
from dalgo.resource import D, Resource, endpoint, listed


class Tables(Resource[D]):
    """The organisation's tables: one of each source and transformation."""

    @listed
    @staticmethod
    def list(limit: int = 100) -> Listing[WarehouseTable]:
        """All tables by name; `limit` is the size of a page."""
        return listing("/warehouse/tables", WarehouseTable, params={"limit": limit})

    @endpoint
    @staticmethod
    def lineage(*, columns: bool = True) -> Call[WarehouseLineage]:
        """What every table and column is made of, one recipe at a time."""
        params = {"columns": "true" if columns else "false"}
        return Call("GET", "/warehouse/lineage", model(WarehouseLineage), params=params)

    @endpoint
    @staticmethod
    def storage(*, limit: int = 50) -> Call[WarehouseStorage]:
        """How much room the tables take; the `limit` largest of them, all counted."""
        return Call("GET", "/warehouse/storage", model(WarehouseStorage), params={"limit": limit})

    @endpoint
    @staticmethod
    def preview(
        name: str,
        *,
        limit: int = 100,
        offset: int = 0,
        sort: Sequence[str] = (),
        filter: Mapping[str, Any] | None = None,
        count: Literal["exact", "none"] = "exact",
    ) -> Call[PreviewPage]:
        """A page of a table's published rows; `name` is its name, physical name or id.

        `sort` holds columns, with `-` in front for descending; `filter` is a predicate of the
        recipe language.
        """
        params = {"limit": limit, "offset": offset, "count": count, "sort": sort}
        return Call(
            "GET",
            f"/warehouse/tables/{quote(name, safe='')}/preview",
            model(PreviewPage),
            params=params | present(filter=json.dumps(filter) if filter is not None else None),
        )

    @endpoint
    @staticmethod
    def profile(name: str) -> Call[TableProfile]:
        """What a table's columns hold; of a large table, in an even sample of its rows."""
        path = f"/warehouse/tables/{quote(name, safe='')}/profile"
        return Call("GET", path, model(TableProfile))

    @endpoint
    @staticmethod
    def versions(name: str) -> Call[Sequence[PublishedVersion]]:
        """The versions of a table that are still there, newest first."""
        path = f"/warehouse/tables/{quote(name, safe='')}/versions"
        return Call("GET", path, models(PublishedVersion))

    @endpoint
    @staticmethod
    def rollback(name: str, version: UUID) -> Call[WarehouseTable]:
        """Show readers a former version of a table, until the next run publishes another."""
        path = f"/warehouse/tables/{quote(name, safe='')}/rollback"
        return Call("POST", path, model(WarehouseTable), json={"version": str(version)})
