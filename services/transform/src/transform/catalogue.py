"""The catalogue in PostgreSQL: display names, expected columns, what is published."""

from collections.abc import Collection, Iterable, Sequence
from uuid import UUID

import asyncpg

from chassis.database import Connection, Database, collect, queries, savepoint
from chassis.paging import after, cursor, name_key
from chassis.shares import require_room
from contracts.problem import not_found, problem
from contracts.shares import TABLES
from contracts.tables import Column, TableVersion
from contracts.transform import DeclareTable, ListTables, TableKind, WarehouseTables
from transform.domain import CatalogueTable, checked_name, name_taken, table_in_use
from transform.live_views import drop_view
from transform.recipe_json import texts_of
from warehouse import versions
from warehouse.access import as_org
from warehouse.names import data_schema, table_id_of

_queries = queries("transform")

_DROP_PATIENCE = "2s"
"""How long dropping a table waits for its readers."""


class Catalogue:
    """The tables of all organisations, each behind its organisation's row-level security."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def around(
        self, org_id: UUID, recipes: Iterable[object], table_ids: Iterable[UUID] = ()
    ) -> list[CatalogueTable]:
        """Every table of the organisation, by display name.

        Those that the recipes mention, and the given ones, come with columns and versions; of the
        others, which recipes may only be told the names of, there are none.
        """
        async with self._database.organization(org_id) as connection:
            return await read_around(connection, recipes, table_ids)

    async def some(self, org_id: UUID, table_ids: Collection[UUID]) -> dict[UUID, CatalogueTable]:
        """The tables with the given ids, those that there are."""
        async with self._database.organization(org_id) as connection:
            found = await read_tables(connection, table_ids)
        return {table.table_id: table for table in found}

    async def page(self, org_id: UUID, request: ListTables) -> WarehouseTables:
        """A page of tables, by display name."""
        (after_key,) = after(request.cursor, str)
        async with self._database.organization(org_id) as connection:
            rows = await collect(
                _queries.tables(
                    connection,
                    table_ids=_ids(request.table_ids),
                    after_key=after_key,
                    page=request.limit + 1,
                )
            )
        page = rows[: request.limit]
        return WarehouseTables(
            tables=tuple(_table(row).view() for row in page),
            next_cursor=cursor(page[-1]["display_key"]) if len(rows) > len(page) else None,
        )

    async def get(self, org_id: UUID, name: str) -> CatalogueTable:
        """One table, by its id, its physical name or its display name; raises a 404 problem."""
        async with self._database.organization(org_id) as connection:
            table_id = table_id_of(name) or _uuid(name)
            if table_id is None:
                table_id = await _queries.table_id_by_key(connection, display_key=name_key(name))
            found = await read_tables(connection, (table_id,)) if table_id else []
        if not found:
            raise not_found("table", name)
        return found[0]

    async def declare(self, org_id: UUID, request: DeclareTable) -> bool:
        """Reserve a display name and keep the expected columns; idempotent by table id.

        Returns whether the table's columns are others now. Raises problems 409 `name_taken` and
        422 `bad_name`.
        """
        async with self._database.organization(org_id) as connection:
            before = await read_tables(connection, (request.table_id,))
            await reserve(
                connection,
                org_id,
                request.table_id,
                request.table_kind,
                request.display_name,
                request.expected,
                field="name",
            )
        if not before:
            return True
        return not before[0].published and request.expected not in (None, before[0].expected)

    async def missing(self, org_id: UUID, relations: Sequence[str]) -> tuple[str, ...]:
        """Relations of versions that are gone."""
        async with self._database.organization(org_id) as connection:
            return await missing_relations(connection, org_id, relations)

    async def drop(self, org_id: UUID, table_ids: Collection[UUID]) -> None:
        """Forget a source's tables and drop their data; one that is not there is fine.

        Raises a 409 problem naming the recipes that read one; then nothing is dropped.
        """
        async with self._database.organization(org_id) as connection:
            await _queries.lock_recipes(connection, org_id=org_id)
            for table in await read_tables(connection, table_ids):
                if table.kind == "transform":
                    raise problem(
                        409,
                        "in_use",
                        f"'{table.name}' is written by a transformation. Delete that instead.",
                    )
                await drop_table(connection, org_id, table)


async def read_around(
    connection: Connection, recipes: Iterable[object], table_ids: Iterable[UUID] = ()
) -> list[CatalogueTable]:
    """As `Catalogue.around`, in the caller's transaction."""
    keys = {name_key(text) for recipe in recipes for text in texts_of(recipe)}
    ids = {table_id for key in keys if (table_id := table_id_of(key)) is not None}
    rows = await collect(
        _queries.tables_around(
            connection, display_keys=list(keys), table_ids=list(ids.union(table_ids))
        )
    )
    return [_table(row) for row in rows]


