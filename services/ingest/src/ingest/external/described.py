"""A landing table as the database's catalogue describes it, which plans nothing over the table."""

from chassis.database import Connection
from contracts.ingest import ExternalConfig
from ingest.connectors import BadSource
from ingest.external.columns import Held, Shape, shaped

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
_COMPUTED = """
WITH RECURSIVE family AS (
    SELECT $1::oid AS oid
    UNION
    SELECT inhrelid FROM pg_inherits JOIN family ON inhparent = family.oid
)
SELECT format('The index %I', relname) AS what, 'Index plain columns, without a condition' AS instead
FROM family JOIN pg_index ON indrelid = family.oid JOIN pg_class ON pg_class.oid = indexrelid
WHERE indexprs IS NOT NULL OR indpred IS NOT NULL
UNION ALL
SELECT format('The extended statistics %I', stxname), 'Make them on plain columns'
FROM family JOIN pg_statistic_ext ON stxrelid = family.oid WHERE stxexprs IS NOT NULL
UNION ALL
SELECT format('The partition key of %I', relname), 'Partition by plain columns'
FROM family JOIN pg_partitioned_table ON partrelid = family.oid
    JOIN pg_class ON pg_class.oid = family.oid
WHERE partexprs IS NOT NULL
ORDER BY what LIMIT 1
"""
"""What PostgreSQL computes while it plans a statement that reads the table."""


async def described(connection: Connection, source: str, config: ExternalConfig) -> Shape:
    """The columns of a table that is locked; `source` is its name in SQL.

    Raises BadSource for what is no table, and for a table that PostgreSQL could not read without
    computing an expression of its owner's.
    """
    oid = await connection.fetchval(
        "SELECT oid FROM pg_class WHERE oid = $1::text::regclass AND relkind IN ('r', 'p')", source
    )
    if oid is None:
        raise BadSource(
            "not_a_table",
            f"'{config.table}' is a view. Let its loader fill a table of that name instead.",
        )
    computed = await connection.fetchrow(_COMPUTED, oid)
    if computed is not None:
        raise BadSource(
            "runs_code",
            f"The table '{config.table}' cannot be read as it is: {computed['what']} holds an "
            "expression, and the database would compute that with your organisation's rights. "
            f"{computed['instead']}, or drop it.",
        )
    held = [Held(**row) for row in await connection.fetch(_COLUMNS, oid)]
    return shaped(held, config.columns)
