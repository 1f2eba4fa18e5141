"""Reading a table of the landing schema: its columns, its first rows, a copy as a version.

Another system owns the table, and may have put more into it than data. So everything happens with
the organisation's rights, in one snapshot, and nothing of that system's is called: no view is read,
no policy applied, no cast of a type of its own used.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg

from chassis.database import Connection, Database, affected
from contracts.ingest import ExternalConfig
from ingest.connectors import BadSource, ColumnType, Unavailable
from ingest.external.columns import Held, Shape, shaped
from ingest.profile import as_json
from warehouse import versions
from warehouse.access import as_org
from warehouse.names import LOAD_ID, data_schema, landing_schema, qualified, quoted

_LOOK = 5.0
"""Seconds that somebody who wants to see a table waits for whoever holds it."""

_ENDLESS = frozenset({"NaN", "Infinity", "-Infinity", "infinity", "-infinity"})

_COLUMNS = """
WITH RECURSIVE typed AS (
    SELECT a.attnum, a.attname, a.atttypid, a.atttypmod, t.oid, t.typtype, t.typbasetype
    FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
    WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT d.attnum, d.attname, d.atttypid, d.atttypmod, t.oid, t.typtype, t.typbasetype
    FROM typed d JOIN pg_type t ON t.oid = d.typbasetype
    WHERE d.typtype = 'd'
)
SELECT typed.attname AS name, base.typname AS type_name,
    format_type(typed.atttypid, typed.atttypmod) AS shown,
    base.typnamespace = 'pg_catalog'::regnamespace AS is_own, typed.typtype = 'e' AS is_enum
FROM typed JOIN pg_type base ON base.oid = typed.oid
WHERE typed.typtype <> 'd'
ORDER BY typed.attnum
"""


class Landing:
    """The landing schemas of all organisations, read as each of them."""

    def __init__(self, database: Database, patience: float = 30) -> None:
        """`patience`: seconds that a copy waits for whoever holds a table; then Unavailable."""
        self._database = database
        self._patience = patience

    async def shape(self, org_id: UUID, config: ExternalConfig) -> Shape | None:
        """The table's columns; None when it is not there yet. Raises BadSource, Unavailable."""
        try:
            async with self._opened(org_id, config, _LOOK) as (_, shape):
                return shape
        except BadSource as error:
            if error.code == "no_table":
                return None
            raise

    async def sample(
        self, org_id: UUID, config: ExternalConfig, limit: int
    ) -> tuple[Shape, tuple[dict[str, Any], ...]]:
        """The columns and the first rows, by display name. Raises BadSource, Unavailable."""
        async with self._opened(org_id, config, _LOOK) as (connection, shape):
            cells = ", ".join(f"({cell})::text" for cell in shape.cells)
            source = qualified(landing_schema(org_id), config.table)
            rows = await connection.fetch(f"SELECT {cells} FROM {source} LIMIT {int(limit)}")
        shown = [
            {
                column.display_name: _shown(column.type, cell)
                for column, cell in zip(shape.columns, row.values(), strict=True)
            }
            for row in rows
        ]
        return shape, tuple(shown)

    async def copy(
        self,
        org_id: UUID,
        config: ExternalConfig,
        relation: str,
        load_id: UUID,
        announced: int | None,
    ) -> tuple[Shape, int, int]:
        """Copy the table into a version; its shape, rows and bytes.

        Nothing is left of a copy that does not end well. Raises BadSource, also where there are not
        as many rows as were announced, and Unavailable.
        """
        target = qualified(data_schema(org_id), relation)
        source = qualified(landing_schema(org_id), config.table)
        async with self._opened(org_id, config, self._patience) as (connection, shape):
            # Under the version's name a session is found and ended when another takes the step.
            await connection.execute("SELECT set_config('application_name', $1, true)", relation)
            made = await connection.execute(
                f"CREATE TABLE {target} AS SELECT {shape.selected()} FROM {source}"
            )
            rows = affected(made)
            if announced is not None and rows != announced:
                raise BadSource(
                    "rows_differ",
                    f"{announced} rows were announced for '{config.table}' and {rows} are there; "
                    "nothing was kept. Announce the table again once it is complete.",
                )
            # A default that is a constant costs no rewrite.
            await connection.execute(
                f"ALTER TABLE {target} ADD COLUMN {LOAD_ID} text NOT NULL DEFAULT '{load_id}'"
            )
            await connection.execute(f"ALTER TABLE {target} ALTER COLUMN {LOAD_ID} DROP DEFAULT")
            await versions.analyze(connection, org_id, relation)
            return shape, rows, await versions.size(connection, org_id, relation)

    @asynccontextmanager
    async def _opened(
        self, org_id: UUID, config: ExternalConfig, patience: float
    ) -> AsyncIterator[tuple[Connection, Shape]]:
        """The table in one snapshot, as the organisation."""
        table = config.table
        source = qualified(landing_schema(org_id), table)
        async with _translated(table), self._database.pool.acquire() as connection:
            schema = quoted(landing_schema(org_id))
            if await connection.fetchval("SELECT to_regnamespace($1)", schema) is None:
                raise _no_table(table)
            async with (
                connection.transaction(isolation="repeatable_read"),
                as_org(connection, org_id),
            ):
                await connection.execute(f"SET LOCAL lock_timeout = {round(patience * 1000)}")
                # Rather an error than policies that leave rows out.
                await connection.execute("SET LOCAL row_security = off")
                # Before the first query, which takes the snapshot: so they fit together.
                await connection.execute(f"LOCK TABLE {source} IN ACCESS SHARE MODE")
                yield connection, await _shape(connection, source, config)


async def _shape(connection: Connection, source: str, config: ExternalConfig) -> Shape:
    oid = await connection.fetchval(
        "SELECT oid FROM pg_class WHERE oid = $1::text::regclass AND relkind IN ('r', 'p')", source
    )
    if oid is None:
        raise BadSource(
            "not_a_table",
            f"'{config.table}' is a view. Let its loader fill a table of that name instead.",
        )
    held = [Held(**row) for row in await connection.fetch(_COLUMNS, oid)]
    return shaped(held, config.columns)


def _shown(type: ColumnType, cell: str | None) -> Any:
    if type != "text" and cell in _ENDLESS:
        return None
    try:
        return as_json(type, cell)
    except ValueError:
        # A time before our era.
        return cell


@asynccontextmanager
async def _translated(table: str) -> AsyncIterator[None]:
    """What went wrong, for people."""
    try:
        yield
    except asyncpg.UndefinedTableError as error:
        raise _no_table(table) from error
    except (asyncpg.InsufficientPrivilegeError, asyncpg.WrongObjectTypeError) as error:
        told = str(error).partition("\n")[0]
        raise BadSource(
            "not_readable",
            f"The table '{table}' cannot be read as it is: {told}. Let the source's own login fill "
            "it, without row-level security.",
        ) from error
    except asyncpg.LockNotAvailableError as error:
        raise Unavailable(
            "table_locked", f"The table '{table}' is locked by whoever fills it."
        ) from error
    # The latter: more columns, or a wider row, than a table of PostgreSQL can have.
    except (asyncpg.DataError, asyncpg.ProgramLimitExceededError) as error:
        told = str(error).partition("\n")[0]
        raise BadSource("refused", f"The database did not take the data: {told}") from error


def _no_table(table: str) -> BadSource:
    return BadSource(
        "no_table",
        f"There is no table '{table}' in the landing schema yet. Let the other system make it with "
        "the source's login.",
    )
