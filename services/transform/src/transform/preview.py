"""Previews: a page of what a recipe gives, in a total order, and how many rows there are."""

import time
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from contracts.transform import PreviewPage, SortItem
from recipe import Context
from transform.compiler import Compiler
from transform.domain import CatalogueTable, require_published
from transform.placing import recipe_tables
from transform.reading import Counts, Reader
from transform.values import cell


class Previewer:
    """Runs recipes over the published versions; no row of them is kept."""

    def __init__(self, reader: Reader, compiler: Compiler, counts: Counts) -> None:
        self._reader = reader
        self._compiler = compiler
        self._counts = counts

    async def page(
        self,
        org_id: UUID,
        recipe: object,
        tables: Collection[CatalogueTable],
        *,
        sort: Sequence[SortItem],
        limit: int,
        offset: int,
        count: Literal["exact", "none"],
        timezone: str,
        filter: Mapping[str, object] | None = None,
        until_step: int | None = None,
        known_total: int | None = None,
        as_stored: bool = False,
    ) -> PreviewPage:
        """A page of rows by display name, and how many rows there are (None: not in time).

        TODAY and the like mean this moment in the time zone. `known_total` spares counting;
        `as_stored` is for a table as it is, in the order in which it was loaded.

        Raises problems 409 `not_synced`, 422 for a recipe, a filter, an order or data that does not
        fit, and 504 when it takes too long.
        """
        started = time.perf_counter()
        context = Context(as_of=datetime.now(UTC), timezone=timezone)
        found = recipe_tables(org_id, tables)
        made = await self._compiler.preview(
            org_id,
            recipe,
            found,
            context,
            filter,
            sort,
            until_step=until_step,
            as_stored=as_stored,
        )
        require_published(tables, map(UUID, made.reads))
        # Rows come in the order in which they are stored, unless another was asked for.
        in_stored_order = as_stored and not sort
        counted = (org_id, timezone, made.count)
        total = known_total if known_total is not None else self._counts.get(counted)
        async with self._reader.reading(
            org_id, "preview", timezone, alone=in_stored_order
        ) as reading:
            rows = await reading.rows(made.rows, limit, offset)
            if count == "exact" and total is None:
                total = await reading.number(made.count)
        if total is not None:
            self._counts.put(counted, total)
        names = [column.name for column in made.columns]
        return PreviewPage(
            columns=tuple(names),
            types={column.name: column.type for column in made.columns},
            rows=tuple(dict(zip(names, map(cell, row), strict=True)) for row in rows),
            total_count=total if count == "exact" else None,
            elapsed_ms=round((time.perf_counter() - started) * 1000, 1),
        )
