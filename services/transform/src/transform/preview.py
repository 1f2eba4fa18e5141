"""Previews: a page of what a recipe gives, in a total order, and how many rows there are."""

import time
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from contracts.tables import Column
from contracts.transform import PreviewPage, SortItem
from recipe import Context
from transform.compiler import Compiler
from transform.domain import CatalogueTable, require_published
from transform.placing import recipe_tables
from transform.reading import Counts, Reader
from transform.values import cell, decimal_cell
from warehouse.names import quoted

_LONGEST = 10_000
"""Characters of a cell that is shown ..."""
_SHORTEST = 40
"""... and where many cells are shown at once."""
_IN_ALL = 16_000_000
"""Characters of a page, which may be read for a moment; an answer on the bus holds far fewer."""


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
            rows = await reading.rows(_cut(made.rows, made.columns, limit), limit, offset)
            if count == "exact" and total is None:
                total = await reading.number(made.count)
        if total is not None:
            self._counts.put(counted, total)
        names = [column.name for column in made.columns]
        decimals = {place for place, column in enumerate(made.columns) if column.type == "decimal"}
        return PreviewPage(
            columns=tuple(names),
            types={column.name: column.type for column in made.columns},
            rows=tuple(
                {
                    name: decimal_cell(value) if place in decimals else cell(value)
                    for place, (name, value) in enumerate(zip(names, row, strict=True))
                }
                for row in rows
            ),
            total_count=total if count == "exact" else None,
            elapsed_ms=round((time.perf_counter() - started) * 1000, 1),
        )


def _cut(statement: str, columns: Sequence[Column], limit: int) -> str:
    """A page's statement with cells that are too long to be shown cut, and marked by `…`.

    A cell may hold a gigabyte: without this, a page of them would.
    """
    most = max(_SHORTEST, min(_LONGEST, _IN_ALL // (limit * max(1, len(columns)))))
    cells = ", ".join(_shown(quoted(column.physical), column.type, most) for column in columns)
    return f"SELECT {cells} FROM (\n{statement}\n) AS page"


def _shown(cell: str, type: str, most: int) -> str:
    text = cell if type == "text" else f"{cell}::text"
    short = f"left({text}, {most}) || '…'"
    if type in {"text", "decimal"}:
        return f"CASE WHEN length({text}) > {most} THEN {short} ELSE {text} END"
    if type == "json":
        return f"CASE WHEN length({text}) > {most} THEN to_jsonb({short}) ELSE {cell}::jsonb END"
    return cell
