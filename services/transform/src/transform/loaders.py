"""Logins of the systems that fill external sources, as other services ask for them."""

import asyncio
from urllib.parse import unquote, urlsplit

import asyncpg
import prometheus_client as prometheus

from chassis.database import AWAY, Connection, Database
from chassis.telemetry import log
from contracts.envelope import Meta
from contracts.message import Done
from contracts.problem import ProblemError, problem
from contracts.shares import LOADER_LOCKS, LOADER_RELATIONS, LOADERS
from contracts.tables import LoaderLogin
from contracts.transform import CloseLoader, DropLoader, ProvisionLoader
from transform.domain import organization_of
from transform.settings import Settings
from warehouse import full_lock_table, loaders
from warehouse.names import landing_schema, loader_role
from warehouse.provision import OrganizationErased

_ENDED = prometheus.Counter(
    "dalgo_loaders_ended",
    "Sessions of other systems' logins that took what others need",
    ["reason"],
)
_PORT = 5432
_EVERY = 2.0
"""Seconds between two looks at what loaders hold."""


class Loaders:
    """Makes, shuts and removes logins."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        url = urlsplit(settings.database_url.get_secret_value())
        given = urlsplit(f"//{settings.loader_address}") if settings.loader_address else url
        self._host, self._port = given.hostname or "localhost", given.port or _PORT
        self._name = unquote(url.path.lstrip("/"))
        self._of_services = settings.service_connections

    async def watch(self) -> None:
        """Keep loaders to their limits until cancelled."""
        while True:
            try:
                async with full_lock_table.ready(self._database) as session:
                    while True:
                        await self._look(session)
                        await asyncio.sleep(_EVERY)
            except (asyncpg.PostgresError, *AWAY) as error:
                log.warning("loaders_not_watched", error=str(error) or repr(error))
            await asyncio.sleep(_EVERY)

    async def _look(self, session: Connection) -> None:
        try:
            for done in await loaders.watch_loaders(self._database):
                _report(done)
        except asyncpg.OutOfMemoryError:
            for org_id in await full_lock_table.free(session, self._database):
                _report(loaders.Intervention(org_id, None, "locks"))

    async def provision_loader(self, request: ProvisionLoader, meta: Meta) -> LoaderLogin:
        """ProvisionLoader."""
        org_id = organization_of(meta)
        try:
            password = await loaders.issue_loader(
                self._database, org_id, request.source_id, of_services=self._of_services
            )
        except OrganizationErased as error:
            raise problem(409, "organization_erased", "This organisation was deleted.") from error
        except loaders.TooManyLoaders as error:
            raise problem(
                409,
                "too_many_loaders",
                f"Your organisation has {LOADERS.each} logins for other systems, as many as it may. "
                "Revoke one that is not used any more, or let one login fill the tables of several "
                "sources.",
            ) from error
        except loaders.LoadersPaused as error:
            raise problem(
                429,
                "loaders_paused",
                f"Logins of your organisation for other systems held more than {LOADER_LOCKS.each:,} "
                "locks of the database at once, as a transaction does that touches thousands of "
                f"tables, or have made more than {LOADER_RELATIONS.each:,} tables and indexes. All of "
                f"them wait {error.seconds} s; load in smaller transactions, into fewer tables, and "
                "delete the sources whose tables are not needed.",
                retry_after=error.seconds,
            ) from error
        except loaders.LoaderBusy as error:
            raise _busy() from error
        except loaders.NoConnectionsLeft as error:
            log.warning("no_loader_connections", org_id=str(org_id), reason=str(error))
            raise problem(
                503,
                "no_loader_connections",
                "The database has no connections left for another system's login. The operator of "
                "this installation can raise PostgreSQL's max_connections; revoking a login that is "
                "not used any more helps too.",
            ) from error
        return LoaderLogin.model_validate(
            {
                "host": self._host,
                "port": self._port,
                "database": self._name,
                "username": loader_role(org_id, request.source_id),
                "password": password,
                "schema_name": landing_schema(org_id),
            }
        )

    async def close_loader(self, request: CloseLoader, meta: Meta) -> Done:
        """CloseLoader."""
        try:
            await loaders.revoke_loader(self._database, organization_of(meta), request.source_id)
        except loaders.LoaderBusy as error:
            raise _busy() from error
        return Done()

    async def drop_loader(self, request: DropLoader, meta: Meta) -> Done:
        """DropLoader."""
        try:
            await loaders.drop_loader(self._database, organization_of(meta), request.source_id)
        except loaders.LoaderBusy as error:
            raise _busy() from error
        except loaders.TableRead as error:
            raise problem(
                503, "table_read", "The table is being copied at this moment. Try again shortly."
            ) from error
        return Done()


def _report(done: loaders.Intervention) -> None:
    org_id = str(done.org_id)
    if done.reason == "resumed":
        log.info("loaders_resumed", org_id=org_id)
        return
    _ENDED.labels(done.reason).inc()
    log.warning("loader_ended", org_id=org_id, login=done.login, reason=done.reason)


def _busy() -> ProblemError:
    return problem(
        503,
        "login_busy",
        "Sessions of this login change the login itself all the time, so that it could not be changed "
        "here. Stop the system that uses it, and try again.",
        retry_after=5,
    )
