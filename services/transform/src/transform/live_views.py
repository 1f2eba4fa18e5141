"""The live names: views over published versions. Everything here runs inside `as_org`."""

import re
from collections.abc import Sequence
from uuid import UUID

import asyncpg

from chassis.database import Connection
from contracts.problem import ProblemError, problem
from contracts.tables import TableVersion
from transform.domain import CatalogueTable, view_columns
from warehouse.names import LOAD_ID, data_schema, live_schema, qualified, quoted

_COLUMNS = """
SELECT attname::text AS name, format_type(atttypid, atttypmod) AS type
FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped
ORDER BY attnum
"""
_HOLDERS = """
SELECT DISTINCT activity.usename::text AS login, activity.application_name AS application,
       activity.pid
FROM pg_locks held JOIN pg_stat_activity activity USING (pid)
WHERE held.granted AND held.pid <> pg_backend_pid()
  AND held.relation IN (SELECT to_regclass(name) FROM unnest($1::text[]) name)
ORDER BY activity.pid
"""
_DEPENDENT = re.compile(r"^(.+?) depends on ", re.MULTILINE)


async def replace_view(
    connection: Connection, org_id: UUID, table: CatalogueTable, version: TableVersion
) -> None:
    """Let a table's live name show a version.

    Columns may come at the end; when others vanish, move or change type, the view is dropped and
    made anew. Raises a 409 problem that names what still depends on such a view, or the table
    whose version is not there any more with all its columns.
    """
    live = qualified(live_schema(org_id), table.physical_name)
    relation = qualified(data_schema(org_id), version.relation)
    old = await _columns_of(connection, live)
    held = await _columns_of(connection, relation)
    names = [column.physical for column in version.columns]
    if not held.keys() >= set(names):
        raise _version_gone(table)
    if LOAD_ID in held and LOAD_ID not in names:
        names.append(LOAD_ID)
    new = {name: held[name] for name in names}
    ordered, fits = view_columns(old, new, last=LOAD_ID)
    columns = ", ".join(quoted(name) for name in ordered)
    if not fits:
        try:
            await connection.execute(f"DROP VIEW {live}")
        except asyncpg.DependentObjectsStillExistError as error:
            raise _still_used(table, error) from error
    await connection.execute(f"CREATE OR REPLACE VIEW {live} AS SELECT {columns} FROM {relation}")


async def drop_view(connection: Connection, org_id: UUID, table: CatalogueTable) -> None:
    """Take a table's live name away; raises a 409 problem that names what reads it."""
    try:
        live = qualified(live_schema(org_id), table.physical_name)
        await connection.execute(f"DROP VIEW IF EXISTS {live}")
    except asyncpg.DependentObjectsStillExistError as error:
        detail = f"{_dependents(error)} reads '{table.name}'. Drop that first."
        raise problem(409, "in_use", detail) from error


async def lock_holders(
    connection: Connection, org_id: UUID, tables: Sequence[CatalogueTable]
) -> list[str]:
    """Who holds a lock on the live views or versions of tables, in words."""
    relations = [qualified(live_schema(org_id), table.physical_name) for table in tables]
    relations += [
        qualified(data_schema(org_id), table.published.relation)
        for table in tables
        if table.published
    ]
    rows = await connection.fetch(_HOLDERS, relations)
    return [
        f"{row['application'] or 'a session'} (login {row['login']}, pid {row['pid']})"
        for row in rows
    ]


async def _columns_of(connection: Connection, relation: str) -> dict[str, str]:
    """Names and SQL types, in order; empty when the relation is not there."""
    return {row["name"]: row["type"] for row in await connection.fetch(_COLUMNS, relation)}


def _version_gone(table: CatalogueTable) -> ProblemError:
    return problem(
        409,
        "version_gone",
        f"The new version of '{table.name}' is not in the warehouse as it was written. Run again.",
    )


def _still_used(
    table: CatalogueTable, error: asyncpg.DependentObjectsStillExistError
) -> ProblemError:
    return problem(
        409,
        "columns_still_used",
        f"Columns of '{table.name}' vanished, moved or changed their type, and {_dependents(error)} reads the "
        "table as it was. Drop that, run again, and create it anew.",
    )


def _dependents(error: asyncpg.DependentObjectsStillExistError) -> str:
    """What PostgreSQL names in `view a depends on view b`, line by line."""
    found = _DEPENDENT.findall(getattr(error, "detail", None) or "")
    return ", ".join(dict.fromkeys(found)) or "Something else"
