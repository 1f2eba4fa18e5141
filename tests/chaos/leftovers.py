"""What must not be left when all has ended: versions that nobody publishes, processes."""

from uuid import UUID

import asyncpg

from chassis.bus import Bus
from chassis.database import Database
from chassis.testing import eventually
from transform.settings import Settings
from transform.sweeping import Sweeper

from .ground import Ground
from .organization import Organization

_UNPUBLISHED = """
SELECT schemaname || '.' || tablename AS name FROM pg_tables
WHERE schemaname LIKE 'org\\_%\\_data' AND tablename LIKE 'v\\_%'
  AND tablename NOT IN (SELECT relation FROM dalgo_transform.table_versions)
"""


async def leftovers(
    ground: Ground, connection: asyncpg.Connection, organizations: list[Organization]
) -> list[str]:
    """What is left, a line each, once transform has swept and dying processes have died."""
    left: list[str] = []

    async def swept() -> bool:
        # What was called off may still be ending.
        await _sweep(ground, organizations)
        return not await connection.fetch(_UNPUBLISHED)

    try:
        await eventually(swept, within=30)
    except AssertionError:
        rows = await connection.fetch(_UNPUBLISHED)
        left += [f"version {row['name']} was left behind" for row in rows]

    async def alone() -> bool:
        return not any(replica.leftovers() for replica in ground.replicas)

    try:
        await eventually(alone, within=20)
    except AssertionError:
        for replica in ground.replicas:
            outlived = [f"{each.pid} {each.status()}" for each in replica.leftovers()]
            left += [f"{replica.name} left process {each}" for each in outlived]
    return left


async def _sweep(ground: Ground, organizations: list[Organization]) -> None:
    """What transform does each quarter of an hour, with no grace."""
    now = {"version_grace": 0, "outdated_grace": 0, "mask_key": "only for the sweep"}
    settings = Settings.model_validate(ground.login("transform") | now)
    bus = await Bus.connect(settings, "transform")
    database = await Database.connect(settings, "transform")
    try:
        sweeper = Sweeper(database, bus, settings)
        for organization in organizations:
            await sweeper.sweep(UUID(organization.id))
    finally:
        await database.close()
        await bus.close()
