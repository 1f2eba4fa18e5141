"""The names of columns that recipes take from the data: at saving, for a preview, else at the build."""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from chassis.database import Database
from chassis.shares import Share
from contracts.problem import problem
from recipe import Context, OpenNames, Table
from transform.compiler import Compiler
from transform.refusals import REFUSALS, refusal
from transform.session import Sessions
from warehouse.access import as_org
from warehouse.names import data_schema


@dataclass(frozen=True)
class Named:
    """A recipe with all the names that could be read."""

    recipe: object
    """As JSON."""
    waiting: frozenset[UUID] = frozenset()
    """Tables that the next name depends on and that have no data yet; none: every name is known."""


class ColumnNames:
    """Reads what is not known of the columns that recipes name by the data."""

    def __init__(
        self,
        database: Database,
        sessions: Sessions,
        compiler: Compiler,
        share: Share | None = None,
    ) -> None:
        """`share`: slots in which names are read; None where the caller bounds that, as builds do."""
        self._database = database
        self._sessions = sessions
        self._compiler = compiler
        self._share = share

    async def read(
        self,
        org_id: UUID,
        recipe: object,
        tables: Mapping[str, Table],
        context: Context,
        *,
        until_step: int | None = None,
        timeout: float | None = None,
    ) -> Named:
        """The recipe with the names that its tables hold now, one pivot after the other.

        `timeout`: seconds for each. Raises problems: 422 for values that make no columns or data
        that does not fit, 504 `names_timed_out`.
        """
        while True:
            pivot = await self._compiler.open_names(org_id, recipe, tables, context, until_step)
            if pivot is None:
                return Named(recipe)
            reads = [table for table in tables.values() if table.table_id in pivot.reads]
            empty = [table for table in reads if table.schema_name != data_schema(org_id)]
            if empty:
                return Named(recipe, frozenset(UUID(table.table_id) for table in empty))
            try:
                values = await self._values(org_id, pivot, context, timeout)
            except asyncpg.QueryCanceledError as error:
                if timeout is None:
                    raise
                raise problem(
                    504,
                    "names_timed_out",
                    f"Step {pivot.index}: reading the names of the columns took longer than "
                    f"{timeout:g} s. Filter the rows in an earlier step, or list the names.",
                ) from error
            except REFUSALS as error:
                raise refusal(error) from error
            recipe = await self._compiler.with_names(org_id, recipe, pivot.index, values)

    async def _values(
        self, org_id: UUID, pivot: OpenNames, context: Context, timeout: float | None
    ) -> list[str | None]:
        milliseconds = str(int((timeout or 0) * 1000))
        async with (
            nullcontext() if self._share is None else self._share.slot(org_id),
            self._database.organization(org_id) as connection,
        ):
            await connection.execute("SET TRANSACTION READ ONLY")
            await connection.execute(
                "SELECT set_config('statement_timeout', $1, true)", milliseconds
            )
            await self._sessions.prepare(connection, org_id, context.timezone)
            async with as_org(connection, org_id):
                return [row[0] for row in await connection.fetch(pivot.sql)]
