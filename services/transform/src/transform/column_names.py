"""The names of columns that recipes take from the data: at saving, for a preview, else at the build."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from chassis.database import Database
from contracts.problem import problem
from recipe import Context, OpenNames, Recipe, RecipeProblems, Table, with_names
from transform.compiler import Compiler
from transform.domain import invalid_recipe
from transform.refusals import REFUSALS, refusal
from transform.session import Sessions
from warehouse.access import as_org
from warehouse.names import data_schema


@dataclass(frozen=True)
class Named:
    """A recipe with all the names that could be read."""

    recipe: Recipe
    waiting: frozenset[UUID] = frozenset()
    """Tables that the next name depends on and that have no data yet; none: every name is known."""


class ColumnNames:
    """Reads what is not known of the columns that recipes name by the data."""

    def __init__(self, database: Database, sessions: Sessions, compiler: Compiler) -> None:
        self._database = database
        self._sessions = sessions
        self._compiler = compiler

    async def read(
        self,
        org_id: UUID,
        recipe: Recipe,
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
        compiler = self._compiler
        while (pivot := await compiler.open_names(recipe, tables, context, until_step)) is not None:
            reads = [table for table in tables.values() if table.table_id in pivot.reads]
            empty = [table for table in reads if table.schema_name != data_schema(org_id)]
            if empty:
                return Named(recipe, frozenset(UUID(table.table_id) for table in empty))
            await compiler.vouch(org_id, pivot.sql)
            try:
                values = await self._values(org_id, pivot, context, timeout)
                recipe = with_names(recipe, pivot.index, values)
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
            except RecipeProblems as error:
                raise invalid_recipe(error.errors) from error
        return Named(recipe)

    async def _values(
        self, org_id: UUID, pivot: OpenNames, context: Context, timeout: float | None
    ) -> list[str | None]:
        milliseconds = str(int((timeout or 0) * 1000))
        async with self._database.organization(org_id) as connection:
            await connection.execute("SET TRANSACTION READ ONLY")
            await connection.execute(
                "SELECT set_config('statement_timeout', $1, true)", milliseconds
            )
            await self._sessions.prepare(connection, org_id, context.timezone)
            async with as_org(connection, org_id):
                return [row[0] for row in await connection.fetch(pivot.sql)]
