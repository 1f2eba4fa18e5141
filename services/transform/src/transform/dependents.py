"""Views on live views: taken down where a live view has to be dropped, and put back as they were.

Everything here runs inside `as_org`. The statements that put something back are PostgreSQL's own
(`pg_get_viewdef`, `format`), written and read under an empty search path; whatever they cannot
bring back is found by comparing what stands then with what stood before.
"""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from chassis.database import AWAY, Connection
from contracts.problem import ProblemError, problem
from transform.domain import CatalogueTable
from warehouse.access import as_owner
from warehouse.names import live_schema, org_role, qualified

_TIME = "30s"
"""For each statement: so long, and no longer, readers wait for a materialised view to be filled."""

_OWN_PATH = "SET LOCAL search_path = pg_catalog, pg_temp"
_BEGIN = f"{_OWN_PATH}; SET LOCAL statement_timeout = '{_TIME}'"
_END = "SET LOCAL search_path = DEFAULT; SET LOCAL statement_timeout = DEFAULT"

_READERS = """
WITH RECURSIVE lost AS (
    SELECT attrelid, attnum, said
    FROM unnest($3::text[], $4::text[], $5::text[]) AS gone(name, column_name, said)
    JOIN pg_class ON relname = gone.name AND relnamespace = $1::text::regnamespace
    JOIN pg_attribute ON attrelid = pg_class.oid AND attname = gone.column_name
), reads(relation, depth) AS (
    SELECT oid, 0 FROM pg_class WHERE relnamespace = $1::text::regnamespace AND relname = ANY ($2)
    UNION
    -- Views may read each other in a circle, and then nobody can read them.
    SELECT rule.ev_class, depth + 1
    FROM reads
    JOIN pg_depend link ON link.refclassid = 'pg_class'::regclass AND link.refobjid = relation
        AND link.classid = 'pg_rewrite'::regclass
    JOIN pg_rewrite rule ON rule.oid = link.objid
    WHERE rule.ev_class <> relation AND rule.rulename = '_RETURN' AND depth < 64
), written(relation, classid, objid) AS (
    SELECT ev_class, 'pg_rewrite'::regclass, oid FROM pg_rewrite
    UNION ALL SELECT indrelid, 'pg_class'::regclass, indexrelid FROM pg_index
    UNION ALL SELECT stxrelid, 'pg_statistic_ext'::regclass, oid FROM pg_statistic_ext
)
SELECT view.oid, nspname::text AS schema, relname::text AS name, depth, owner,
       CASE relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END AS kind,
       pg_has_role(current_user, relowner, 'SET') AS is_ours,
       relpersistence = 't' AS is_temporary,
       EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = view.oid
               AND deptype IN ('e', 'x')) AS is_of_an_extension,
       -- A literal of such a type is read when the view is made, by code of whoever made the type.
       (SELECT min(format_type(type.oid, NULL))
        FROM written
        JOIN pg_depend link USING (classid, objid)
        JOIN pg_type type ON link.refclassid = 'pg_type'::regclass AND link.refobjid = type.oid
        LEFT JOIN pg_type item ON item.oid = type.typelem
        WHERE written.relation = view.oid AND type.oid >= 16384
          AND (type.typtype NOT IN ('b', 'e') OR item.typtype NOT IN ('b', 'e'))) AS odd_type,
       ARRAY(SELECT DISTINCT said
             FROM pg_rewrite rule
             JOIN pg_depend link ON link.classid = 'pg_rewrite'::regclass AND link.objid = rule.oid
             JOIN lost ON link.refclassid = 'pg_class'::regclass AND link.refobjid = attrelid
                 AND link.refobjsubid = attnum
             WHERE rule.ev_class = view.oid AND rule.ev_class <> attrelid
             ORDER BY said) AS lacks
FROM (SELECT relation, max(depth) AS depth FROM reads GROUP BY relation) found
JOIN pg_class view ON view.oid = relation
JOIN pg_namespace space ON space.oid = relnamespace,
LATERAL pg_get_userbyid(relowner) AS owner
ORDER BY depth, nspname, relname
"""
"""The live views $1.$2 at depth 0 and all that reads them, each after what it reads.

$3, $4, $5: live names, columns that they lose, and what to call those.
"""

