"""Around a version, once its writer has filled it. Everything here runs inside `as_org`."""

from dataclasses import dataclass
from uuid import UUID

from chassis.database import Connection
from warehouse.names import data_schema, qualified


@dataclass(frozen=True)
class Measured:
    """How large a version is."""

    rows: int
    bytes: int
    """Size on disk, TOAST and indexes included."""


async def measure(connection: Connection, org_id: UUID, relation: str) -> Measured:
    """Count a version's rows and its bytes on disk.

    Raises asyncpg.UndefinedTableError when it is not there.
    """
    table = qualified(data_schema(org_id), relation)
    row = await connection.fetchrow(
        f"SELECT (SELECT count(*) FROM {table}) AS rows, "
        "pg_total_relation_size($1::text::regclass) AS bytes",
        table,
    )
    assert row is not None
    return Measured(rows=row["rows"], bytes=row["bytes"])


async def analyze(connection: Connection, org_id: UUID, relation: str) -> None:
    """Tell the planner about a version; one that was never analysed makes slow joins."""
    await connection.execute(f"ANALYZE {qualified(data_schema(org_id), relation)}")


async def drop(connection: Connection, org_id: UUID, relation: str) -> None:
    """Drop a version; one that is not there is fine.

    Raises asyncpg.DependentObjectsStillExistError while a view reads it.
    """
    await connection.execute(f"DROP TABLE IF EXISTS {qualified(data_schema(org_id), relation)}")
