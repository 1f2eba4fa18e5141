"""Whether a service's schema is what this program's migrations make of it."""

import asyncio

import asyncpg

from chassis.database import AWAY, Database
from chassis.health import Health
from chassis.migrations import checksums
from chassis.telemetry import log

_PAUSE = 1.0
_AGAIN = "`dalgo migrate` brings the database to this version."


class Schema:
    """The schema of one service, compared with the files that this program comes with.

    One that is newer is none of its business: migrations only add, and during an upgrade older
    replicas go on.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._wanted = checksums(database.name)

    async def check(self) -> None:
        """Raise RuntimeError with the first migration that the schema lacks."""
        try:
            async with self._database.transaction() as connection:
                rows = await connection.fetch("SELECT name, checksum FROM schema_migrations")
        except (
            asyncpg.UndefinedTableError,
            asyncpg.InvalidSchemaNameError,
            asyncpg.InsufficientPrivilegeError,
        ) as error:
            raise RuntimeError(
                f"the schema of {self._database.name} is missing. {_AGAIN}"
            ) from error
        applied = {row["name"]: row["checksum"] for row in rows}
        lacking = [name for name in self._wanted if name not in applied]
        if lacking:
            more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
            raise RuntimeError(f"migration {lacking[0]}{more} was not applied. {_AGAIN}")
        for name, checksum in self._wanted.items():
            if applied[name] != checksum:
                raise RuntimeError(f"migration {name} was applied with another content")

    async def wait(self, health: Health) -> None:
        """Return once the schema is as wanted; readiness says meanwhile what is lacking."""
        said = None
        while True:
            try:
                await self.check()
            except (RuntimeError, *AWAY) as error:
                if str(error) != said:
                    said = str(error)
                    log.warning("schema_not_ready", reason=said or repr(error))
                health.waits_for(said or repr(error))
                await asyncio.sleep(_PAUSE)
            else:
                return