_STATE = """
WITH wanted AS (
    SELECT view.*, schema, name, format('%I.%I', schema, name) AS sql,
           (SELECT '(' || string_agg(quote_ident(attname), ', ' ORDER BY attnum) || ')'
            FROM pg_attribute WHERE attrelid = view.oid AND attnum > 0) AS columns,
           (SELECT string_agg(format('%I=%L', option_name, option_value), ', ')
            FROM pg_options_to_table(reloptions)) AS options,
           rtrim(pg_get_viewdef(view.oid), ';') AS definition
    FROM unnest($1::text[], $2::text[]) AS asked(schema, name)
    JOIN pg_namespace space ON nspname = schema
    JOIN pg_class view ON relname = name AND relnamespace = space.oid
), kept AS (
    SELECT attrelid, attnum, attname, atttypid, attacl, attstattarget, attoptions, attcompression,
           attstorage
    FROM wanted JOIN pg_attribute ON attrelid = wanted.oid AND attnum > 0 AND NOT attisdropped
    WHERE NOT EXISTS (SELECT FROM unnest($4::text[], $5::text[]) AS gone(name, column_name)
                      WHERE schema = $3 AND gone.name = wanted.name AND column_name = attname)
)
SELECT wanted.schema, wanted.name,
    CASE relkind WHEN 'm' THEN format(
        'CREATE MATERIALIZED VIEW %s %s USING %I%s%s AS %s WITH %s', sql, columns,
        (SELECT amname FROM pg_am WHERE pg_am.oid = relam),
        ' WITH (' || options || ')',
        (SELECT format(' TABLESPACE %I', spcname) FROM pg_tablespace space
         WHERE space.oid = reltablespace),
        definition, CASE WHEN relispopulated THEN 'DATA' ELSE 'NO DATA' END)
    ELSE format('CREATE VIEW %s %s AS %s', sql, columns, definition) END AS creation,

    ARRAY(SELECT format('ALTER VIEW %s SET (%s)', sql, options)
          WHERE relkind = 'v' AND options IS NOT NULL)
    || ARRAY(SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = wanted.oid
             ORDER BY indexrelid)
    || ARRAY(SELECT pg_get_statisticsobjdef(made.oid) FROM pg_statistic_ext made
             WHERE stxrelid = wanted.oid ORDER BY made.oid)
    -- What default privileges have given to the new one, and the old one perhaps had lost.
    || format('REVOKE ALL ON %s FROM %s', sql, (
        SELECT string_agg(DISTINCT CASE grantee WHEN 0 THEN 'PUBLIC'
            ELSE quote_ident(pg_get_userbyid(grantee)) END, ', ')
        FROM (SELECT relowner AS grantee UNION SELECT item.grantee
              FROM pg_default_acl, aclexplode(defaclacl) item
              WHERE defaclrole = relowner AND defaclobjtype = 'r'
                AND defaclnamespace IN (0, relnamespace)) given))
    || ARRAY(SELECT format('GRANT %s ON %s TO %s%s',
                 string_agg(privilege_type || of_column, ', '), sql,
                 CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
                 CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
             FROM (SELECT item.*, '' AS of_column
                   FROM aclexplode(coalesce(relacl, acldefault('r', relowner))) item
                   UNION ALL
                   SELECT item.*, format(' (%I)', attname)
                   FROM kept, aclexplode(attacl) item WHERE attrelid = wanted.oid) grants
             GROUP BY grantee, is_grantable)
    || ARRAY(SELECT format('COMMENT ON %s %s IS %L',
                 CASE relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END, sql, said)
             FROM obj_description(wanted.oid, 'pg_class') said WHERE said IS NOT NULL)
    || ARRAY(SELECT format('COMMENT ON COLUMN %s.%I IS %L', sql, attname, said)
             FROM kept, LATERAL col_description(attrelid, attnum) said
             WHERE attrelid = wanted.oid AND said IS NOT NULL)
    || ARRAY(SELECT format('COMMENT ON INDEX %I.%I IS %L', wanted.schema, part.relname, said)
             FROM pg_index JOIN pg_class part ON part.oid = indexrelid,
                 LATERAL obj_description(indexrelid, 'pg_class') said
             WHERE indrelid = wanted.oid AND said IS NOT NULL)
    || ARRAY(SELECT format('ANALYZE %s', sql) WHERE relkind = 'm' AND relispopulated)
    AS rest,

    jsonb_build_object(
        'owner', pg_get_userbyid(relowner),
        'kind', relkind,
        'options', (SELECT jsonb_agg(option ORDER BY option) FROM unnest(reloptions) option),
        'storage', jsonb_build_array(relam, reltablespace, relpersistence, relreplident,
            relispopulated, (SELECT toast.reloptions FROM pg_class toast
                               WHERE toast.oid = wanted.reltoastrelid)),
        'grants', (SELECT jsonb_agg(item::text ORDER BY item::text)
                   FROM unnest(coalesce(relacl, acldefault('r', relowner))) item),
        'comment', obj_description(wanted.oid, 'pg_class'),
        'columns', (SELECT jsonb_object_agg(attname, traits) FROM kept, LATERAL (
                        SELECT jsonb_strip_nulls(jsonb_build_object(
                            'grants', (SELECT array_agg(item::text ORDER BY item::text)
                                       FROM unnest(attacl) item),
                            'comment', col_description(attrelid, attnum),
                            'default', (SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef
                                        WHERE adrelid = attrelid AND adnum = attnum),
                            'target', attstattarget,
                            'options', attoptions,
                            'compression', nullif(attcompression, ''),
                            'storage', nullif(attstorage, (SELECT typstorage FROM pg_type type
                                                           WHERE type.oid = atttypid)))) AS traits)
                    WHERE attrelid = wanted.oid AND traits <> '{}'),
        'indexes', (SELECT jsonb_agg(jsonb_build_array(pg_get_indexdef(indexrelid),
                        indisclustered, indisreplident, part.reltablespace,
                        obj_description(indexrelid, 'pg_class'),
                        (SELECT array_agg(attstattarget ORDER BY attnum) FROM pg_attribute
                         WHERE attrelid = indexrelid)) ORDER BY part.relname)
                    FROM pg_index JOIN pg_class part ON part.oid = indexrelid
                    WHERE indrelid = wanted.oid),
        'statistics', (SELECT jsonb_agg(jsonb_build_array(pg_get_statisticsobjdef(made.oid),
                           stxowner, stxstattarget, obj_description(made.oid, 'pg_statistic_ext'))
                           ORDER BY stxname)
                       FROM pg_statistic_ext made WHERE stxrelid = wanted.oid),
        'triggers', (SELECT jsonb_agg(pg_get_triggerdef(made.oid) ORDER BY tgname)
                     FROM pg_trigger made WHERE tgrelid = wanted.oid AND NOT tgisinternal),
        'rules', (SELECT jsonb_agg(pg_get_ruledef(made.oid) ORDER BY rulename)
                  FROM pg_rewrite made WHERE ev_class = wanted.oid AND rulename <> '_RETURN'),
        'security labels', (SELECT jsonb_agg(jsonb_build_array(provider, label)) FROM pg_seclabel
                            WHERE objoid = wanted.oid AND classoid = 'pg_class'::regclass)
    ) AS state
FROM wanted
"""
"""How to put back the views $1.$2, and all that has to be the same of them then.

$3, $4, $5: the live schema, and the columns that live views lose.
"""

