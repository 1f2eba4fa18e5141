"""How many rows a recipe may make, as PostgreSQL's planner reckons before anything is read."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg

from chassis.database import AWAY, Database
from chassis.shares import Share
from chassis.telemetry import log
from contracts.problem import ProblemError
from contracts.tables import Notice
from recipe import Context, Table
from transform.compiler import Compiler
from transform.domain import CatalogueTable
from transform.kept import Kept
from transform.limits import Limits, bytes_said
from transform.multiplying import described, last_known, multiplying
from transform.placing import recipe_tables
from transform.recipe_json import mentioned
from transform.session import Sessions
from warehouse.access import as_org

_KEPT = 1000
_TIMEOUT = 1.0
"""Seconds for a plan."""
_ROW_OVERHEAD = 28
"""Bytes of a row beside its columns: its header, and its place in the page."""
_TIMES = 50
"""More rows than so many times those of the largest table that is read are seldom meant ..."""
_FEW = 1_000_000
"""... but so few rows are no matter."""
_LOOKED_AT = 20
"""Steps of a recipe that are estimated one by one to find the first that makes too many rows ..."""
_LONGEST_LOOK = 3.0
"""... within so many seconds: each of them is compiled, which costs up to the budget of a recipe."""
_WHOLE = frozenset({"Sort", "Incremental Sort", "Aggregate", "WindowAgg", "Unique", "Gather Merge"})


@dataclass(frozen=True)
class Estimate:
    """What a statement may give."""

    rows: int
    bytes: int
    peak: int
    """The most rows of any part of the plan."""
    largest: int
    """Rows of the largest table that is read."""


@dataclass(frozen=True)
class Input:
    """What a recipe reads: tables with the sizes of their versions, and the moment it runs at."""

    recipe: object
    """As JSON."""
    tables: Mapping[str, Table]
    context: Context
    rows: Mapping[UUID, int]
    """By table; a table that has no version yet is absent."""
    until_step: int | None = None


class Estimates:
    """Warns of recipes that make many rows; only versions are ever planned on."""

    def __init__(
        self,
        database: Database,
        sessions: Sessions,
        compiler: Compiler,
        limits: Limits,
        share: Share | None = None,
    ) -> None:
        """`share`: slots in which plans are made; None where the caller bounds that, as builds do."""
        self._share = share
        self._database = database
        self._sessions = sessions
        self._compiler = compiler
        self._limits = limits
        self._kept: Kept[tuple[UUID, str], Estimate] = Kept(_KEPT)
        """By organisation and statement: versions never change."""

    async def warnings(self, org_id: UUID, given: Input) -> tuple[Notice, ...]:
        """What to expect of a recipe's build, if that is much. Never fails."""
        try:
            return await self._warnings(org_id, given)
        except (ProblemError, asyncpg.PostgresError, *AWAY) as error:
            log.debug("rows_not_estimated", error=str(error) or repr(error))
            return ()

    @asynccontextmanager
    async def explained(self, org_id: UUID, given: Input) -> AsyncIterator[None]:
        """What takes too long in this block is told with what is to be expected of the recipe."""
        try:
            yield
        except ProblemError as error:
            if error.problem.status != 504:
                raise
            notices = await self.warnings(org_id, given)
            detail = " ".join([error.problem.detail, *(notice.message for notice in notices)])
            raise ProblemError(error.problem.model_copy(update={"detail": detail})) from error

    async def suspect(self, org_id: UUID, given: Input) -> tuple[int, str] | None:
        """The first step that makes too many rows, and what it does, for people. Never fails.

        None as well where that is not found in time.
        """
        try:
            async with asyncio.timeout(_LONGEST_LOOK):
                return await self._suspect(org_id, given)
        except (ProblemError, asyncpg.PostgresError, *AWAY) as error:
            log.debug("rows_not_estimated", error=str(error) or repr(error))
            return None

    async def _warnings(self, org_id: UUID, given: Input) -> tuple[Notice, ...]:
        last = last_known(given.recipe, given.until_step)
        if not any(multiplying(given.recipe, last)):
            return ()
        found = await self._of(org_id, given, last)
        if found is None or not self._is_much(found):
            return ()
        limits = self._limits
        if found.rows > limits.rows or found.bytes > limits.bytes:
            code = "build_too_large_expected"
            said = (
                f"About {found.rows:,} rows ({bytes_said(found.bytes)}) are to be expected; a build "
                f"may make {limits.rows:,} rows and {bytes_said(limits.bytes)}, and fails beyond that."
            )
        else:
            code = "many_rows_expected"
            made = "are to be expected" if found.rows == found.peak else "arise on the way"
            said = (
                f"About {found.peak:,} rows {made}; the largest table that is read has "
                f"{found.largest:,}."
            )
        suspect = await self.suspect(org_id, given)
        return (Notice(code=code, message=f"{said} {suspect[1]}" if suspect else said),)

    async def _suspect(self, org_id: UUID, given: Input) -> tuple[int, str] | None:
        last = last_known(given.recipe, given.until_step)
        steps = list(multiplying(given.recipe, last))[:_LOOKED_AT]
        for index, step in steps:
            found = await self._of(org_id, given, index)
            if found is not None and self._is_much(found):
                return index, described(index, step, given.tables)
        # The planner may be wrong; a single step that makes rows is at fault all the same.
        return (steps[0][0], described(*steps[0], given.tables)) if len(steps) == 1 else None

    def _is_much(self, found: Estimate) -> bool:
        if found.rows > self._limits.rows or found.bytes > self._limits.bytes:
            return True
        return found.peak > max(_FEW, _TIMES * found.largest)

    async def _of(self, org_id: UUID, given: Input, until_step: int | None) -> Estimate | None:
        """The estimate of a recipe's first steps; None where a table has no version yet."""
        tables = mentioned(given.recipe, given.tables).values()
        # What is compiled for a build passes the guard, which knows versions alone.
        if any(UUID(table.table_id) not in given.rows for table in tables):
            return None
        compiled = await self._compiler.statement(
            org_id, given.recipe, given.tables, given.context, until_step=until_step
        )
        reads = [UUID(table_id) for table_id in compiled.reads]
        key = (org_id, compiled.sql)
        estimate = self._kept.get(key)
        if estimate is None:
            plan = await self._plan(org_id, compiled.sql, given.context.timezone)
            largest = max((given.rows[table_id] for table_id in reads), default=0)
            estimate = _estimate(plan, largest)
            self._kept.put(key, estimate)
        return estimate

    async def _plan(self, org_id: UUID, sql: str, timezone: str) -> Mapping[str, Any]:
        async with (
            nullcontext() if self._share is None else self._share.slot(org_id),
            self._database.transaction() as connection,
        ):
            await connection.execute("SET TRANSACTION READ ONLY")
            await self._sessions.prepare(connection, org_id, timezone, timeout=_TIMEOUT)
            async with as_org(connection, org_id):
                planned = await connection.fetchval(f"EXPLAIN (FORMAT JSON)\n{sql}")
        assert planned is not None
        return planned[0]["Plan"]


