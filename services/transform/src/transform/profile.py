"""Profiles: what the columns of a table or of a recipe's result hold."""

import math
import time
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from contracts.transform import Bucket, ColumnProfile, TableProfile, ValueCount
from recipe import Column, Context
from transform.compiler import Compiler
from transform.domain import CatalogueTable, require_published
from transform.placing import recipe_tables
from transform.reading import Counts, Reader, too_long
from transform.values import cell

MAX_ROWS = 100_000
"""Rows that are looked at; of more, an even sample."""


class Profiler:
    """Looks at the columns of what recipes give."""

    def __init__(self, reader: Reader, compiler: Compiler, counts: Counts) -> None:
        self._reader = reader
        self._compiler = compiler
        self._counts = counts

    async def profile(
        self,
        org_id: UUID,
        recipe: object,
        tables: Collection[CatalogueTable],
        *,
        timezone: str,
        until_step: int | None = None,
        known_total: int | None = None,
    ) -> TableProfile:
        """Every column of the result; `known_total` spares counting.

        Raises problems 409 `not_synced`, 422 for a recipe or data that does not fit, and 504 when
        it takes too long.
        """
        started = time.perf_counter()
        context = Context(as_of=datetime.now(UTC), timezone=timezone)
        found = recipe_tables(org_id, tables)
        # What is not counted yet may need a sample or not: the statement that looks follows then.
        guess = None if known_total is None else _every(known_total)
        made = await self._compiler.profile(org_id, recipe, found, context, guess, until_step)
        require_published(tables, map(UUID, made.reads))
        total = known_total
        if total is None:
            total = await self._total(org_id, timezone, made.count)
        every = _every(total)
        if guess is None:
            made = await self._compiler.profile(org_id, recipe, found, context, every, until_step)
        # Outside of that: a connection is held for SQL alone.
        async with self._reader.reading(org_id, "profile", timezone) as reading:
            rows = [dict((await reading.rows(look))[0]) for look in made.looks]
        return TableProfile(
            columns=tuple(
                _column(column, rows[n // made.columns_each], f"c{n}", made.buckets)
                for n, column in enumerate(made.columns)
            ),
            sampled=every > 1,
            rows_read=rows[0]["rows"],
            total_rows=total,
            elapsed_ms=round((time.perf_counter() - started) * 1000, 1),
        )

    async def _total(self, org_id: UUID, timezone: str, counting: str) -> int:
        total = self._counts.get((org_id, timezone, counting))
        if total is None:
            async with self._reader.reading(org_id, "profile", timezone) as reading:
                total = await reading.number(counting)
            if total is None:
                raise too_long("profile", self._reader.timeout)
            self._counts.put((org_id, timezone, counting), total)
        return total


def _every(total: int) -> int:
    """Of so many rows, one in how many is read."""
    return max(1, math.ceil(total / MAX_ROWS))


def _column(column: Column, row: Mapping[str, Any], name: str, buckets: int) -> ColumnProfile:
    held = {key.removeprefix(f"{name}_"): row[key] for key in row if key.startswith(f"{name}_")}
    mean = held.get("mean")
    return ColumnProfile(
        name=column.name,
        type=column.type,
        nulls=row["rows"] - held["present"],
        distinct=held["distinct"],
        min=cell(held.get("min")),
        max=cell(held.get("max")),
        mean=float(mean) if mean is not None and mean.is_finite() else None,
        top=tuple(
            ValueCount(value=cell(value), count=count)
            for value, count in zip(held["top"] or (), held["top_rows"] or (), strict=True)
        ),
        histogram=tuple(_histogram(held, buckets)) if held.get("width") is not None else (),
    )


def _histogram(held: Mapping[str, Any], most: int) -> Iterator[Bucket]:
    """Buckets without gaps from the least value to the greatest."""
    width: Decimal = held["width"]
    if not width.is_finite():
        return
    counts: dict[int, int] = {}
    for place, count in zip(held["bucket"], held["bucket_rows"], strict=True):
        if place.is_finite():
            # The greatest value begins a bucket that is not there.
            bucket = min(int(place), most - 1)
            counts[bucket] = counts.get(bucket, 0) + count
    last = max(counts, default=-1)
    for bucket in range(last + 1):
        to = held["max"] if bucket == last else _edge(held["min"], width * (bucket + 1))
        begin = _edge(held["min"], width * bucket)
        yield Bucket.model_validate(
            {"from": _shown(begin), "to": _shown(to), "count": counts.get(bucket, 0)}
        )


def _edge(least: int | Decimal | date, distance: Decimal) -> object:
    if isinstance(least, datetime):
        return least + timedelta(seconds=float(distance))
    if isinstance(least, date):
        return least + timedelta(days=int(distance))
    return least + int(distance) if isinstance(least, int) else least + distance


def _shown(edge: object) -> object:
    """An edge as JSON; what is computed needs no more digits than a browser has."""
    return float(edge) if isinstance(edge, Decimal) else cell(edge)
