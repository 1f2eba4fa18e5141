"""The live names: views over published versions. Everything here runs inside `as_org`."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from chassis.database import Connection
from contracts.problem import ProblemError, problem
from contracts.tables import TableVersion
from transform.dependents import Gone, dependents_of, lock_of, taken_down
from transform.domain import CatalogueTable, view_columns
from warehouse.names import LOAD_ID, data_schema, live_schema, org_role, qualified, quoted

_COLUMNS = """
SELECT wanted.name AS relation, attname::text AS name,
       format_type(atttypid, atttypmod) || CASE WHEN attcollation IN (0, 'default'::regcollation)
           THEN '' ELSE ' COLLATE ' || attcollation::regcollation END AS type
FROM unnest($1::text[]) AS wanted(name) JOIN pg_attribute ON attrelid = to_regclass(wanted.name)
WHERE attnum > 0 AND NOT attisdropped
ORDER BY attnum
"""
_IS_READ = """
SELECT EXISTS (
    SELECT FROM pg_depend link
    LEFT JOIN pg_rewrite rule ON link.classid = 'pg_rewrite'::regclass AND rule.oid = link.objid
    WHERE link.refclassid = 'pg_class'::regclass AND link.refobjid = to_regclass($1)
      AND link.deptype = 'n' AND rule.ev_class IS DISTINCT FROM link.refobjid)
"""
_HOLDERS = """
WITH RECURSIVE reads(relation) AS (
    SELECT to_regclass(name)::oid FROM unnest($1::text[]) name
    UNION
    SELECT rule.ev_class
    FROM reads
    JOIN pg_depend link ON link.refclassid = 'pg_class'::regclass AND link.refobjid = relation
        AND link.classid = 'pg_rewrite'::regclass
    JOIN pg_rewrite rule ON rule.oid = link.objid
)
SELECT DISTINCT activity.usename::text AS login, activity.application_name AS application,
       activity.pid
FROM pg_locks held JOIN pg_stat_activity activity USING (pid)
WHERE held.granted AND held.pid <> pg_backend_pid()
  AND held.relation IN (SELECT relation FROM reads)
ORDER BY activity.pid
"""


@dataclass(frozen=True)
class _Move:
    """A live name on its way to a version; `gone` are the columns that it had and loses."""

    table: CatalogueTable
    live: str
    relation: str
    columns: tuple[str, ...]
    is_there: bool
    fits: bool
    gone: tuple[str, ...]

    @property
    def statement(self) -> str:
        columns = ", ".join(quoted(name) for name in self.columns)
        return f"CREATE OR REPLACE VIEW {self.live} AS SELECT {columns} FROM {self.relation}"


async def replace_views(
    connection: Connection,
    org_id: UUID,
    changed: Sequence[tuple[CatalogueTable, TableVersion]],
) -> None:
    """Let the live names of tables show versions, all of them at once.

    Columns may come at the end; those that only moved keep their places where something depends on
    the view. When others vanish, move or change type, the view is dropped and made anew, and with
    it what depends on it. Raises a 409 problem that names what cannot be, or the table whose
    version is not there any more with all its columns.
    """
    moves = await _moves(connection, org_id, changed)
    try:
        await _make(connection, org_id, moves)
    except asyncpg.InsufficientPrivilegeError as error:
        raise _not_ours(org_id, moves, error) from error


async def _make(connection: Connection, org_id: UUID, moves: Sequence[_Move]) -> None:
    anew = [move for move in moves if not move.fits]
    made = ";\n".join(move.statement for move in moves)
    if not anew:
        await connection.execute(made)
        return
    # Every live view in its turn, those that are replaced in place too: a reader of all tables
    # would else hold one that is wanted last, and want one that is held already.
    await connection.execute(";\n".join(lock_of(move.live) for move in moves if move.is_there))
    gone = [Gone(move.table, move.gone) for move in anew]
    async with taken_down(connection, org_id, gone):
        await connection.execute(made)


async def _moves(
    connection: Connection,
    org_id: UUID,
    changed: Sequence[tuple[CatalogueTable, TableVersion]],
) -> list[_Move]:
    """In the order of their live names, in which they are locked."""
    ways = [
        (
            table,
            version,
            qualified(live_schema(org_id), table.physical_name),
            qualified(data_schema(org_id), version.relation),
        )
        for table, version in sorted(changed, key=lambda pair: pair[0].physical_name)
    ]
    held = await _columns_of(connection, [name for way in ways for name in way[2:]])
    moves = []
    for table, version, live, relation in ways:
        old = held[live]
        names = [column.physical for column in version.columns]
        if not held[relation].keys() >= set(names):
            raise _version_gone(table)
        if LOAD_ID in held[relation] and LOAD_ID not in names:
            names.append(LOAD_ID)
        new = {name: held[relation][name] for name in names}
        columns, fits = view_columns(old, new, last=LOAD_ID)
        if not fits:
            kept, can_stay = view_columns(old, new, last=LOAD_ID, may_move=False)
            if can_stay and await connection.fetchval(_IS_READ, live):
                columns, fits = kept, True
        gone = tuple(name for name in old if name not in new)
        moves.append(_Move(table, live, relation, tuple(columns), bool(old), fits, gone))
    return moves


async def drop_view(connection: Connection, org_id: UUID, table: CatalogueTable) -> None:
    """Take a table's live name away; raises a 409 problem that names what reads it."""
    try:
        live = qualified(live_schema(org_id), table.physical_name)
        await connection.execute(f"DROP VIEW IF EXISTS {live}")
    except asyncpg.DependentObjectsStillExistError as error:
        detail = f"{dependents_of(error)} reads '{table.name}'. Drop that first."
        raise problem(409, "in_use", detail) from error


async def lock_holders(
    connection: Connection, org_id: UUID, tables: Sequence[CatalogueTable]
) -> list[str]:
    """Who holds a lock on the live views or versions of tables, or on what reads them, in words."""
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


async def _columns_of(
    connection: Connection, relations: Sequence[str]
) -> dict[str, dict[str, str]]:
    """Names and SQL types, in order; empty for a relation that is not there."""
    found: dict[str, dict[str, str]] = {relation: {} for relation in relations}
    for row in await connection.fetch(_COLUMNS, relations):
        found[row["relation"]][row["name"]] = row["type"]
    return found


def _version_gone(table: CatalogueTable) -> ProblemError:
    return problem(
        409,
        "version_gone",
        f"The new version of '{table.name}' is not in the warehouse as it was written. Run again.",
    )


def _not_ours(org_id: UUID, moves: Sequence[_Move], error: asyncpg.PostgresError) -> ProblemError:
    tables = ", ".join(f"'{move.table.name}'" for move in moves)
    return problem(
        409,
        "live_view_not_ours",
        f"{tables} could not be published: {error}. Somebody has given it to another role. Give it "
        f"back (ALTER VIEW ... OWNER TO {org_role(org_id)}), then run again.",
    )
