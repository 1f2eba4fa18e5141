"""Versions that nobody can want any more are dropped: outdated ones, and those never published."""

import asyncio
import random
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg

from chassis.bus import Bus
from chassis.database import AWAY, Database, collect, queries
from chassis.telemetry import log
from contracts.orchestrator import FindOldestRun, FindPinnedVersions
from contracts.problem import ProblemError
from transform.kept import Kept
from transform.settings import Settings
from warehouse import versions
from warehouse.access import as_org
from warehouse.names import data_schema, first_relation_of

_queries = queries("transform")

_LOCK_TIMEOUT = "10ms"
"""Whoever comes to a version that is being dropped waits no longer; one that is read stays."""
_ASKED_AT_ONCE = 1000
"""Versions that one message asks about."""
_DROPPED_AT_ONCE = 50
"""Versions that are dropped in one transaction."""
_TOLD = 10_000


class Sweeper:
    """Looks after every organisation's versions; replicas may do so side by side.

    A version that is published is safe whatever happens here: its view keeps it from being dropped.
    """

    def __init__(self, database: Database, bus: Bus, settings: Settings) -> None:
        self._database = database
        self._bus = bus
        self._settings = settings
        self._due: set[UUID] = set()
        self._told: Kept[str, bool] = Kept(_TOLD)
        """Versions of which it was said that they cannot be dropped."""

    def look_soon(self, org_id: UUID) -> None:
        """An organisation has published: some of its versions may be outdated."""
        self._due.add(org_id)

    async def run(self) -> None:
        """Sweep until cancelled; what cannot be reached is left to the next time."""
        clock = asyncio.get_running_loop().time
        all_at = clock() + self._settings.sweep_every
        while True:
            pause = max(1.0, self._settings.outdated_grace)
            await asyncio.sleep(min(pause, self._settings.sweep_every))
            try:
                if clock() >= all_at:
                    all_at = clock() + self._settings.sweep_every
                    for org_id in await self._organizations():
                        await self._look(org_id, thoroughly=True)
                else:
                    for org_id in random.sample(list(self._due), len(self._due)):
                        await self._look(org_id, thoroughly=False)
            except (ProblemError, *AWAY) as error:
                # The others would wait for an answer as long.
                log.warning("sweep_waits", error=str(error) or repr(error))

    async def sweep(self, org_id: UUID) -> int:
        """Drop whatever of an organisation nobody can want; how many versions that were."""
        dropped = await self.sweep_outdated(org_id)
        return dropped + await self.sweep_unpublished(org_id)

    async def sweep_outdated(self, org_id: UUID) -> int:
        """Drop superseded versions that are not kept and that no open run was planned on.

        How many; the organisation is looked at again soon if there will be more in a moment.
        """
        self._due.discard(org_id)
        settings = self._settings
        async with self._database.organization(org_id) as connection:
            lost = await collect(
                _queries.forget_lost_versions(connection, schema=data_schema(org_id))
            )
            found = await collect(
                _queries.outdated_versions(
                    connection,
                    former=settings.former_versions,
                    budget=settings.version_budget_bytes,
                    grace=settings.outdated_grace,
                    most=_ASKED_AT_ONCE,
                )
            )
        for row in lost:
            log.warning("version_was_lost", org_id=str(org_id), version_id=str(row["version_id"]))
        ripe = {row["relation"]: row["bytes"] for row in found if row["is_ripe"]}
        if len(ripe) < len(found) or len(found) == _ASKED_AT_ONCE:
            self._due.add(org_id)
        if not ripe:
            return 0
        # Asked after they were seen to be superseded: who is planned now is planned on newer ones.
        asked = FindPinnedVersions(relations=tuple(ripe))
        pinned = set((await self._bus.ask(asked, org_id=org_id)).relations)
        return await self._drop(
            org_id, "outdated", {each: ripe[each] for each in ripe if each not in pinned}
        )

    async def sweep_unpublished(self, org_id: UUID) -> int:
        """Drop what was written a while ago, is not in the catalogue, and no run can want.

        A run that is open may want every version that was begun since it was started, whoever
        writes it: the names of versions tell when that was.
        """
        grace = timedelta(seconds=self._settings.version_grace)
        limit = first_relation_of(datetime.now(UTC) - grace)
        found = [each for each in await self.unpublished(org_id) if each[0] < limit]
        if not found:
            return 0
        oldest = (await self._bus.ask(FindOldestRun(), org_id=org_id)).created_at
        if oldest is not None:
            limit = min(limit, first_relation_of(oldest - grace))
        left = {relation: size for relation, size in found if relation < limit}
        return await self._drop(org_id, "unpublished", left)

    async def unpublished(self, org_id: UUID) -> list[tuple[str, int]]:
        """Versions that are not in the catalogue, oldest first, and their bytes."""
        async with self._database.organization(org_id) as connection:
            rows = await collect(
                _queries.unpublished_versions(connection, schema=data_schema(org_id))
            )
        # One that is being dropped at this moment has no size.
        return [(row["relation"], row["bytes"] or 0) for row in rows]

    async def _organizations(self) -> list[UUID]:
        """All of them, in an order of chance: one that fails does not keep the same others waiting."""
        async with self._database.system() as connection:
            rows = await collect(_queries.organizations_with_tables(connection))
        return random.sample([row["org_id"] for row in rows], len(rows))

    async def _look(self, org_id: UUID, *, thoroughly: bool) -> None:
        """Sweep one organisation; what fails here is no reason to leave the others."""
        try:
            await (self.sweep(org_id) if thoroughly else self.sweep_outdated(org_id))
        except (ProblemError, *AWAY):
            self._due.add(org_id)
            raise
        except Exception:
            log.exception("sweep_failed", org_id=str(org_id))

    async def _drop(self, org_id: UUID, kind: str, sizes: dict[str, int]) -> int:
        """Drop versions, given with their bytes; how many are gone."""
        relations = list(sizes)
        gone: list[str] = []
        for first in range(0, len(relations), _DROPPED_AT_ONCE):
            gone += await self._drop_some(org_id, relations[first : first + _DROPPED_AT_ONCE])
        if gone:
            freed = sum(sizes[relation] for relation in gone)
            log.info(
                "versions_swept", org_id=str(org_id), kind=kind, versions=len(gone), bytes=freed
            )
        return len(gone)

    async def _drop_some(self, org_id: UUID, relations: Sequence[str]) -> Collection[str]:
        """Drop versions all at once; one after the other when one of them resists."""
        try:
            return await self._drop_all(org_id, relations)
        except asyncpg.PostgresError as error:
            if isinstance(error, AWAY):
                raise
            if len(relations) == 1:
                self._say_kept(org_id, relations[0], error)
                return ()
        return [one for each in relations for one in await self._drop_some(org_id, [each])]

    async def _drop_all(self, org_id: UUID, relations: Iterable[str]) -> Collection[str]:
        async with self._database.organization(org_id) as connection:
            await connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
            rows = await collect(
                _queries.forget_versions(
                    connection,
                    relations=list(relations),
                    grace=self._settings.outdated_grace,
                    schema=data_schema(org_id),
                )
            )
            going = [row["relation"] for row in rows]
            if going:
                async with as_org(connection, org_id):
                    await versions.drop(connection, org_id, *going)
        return going

    def _say_kept(self, org_id: UUID, relation: str, error: asyncpg.PostgresError) -> None:
        if isinstance(error, asyncpg.LockNotAvailableError):
            self._due.add(org_id)
            log.debug("version_is_read", relation=relation)
        elif not self._told.get(relation):
            self._told.put(relation, True)
            why = getattr(error, "detail", None) or str(error)
            log.warning("version_kept", org_id=str(org_id), relation=relation, reason=why)
