"""Statements over tables that an outsider's login owns, kept from all rights but one organisation's.

The owner of a table can make PostgreSQL run code of theirs, even while it plans a SELECT: an index, a
condition, extended statistics or a partition key on a function. In a session of ours such code
could take every role that our login may take. So the statement runs

- inside a SECURITY DEFINER function that the organisation's role owns, where no role can be set;
- in a transaction that cannot write by then and is rolled back, so that nothing is planted in the
  organisation's own tables, and nothing waits for a commit;
- in a session that ends afterwards, so that nothing in it meets other work.

The function is made in that same transaction: nobody else ever sees it or could change it.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import asyncpg

from chassis.database import Connection, Database, affected
from warehouse.access import become_org
from warehouse.names import data_schema, qualified, quoted

_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ"
_CHUNKS = 8
"""Pieces of a copy, of some 64 KiB each, that are read ahead of what writes them."""
_GRACE = 2.0
"""Seconds after which a statement that ignores its time-out is left alone, and its session ended."""


class TookTooLong(Exception):
    """A statement over an outsider's table did not end in its time."""


class Contained:
    """A session of its own, as an organisation, over tables that an outsider may own."""

    def __init__(self, connection: Connection, org_id: UUID, seconds: float) -> None:
        self.connection = connection
        """For LOCK TABLE and for reading the catalogue; neither runs anything of a table's owner."""
        self._org_id = org_id
        self._seconds = seconds

    async def rows(
        self, statement: str, columns: Sequence[tuple[str, str]]
    ) -> list[asyncpg.Record]:
        """The rows of a SELECT that gives columns of these names and SQL types.

        Raises TookTooLong.
        """
        query = await self._defined(statement, columns)
        async with self._in_time():
            return await self.connection.fetch(query)

    async def copy(
        self,
        statement: str,
        columns: Sequence[tuple[str, str]],
        target: Connection,
        schema: str,
        relation: str,
    ) -> int:
        """Write the rows of a SELECT into a table over another session; how many there were.

        Raises TookTooLong.
        """
        query = await self._defined(statement, columns)
        chunks: asyncio.Queue[bytes | Exception | None] = asyncio.Queue(_CHUNKS)

        async def read() -> None:
            end = None
            try:
                await self.connection.copy_from_query(query, output=chunks.put, format="binary")
            except Exception as error:  # it is raised where the rows are written
                end = error
            await chunks.put(end)

        async def written() -> AsyncIterator[bytes]:
            while (chunk := await chunks.get()) is not None:
                if isinstance(chunk, Exception):
                    raise chunk
                yield chunk

        reading = asyncio.create_task(read())
        try:
            async with self._in_time():
                done = await target.copy_to_table(
                    relation,
                    schema_name=schema,
                    columns=[name for name, _ in columns],
                    source=written(),
                    format="binary",
                )
        finally:
            reading.cancel()
        return affected(done)

    @asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        # Code that runs in the statement may catch its time-out and go on.
        try:
            async with asyncio.timeout(self._seconds + _GRACE):
                yield
        except (asyncpg.QueryCanceledError, TimeoutError) as error:
            raise TookTooLong(str(error)) from error

    async def _defined(self, statement: str, columns: Sequence[tuple[str, str]]) -> str:
        """SQL that gives the statement's rows; from here on the session cannot write."""
        token = uuid4().hex
        function = qualified(data_schema(self._org_id), f"read_{token}")
        shape = ", ".join(f"{quoted(name)} {type_}" for name, type_ in columns)
        await self.connection.execute(
            # Its text is first looked at when it is called, with the rights that it has then.
            "SET LOCAL check_function_bodies = off; "
            f"CREATE FUNCTION {function}() RETURNS SETOF record LANGUAGE sql SECURITY DEFINER "
            f"SET search_path = pg_catalog, pg_temp AS $_{token}${statement}$_{token}$; "
            "SET TRANSACTION READ ONLY"
        )
        return f"SELECT * FROM {function}() AS found({shape})"


@asynccontextmanager
async def contained(
    database: Database, org_id: UUID, *, seconds: float
) -> AsyncIterator[Contained]:
    """A transaction in one snapshot that is never committed; a statement has so many seconds.

    The session ends with the block, also in the midst of a statement that does not want to.
    """
    async with database.alone() as connection:
        await connection.execute(f"{_BEGIN}; SET LOCAL statement_timeout = {round(seconds * 1000)}")
        await become_org(connection, org_id)
        yield Contained(connection, org_id, seconds)