async def read_tables(connection: Connection, table_ids: Iterable[UUID]) -> list[CatalogueTable]:
    """Tables of the transaction's organisation, by display name."""
    rows = await collect(
        _queries.tables(connection, table_ids=_ids(table_ids), after_key=None, page=None)
    )
    return [_table(row) for row in rows]


async def missing_relations(
    connection: Connection, org_id: UUID, relations: Sequence[str]
) -> tuple[str, ...]:
    """Those of the versions' relations that are not in the warehouse."""
    rows = await collect(
        _queries.missing_versions(connection, schema=data_schema(org_id), relations=list(relations))
    )
    return tuple(row["relation"] for row in rows)


async def reserve(
    connection: Connection,
    org_id: UUID,
    table_id: UUID,
    kind: TableKind,
    name: str,
    expected: Sequence[Column] | None,
    *,
    field: str,
) -> None:
    """Put a table under a display name that no other has, in the caller's transaction.

    `expected` None leaves the columns as they are.
    Raises problems 409 `name_taken`, with a free name, `too_many_tables`, and 422 `bad_name`, at
    `field`.
    """
    name = checked_name(name, field)
    if await _queries.tables_beside(connection, table_id=table_id) is not None:
        await _queries.lock_tables_count(connection, org_id=org_id)
        held = await _queries.tables_beside(connection, table_id=table_id)
        require_room(TABLES, held or 0, "Delete sources or transformations that are not needed.")
    try:
        async with savepoint(connection):
            await _queries.put_table(
                connection,
                table_id=table_id,
                org_id=org_id,
                kind=kind,
                display_name=name,
                display_key=name_key(name),
                expected=None if expected is None else _columns(expected),
            )
    except asyncpg.UniqueViolationError as error:
        rows = await collect(_queries.display_keys(connection))
        raise name_taken(name, {row["display_key"] for row in rows}, field) from error
    except asyncpg.InsufficientPrivilegeError as error:
        # Row-level security: the id is another organisation's, so to this one it does not exist.
        raise not_found("table", table_id) from error


async def expect(connection: Connection, table_id: UUID, columns: Sequence[Column]) -> None:
    """Change the columns that a table is expected to have."""
    await _queries.set_expected(connection, table_id=table_id, expected=_columns(columns))


async def drop_table(connection: Connection, org_id: UUID, table: CatalogueTable) -> None:
    """Drop a table with its view and versions; nothing of ours may read it any more.

    Raises a 409 problem naming the recipes, or the views of others, that still do.
    """
    if table.used_by:
        raise table_in_use(table.name, table.used_by)
    rows = await collect(_queries.versions_of(connection, table_id=table.table_id))
    if rows:
        await connection.execute(f"SET LOCAL lock_timeout = '{_DROP_PATIENCE}'")
        try:
            async with as_org(connection, org_id):
                await drop_view(connection, org_id, table)
                for row in rows:
                    await versions.drop(connection, org_id, row["relation"])
        except asyncpg.LockNotAvailableError as error:
            raise problem(
                409, "in_use", f"Somebody is reading '{table.name}' right now. Try again shortly."
            ) from error
        except asyncpg.DependentObjectsStillExistError as error:
            why = getattr(error, "detail", None) or str(error)
            detail = f"Something was made over a version of '{table.name}': {why}. Drop that first."
            raise problem(409, "in_use", detail) from error
    await _queries.delete_table(connection, table_id=table.table_id)


def _table(row: asyncpg.Record) -> CatalogueTable:
    published = row["version_id"] and TableVersion(
        table_id=row["table_id"],
        version_id=row["version_id"],
        relation=row["relation"],
        columns=row["columns"],
        rows=row["rows"],
        bytes=row["bytes"],
        fingerprint=row["fingerprint"],
        nullable=row["nullable"],
    )
    return CatalogueTable(
        table_id=row["table_id"],
        kind=row["kind"],
        name=row["display_name"],
        expected=tuple(Column.model_validate(column) for column in row["expected"]),
        published=published or None,
        published_at=row["published_at"],
        used_by=tuple(row["used_by"]),
    )


def _columns(columns: Iterable[Column]) -> list[dict[str, object]]:
    return [column.model_dump(mode="json") for column in columns]


def _ids(ids: Iterable[UUID] | None) -> list[UUID] | None:
    return None if ids is None else list(ids)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
