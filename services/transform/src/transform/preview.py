"""Previews: a page of what a recipe gives, read only, in a total order, within a time."""

import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

import asyncpg

from chassis.database import Connection, Database
from contracts.problem import FieldProblem, ProblemError, problem
from contracts.transform import PreviewPage, SortItem
from recipe import Compiled, Context, Recipe
from recipe.errors import Misfit
from recipe.items import SortItem as RecipeSort
from recipe.statement import count_sql, page
from transform.compiler import Compiler, recipe_tables
from transform.domain import CatalogueTable, not_synced
from transform.refusals import REFUSALS, refusal
from transform.values import cell
from warehouse.access import as_org


class Previewer:
    """Runs recipes over the published versions, and keeps nothing."""

    def __init__(self, database: Database, compiler: Compiler, *, timeout: float) -> None:
        """`timeout`: seconds after which a statement is stopped."""
        self._database = database
        self._compiler = compiler
        self._timeout = timeout

    async def page(
        self,
        org_id: UUID,
        recipe: Recipe,
        tables: Collection[CatalogueTable],
        *,
        sort: Sequence[SortItem],
        limit: int,
        offset: int,
        count: Literal["exact", "none"],
        timezone: str,
        until_step: int | None = None,
    ) -> PreviewPage:
        """A page of rows by display name, and how many rows there are (None: not in time).

        TODAY and the like mean this moment in the time zone.

        Raises problems 409 `not_synced`, 422 for a recipe, an order or data that does not fit, and
        504 when it takes too long.
        """
        started = time.perf_counter()
        compiled = await self._compiler.compile(
            recipe,
            recipe_tables(org_id, tables),
            Context(as_of=datetime.now(UTC), timezone=timezone),
            until_step,
        )
        reads = {UUID(table_id) for table_id in compiled.reads}
        missing = [t for t in tables if t.table_id in reads and t.published is None]
        if missing:
            raise not_synced(missing, 409)
        statement = _page(compiled, sort, limit, offset)
        counting = count_sql(compiled) if count == "exact" else None
        await self._compiler.vouch(org_id, statement, *filter(None, [counting]))
        try:
            rows, total = await self._read(org_id, statement, counting, timezone)
        except asyncpg.QueryCanceledError as error:
            raise problem(
                504,
                "preview_timed_out",
                f"The preview took longer than {self._timeout:g} s. Filter or limit the rows in an "
                "earlier step, or ask for no count.",
            ) from error
        except REFUSALS as error:
            raise refusal(error) from error
        names = [column.name for column in compiled.columns]
        return PreviewPage(
            columns=tuple(names),
            types={column.name: column.type for column in compiled.columns},
            rows=tuple(dict(zip(names, map(cell, row), strict=True)) for row in rows),
            total_count=total,
            elapsed_ms=round((time.perf_counter() - started) * 1000, 1),
        )

    async def _read(
        self, org_id: UUID, statement: str, counting: str | None, timezone: str
    ) -> tuple[list[asyncpg.Record], int | None]:
        """The rows, and their number unless the time that is left does not suffice for it."""
        deadline = time.perf_counter() + self._timeout
        async with self._database.organization(org_id) as connection:
            await connection.execute("SET TRANSACTION READ ONLY")
            await connection.execute("SELECT set_config('timezone', $1, true)", timezone)
            async with as_org(connection, org_id):
                await _stop_at(connection, deadline)
                rows = await connection.fetch(statement)
                total = None
                if counting is not None:
                    await _stop_at(connection, deadline)
                    with suppress(asyncpg.QueryCanceledError):
                        async with connection.transaction():
                            total = await connection.fetchval(counting)
        return rows, total


async def _stop_at(connection: Connection, deadline: float) -> None:
    left = max(1, int((deadline - time.perf_counter()) * 1000))
    await connection.execute(f"SET LOCAL statement_timeout = {left}")


def _page(compiled: Compiled, sort: Sequence[SortItem], limit: int, offset: int) -> str:
    order = [RecipeSort(column=item.column, descending=item.descending) for item in sort]
    try:
        return page(compiled, order, limit, offset)
    except Misfit as misfit:
        raise _bad_sort(misfit) from misfit


def _bad_sort(misfit: Misfit) -> ProblemError:
    errors = tuple(
        FieldProblem(
            field="sort",
            code=finding.code,
            message=finding.message,
            alternatives=finding.alternatives,
        )
        for finding in misfit.findings
    )
    return problem(422, "bad_sort", errors[0].message, errors)
