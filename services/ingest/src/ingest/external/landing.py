"""Reading a table of the landing schema: its columns, its first rows, a copy as a version.

Another system owns the table, and may have put more into it than data. So every statement over it
is contained (`warehouse.outsiders`), in one snapshot, and nothing of that system's is called on
purpose: no view is read, no policy applied, no cast of a type of its own used. A table with
expressions that PostgreSQL's planner would compute is refused before anything is planned.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg

from chassis.database import AWAY, Connection, Database
from contracts.ingest import ExternalConfig
from ingest.connectors import BadSource, ColumnType, Unavailable
from ingest.external.columns import Shape
from ingest.external.described import described
from ingest.profile import as_json
from warehouse import versions
from warehouse.access import as_org
from warehouse.names import LOAD_ID, data_schema, landing_schema, qualified, quoted
from warehouse.outsiders import Contained, TookTooLong, contained

_LOOK = 5.0
"""Seconds that a request to see a table waits for its lock."""
_LOOK_STATEMENT = 8.0
"""Seconds of one of its statements; the request itself is given up after 10."""
_COPY_STATEMENT = 3600.0
_SHOWN = 200_000
"""Characters of a row that is shown, over all its cells."""

_LARGEST_ROW = 16 * 1024**2
"""Bytes of a row that is copied: the driver holds each row as a whole, and some of them at once."""

_ENDLESS = frozenset({"NaN", "Infinity", "-Infinity", "infinity", "-infinity"})

_PASSING = (
    *AWAY,
    asyncpg.TransactionRollbackError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InternalServerError,
)
"""What says nothing about a table: the sync is tried again."""


class Landing:
    """The landing schemas of all organisations, read as each of them."""

    def __init__(self, database: Database, patience: float = 30) -> None:
        """`patience`: seconds that a copy waits for the table's lock; then Unavailable."""
        self._database = database
        self._patience = patience

    async def shape(self, org_id: UUID, config: ExternalConfig) -> Shape | None:
        """The table's columns; None when it is not there yet. Raises BadSource, Unavailable."""
        try:
            async with self._opened(org_id, config, _LOOK, _LOOK_STATEMENT) as (_, shape):
                return shape
        except BadSource as error:
            if error.code == "no_table":
                return None
            raise

    async def sample(
        self, org_id: UUID, config: ExternalConfig, limit: int
    ) -> tuple[Shape, tuple[dict[str, Any], ...]]:
        """The columns and the first rows, by display name. Raises BadSource, Unavailable."""
        async with self._opened(org_id, config, _LOOK, _LOOK_STATEMENT) as (session, shape):
            # A cell may be a gigabyte: the sample holds some megabytes, whatever the table holds.
            most = max(100, _SHOWN // len(shape.cells))
            cells = ", ".join(f"left(({cell})::text, {most})" for cell in shape.cells)
            source = qualified(landing_schema(org_id), config.table)
            rows = await session.rows(
                f"SELECT {cells} FROM {source} LIMIT {int(limit)}",
                [(column.physical_name, "text") for column in shape.columns],
            )
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

        Two sessions: one reads and cannot write, the other writes and sees nothing of the table but
        its rows. Nothing is left of a copy that does not end well. Raises BadSource, also where
        there are not as many rows as were announced, and Unavailable.
        """
        opened = self._opened(org_id, config, self._patience, _COPY_STATEMENT)
        async with (
            opened as (session, shape),
            self._database.transaction() as connection,
            as_org(connection, org_id),
        ):
            for each in (session.connection, connection):
                # Under the version's name sessions are found and ended when another takes the step.
                await each.execute("SELECT set_config('application_name', $1, true)", relation)
            rows = await _filled(session, shape, connection, org_id, config, relation)
            if announced is not None and rows != announced:
                raise BadSource(
                    "rows_differ",
                    f"{announced} rows were announced for '{config.table}' and {rows} are there; "
                    "nothing was kept. Announce the table again once it is complete.",
                )
            target = qualified(data_schema(org_id), relation)
            # A default that is a constant costs no rewrite.
            await connection.execute(
                f"ALTER TABLE {target} ADD COLUMN {LOAD_ID} text NOT NULL DEFAULT '{load_id}'"
            )
            await connection.execute(f"ALTER TABLE {target} ALTER COLUMN {LOAD_ID} DROP DEFAULT")
            await versions.analyze(connection, org_id, relation)
            return shape, rows, await versions.size(connection, org_id, relation)

    @asynccontextmanager
    async def _opened(
        self, org_id: UUID, config: ExternalConfig, patience: float, seconds: float
    ) -> AsyncIterator[tuple[Contained, Shape]]:
        """The table in one snapshot, as the organisation; a statement has so many seconds."""
        table = config.table
        source = qualified(landing_schema(org_id), table)
        async with _translated(table):
            async with self._database.transaction() as connection:
                schema = quoted(landing_schema(org_id))
                if await connection.fetchval("SELECT to_regnamespace($1)", schema) is None:
                    raise _no_table(table)
            async with contained(self._database, org_id, seconds=seconds) as session:
                await session.connection.execute(
                    f"SET LOCAL lock_timeout = {round(patience * 1000)};"
                    # Rather an error than policies that leave rows out.
                    "SET LOCAL row_security = off;"
                    # Before the first query, which takes the snapshot: so they fit together.
                    f"LOCK TABLE {source} IN ACCESS SHARE MODE"
                )
                yield session, await described(session.connection, source, config)


async def _filled(
    session: Contained,
    shape: Shape,
    connection: Connection,
    org_id: UUID,
    config: ExternalConfig,
    relation: str,
) -> int:
    """Make the version of the table's rows; how many there are."""
    schema, columns = data_schema(org_id), shape.sql_columns()
    cells = ", ".join(f"{quoted(name)} {type_}" for name, type_ in columns)
    await connection.execute(f"CREATE TABLE {qualified(schema, relation)} ({cells})")
    source = qualified(landing_schema(org_id), config.table)
    # With what lies beside the table, unpacked. PostgreSQL looks, so that nothing larger comes here.
    size = f"pg_catalog.pg_column_size(ROW({', '.join(shape.held)}))"
    statement = (
        f"SELECT {shape.selected()} FROM {source}"
        f" WHERE 1 / CASE WHEN {size} > {_LARGEST_ROW} THEN 0 ELSE 1 END = 1"
    )
    return await session.copy(statement, columns, connection, schema, relation)


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
            "table_locked", f"The table '{table}' is locked by the system that fills it."
        ) from error
    except TookTooLong as error:
        raise BadSource(
            "too_slow", f"Reading the table '{table}' took longer than a statement may."
        ) from error
    except asyncpg.DivisionByZeroError as error:
        raise BadSource(
            "row_too_large",
            f"The table '{table}' has a row of more than {_LARGEST_ROW:,} bytes. Skip the column that "
            "is so large, or let the other system keep that elsewhere.",
        ) from error
    # The latter: more columns, or a wider row, than a table of PostgreSQL can have.
    except (asyncpg.DataError, asyncpg.ProgramLimitExceededError) as error:
        told = str(error).partition("\n")[0]
        raise BadSource("refused", f"The database did not take the data: {told}") from error
    except _PASSING:
        raise
    # What code in the table raised by itself, if any ran.
    except asyncpg.PostgresError as error:
        told = str(error).partition("\n")[0]
        raise BadSource("refused", f"Reading the table '{table}' failed: {told}") from error


def _no_table(table: str) -> BadSource:
    return BadSource(
        "no_table",
        f"There is no table '{table}' in the landing schema yet. Let the other system make it with "
        "the source's login.",
    )
