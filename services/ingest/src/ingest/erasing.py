"""Erases uploads that become part of no source: refused ones of masked sources, unused ones in time."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from uuid import UUID

from chassis.database import AWAY, Database, collect, queries
from chassis.objects import STORE_FAULTS, Objects
from chassis.telemetry import log
from contracts.ingest import Config, CsvConfig
from contracts.problem import ProblemError
from ingest.domain import upload_key
from ingest.rules import guarded

_queries = queries("ingest")
_REFUSED = frozenset({409, 422})
"""Answers that stay the same for the same file; after any other it may be tried again."""
OF_THE_REQUEST = frozenset(
    {
        *("unknown_column", "bad_rule", "no_columns", "other_type", "bad_name", "name_taken"),
        *("too_many_sources", "too_many_tables", "idempotency_mismatch"),
    }
)
"""What is said of a source that is made or changed, and can be mended without another file."""
_LONGEST_PAUSE = 600.0
"""Seconds between two looks for unused uploads."""


class Erasing:
    """Deletes files with what is known of them. All of it may be repeated."""

    def __init__(self, database: Database, objects: Objects, grace: float) -> None:
        """`grace`: seconds that an upload may lie unused."""
        self._database = database
        self._objects = objects
        self._grace = grace

    @asynccontextmanager
    async def when_refused(
        self,
        org_id: UUID,
        source_id: UUID,
        *configs: Config | None,
        spared: Collection[str] = (),
    ) -> AsyncIterator[None]:
        """A block that makes a source of the upload that the first of its `configs` names.

        Where columns are masked or left out by any of them, a file that is refused is erased at once,
        unless a source is made of it already, or the refusal's code is one of `spared`.
        """
        files = [config for config in configs if isinstance(config, CsvConfig)]
        try:
            yield
        except ProblemError as error:
            if error.problem.status not in _REFUSED or error.problem.code in spared:
                raise
            if not any(guarded(config.columns) for config in files):
                raise
            upload_id = files[0].upload_id
            if not await self._erase_refused(org_id, upload_id):
                raise
            log.info("refused_upload_erased", source_id=str(source_id), upload_id=str(upload_id))
            told = (
                f"{error.problem.detail} The file was deleted, because columns of the source are "
            )
            detail = f"{told}masked or left out: upload it again once it is corrected."
            raise ProblemError(error.problem.model_copy(update={"detail": detail})) from error

    async def run(self) -> None:
        """Erase uploads that have been unused for long, now and then, until cancelled."""
        while True:
            try:
                async with self._database.system() as connection:
                    found = await collect(_queries.unused_uploads(connection, grace=self._grace))
                for row in found:
                    await self._erase_unused(row["org_id"], row["id"])
            except AWAY as error:
                log.warning("unused_uploads_not_erased", error=str(error) or repr(error))
            await asyncio.sleep(min(_LONGEST_PAUSE, self._grace / 10))

    async def _erase_unused(self, org_id: UUID, upload_id: UUID) -> None:
        """One that cannot be erased now holds up no other; it is found again."""
        try:
            if await self._erase(org_id, upload_id, self._grace):
                log.info("unused_upload_erased", upload_id=str(upload_id))
        except (*AWAY, *STORE_FAULTS) as error:
            log.warning(
                "unused_upload_not_erased",
                upload_id=str(upload_id),
                error=str(error) or repr(error),
            )

    async def _erase_refused(self, org_id: UUID, upload_id: UUID) -> bool:
        """Whether it was erased; where it cannot be now, that happens once it is unused for long."""
        try:
            return await self._erase(org_id, upload_id, 0)
        except (*AWAY, *STORE_FAULTS) as error:
            log.warning(
                "refused_upload_not_erased",
                upload_id=str(upload_id),
                error=str(error) or repr(error),
            )
            return False

    async def _erase(self, org_id: UUID, upload_id: UUID, grace: float) -> bool:
        """Whether it was there and no source is made of it."""
        async with self._database.organization(org_id) as connection:
            # Locked first: a source that takes it meanwhile is seen by the statement after this.
            await _queries.lock_upload(connection, upload_id=upload_id)
            if not await _queries.erase_upload(connection, upload_id=upload_id, grace=grace):
                return False
            # Before the commit, so that what fails or dies here is found again.
            await self._objects.delete(upload_key(org_id, upload_id))
        return True