def drafted(
    org_id: UUID,
    recipe: object,
    tables: Collection[CatalogueTable],
    timezone: str,
    until_step: int | None = None,
) -> Input:
    """A recipe on what is published now."""
    return Input(
        recipe=recipe,
        tables=recipe_tables(org_id, tables),
        context=Context(as_of=datetime.now(UTC), timezone=timezone),
        rows={t.table_id: t.published.rows for t in tables if t.published is not None},
        until_step=until_step,
    )


def too_many(rows: int, inputs: Collection[int]) -> Notice | None:
    """The warning of a table that has far more rows than any that it was made of."""
    largest = max(inputs, default=0)
    if rows <= max(_FEW, _TIMES * largest):
        return None
    return Notice(
        code="many_rows",
        message=f"The table has {rows:,} rows, and the largest that it was made of {largest:,}. If "
        "that is not meant, look for a join whose key repeats on both sides.",
    )


def _estimate(plan: Mapping[str, Any], largest: int) -> Estimate:
    rows = int(plan["Plan Rows"])
    size = rows * (int(plan["Plan Width"]) + _ROW_OVERHEAD)
    return Estimate(rows=rows, bytes=size, peak=int(max(_all_rows(plan))), largest=largest)


def _all_rows(plan: Mapping[str, Any]) -> Iterator[float]:
    yield plan["Plan Rows"]
    parts = plan.get("Plans", ())
    # What is below a limit ends when that is reached, unless all has to be there first.
    if plan["Node Type"] == "Limit" and not _WHOLE & {part["Node Type"] for part in parts}:
        return
    for part in parts:
        yield from _all_rows(part)