_DEPENDENT = re.compile(r"^(.+?) depends on ", re.MULTILINE)

_PASSING = (
    asyncpg.LockNotAvailableError,
    asyncpg.TransactionRollbackError,
    asyncpg.InsufficientResourcesError,
    *AWAY,
)
"""What says nothing about a view: the whole publish is tried again."""


@dataclass(frozen=True)
class Gone:
    """A table whose live view has to be dropped, and the columns that it will not have again."""

    table: CatalogueTable
    columns: tuple[str, ...]


@asynccontextmanager
async def taken_down(
    connection: Connection, org_id: UUID, gone: Sequence[Gone]
) -> AsyncIterator[None]:
    """For as long as the block lasts, live views are dropped, with all that reads them.

    The caller has locked the live views. The block makes the live views anew; afterwards the others are as they were, and all have
    their grants and comments. Raises a 409 problem that names each view that cannot be, and why;
    the transaction is to be given up then.
    """
    losses = _Losses(org_id, gone)
    await connection.execute(_BEGIN)
    views = await _locked(connection, org_id, losses)
    states = await _states(connection, views, losses)
    for view in reversed(views):
        try:
            await _as_its_owner(connection, org_id, view, f"DROP {view['kind']} {_sql(view)}")
        except asyncpg.DependentObjectsStillExistError as error:
            what = f"{dependents_of(error)} reads {_said(view)} and cannot be carried over."
            raise _refused(losses, [what]) from error
    yield
    for view in views:
        state = states[_key(view)]
        statements = state["rest"] if view["depth"] == 0 else [state["creation"], *state["rest"]]
        try:
            await _as_its_owner(connection, org_id, view, ";\n".join(statements))
        except _PASSING:
            raise
        except asyncpg.PostgresError as error:
            what = f"{_said(view)} cannot be made on the new columns: {_reason(error)}."
            raise _refused(losses, [what]) from error
    await _compare(connection, views, states, losses)
    await connection.execute(_END)


def lock_of(view: str, kind: str = "VIEW") -> str:
    """The statement, for its owner, that locks a view against everybody until the transaction ends.

    It changes nothing, and takes the lock of the view alone: LOCK would go through to the tables.
    """
    return f"ALTER {kind} {view} OWNER TO CURRENT_USER"


def dependents_of(error: asyncpg.DependentObjectsStillExistError) -> str:
    """What PostgreSQL names in `view a depends on view b`, line by line."""
    found = _DEPENDENT.findall(getattr(error, "detail", None) or "")
    return ", ".join(dict.fromkeys(found)) or "Something else"


class _Losses:
    """The live views that are dropped, as the statements want them."""

    def __init__(self, org_id: UUID, gone: Sequence[Gone]) -> None:
        self.schema = live_schema(org_id)
        self.tables = [each.table for each in gone]
        self.live = [table.physical_name for table in self.tables]
        lost = [(each.table, column) for each in gone for column in each.columns]
        self.names = [table.physical_name for table, _ in lost]
        self.columns = [column for _, column in lost]
        self.said = [f"'{_display(table, column)}' of '{table.name}'" for table, column in lost]


async def _locked(connection: Connection, org_id: UUID, losses: _Losses) -> list[asyncpg.Record]:
    """All that has to be dropped, each after what it reads, and locked; raises the 409 problem."""
    locked: set[int] = set()
    while True:
        found = await connection.fetch(
            _READERS, losses.schema, losses.live, losses.names, losses.columns, losses.said
        )
        if misfits := [what for view in found if (what := _misfit(view))]:
            raise _refused(losses, misfits)
        # Somebody may have made a view on one that was not locked yet.
        missing = [view for view in found if view["depth"] > 0 and view["oid"] not in locked]
        if not missing:
            return found
        for view in missing:
            await _as_its_owner(connection, org_id, view, lock_of(_sql(view), view["kind"]))
            locked.add(view["oid"])


def _misfit(view: asyncpg.Record) -> str | None:
    """Why a view cannot be put back, as a sentence."""
    if not view["is_ours"]:
        return f"{_said(view)} belongs to '{view['owner']}', so it is not ours to make anew."
    if view["depth"] == 0:
        return None
    if view["is_temporary"]:
        return f"{_said(view)} is a temporary view of an open session."
    if view["is_of_an_extension"]:
        return f"{_said(view)} belongs to an extension."
    if view["odd_type"]:
        return (
            f"{_said(view)} uses the type {view['odd_type']}, and making it anew would run what "
            "belongs to that type."
        )
    if view["lacks"]:
        return f"{_said(view)} lacks {', '.join(view['lacks'])}."
    return None


async def _states(
    connection: Connection, views: Sequence[asyncpg.Record], losses: _Losses
) -> dict[tuple[str, str], asyncpg.Record]:
    rows = await connection.fetch(
        _STATE,
        [view["schema"] for view in views],
        [view["name"] for view in views],
        losses.schema,
        losses.names,
        losses.columns,
    )
    return {_key(row): row for row in rows}


async def _compare(
    connection: Connection,
    views: Sequence[asyncpg.Record],
    before: Mapping[tuple[str, str], asyncpg.Record],
    losses: _Losses,
) -> None:
    """Raise the 409 problem unless everything is as it was, but for definitions that follow types."""
    after = await _states(connection, views, losses)
    misfits = []
    for view in views:
        was, now = before[_key(view)]["state"], after[_key(view)]["state"]
        if lost := [what for what in was if was[what] != now[what]]:
            misfits.append(f"{_said(view)} would not get back its {', '.join(lost)}.")
    if misfits:
        raise _refused(losses, misfits)


async def _as_its_owner(
    connection: Connection, org_id: UUID, view: asyncpg.Record, statements: str
) -> None:
    if view["owner"] == org_role(org_id):
        await connection.execute(statements)
        return
    async with as_owner(connection, org_id, view["owner"]):
        await connection.execute(statements)


def _refused(losses: _Losses, misfits: Sequence[str]) -> ProblemError:
    tables = ", ".join(f"'{table.name}'" for table in losses.tables)
    return problem(
        409,
        "columns_still_used",
        f"Columns of {tables} vanished, moved or changed their type, and something reads the old "
        f"ones. {' '.join(misfits)} Nothing was published. Drop that or change it, run again, and "
        "create it anew.",
    )


def _reason(error: asyncpg.PostgresError) -> str:
    if isinstance(error, asyncpg.QueryCanceledError):
        return f"one of its statements took longer than {_TIME}"
    return str(error).partition("\n")[0].rstrip(".")


def _display(table: CatalogueTable, physical: str) -> str:
    return next((c.name for c in table.columns if c.physical == physical), physical)


def _said(view: asyncpg.Record) -> str:
    kind = "materialized view" if view["kind"] == "MATERIALIZED VIEW" else "view"
    return f"The {kind} {view['schema']}.{view['name']}"


def _key(view: asyncpg.Record) -> tuple[str, str]:
    return view["schema"], view["name"]


def _sql(view: asyncpg.Record) -> str:
    return qualified(view["schema"], view["name"])
