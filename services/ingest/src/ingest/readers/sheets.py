"""Google Sheets: a tab becomes a CSV file here, which a worker then types and loads."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from pydantic import SecretStr

from contracts.ingest import GoogleSheetsConfig, Sheet, SheetList, SourcePreview
from ingest.connectors import BadSource, Unavailable
from ingest.connectors.csv import fingerprint
from ingest.connectors.google.accounts import Accounts
from ingest.connectors.google.spreadsheet import Spreadsheet, place
from ingest.connectors.google_sheets import CONNECTOR_VERSION, Fetched, SheetOptions, fetch
from ingest.jobs import InspectJob, LoadJob, Progress, SampleJob
from ingest.pool import WorkerPool
from ingest.readers import (
    Asked,
    ExpectedTable,
    Inspected,
    Loaded,
    MaskKeys,
    Sync,
    columns_of,
    version_of,
)
from ingest.scratch import scratch
from warehouse.names import version_relation


@dataclass(frozen=True)
class Patience:
    """Seconds that a reading may take."""

    quota: float
    """To wait for Google's quota and between attempts, in all."""
    overall: float
    """With all answers, however busily they come."""


WHILE_SOMEBODY_WAITS = Patience(quota=15.0, overall=45.0)
IN_A_SYNC = Patience(quota=120.0, overall=1800.0)


class SheetReader:
    """Sources of type `google_sheets`."""

    def __init__(self, accounts: Accounts, pool: WorkerPool, mask_keys: MaskKeys) -> None:
        self._accounts = accounts
        self._pool = pool
        self._mask_keys = mask_keys

    async def sheets(
        self, org_id: UUID, spreadsheet: str, credentials: SecretStr | None
    ) -> SheetList:
        """The tabs that can be read."""
        where = place(spreadsheet)
        patience = WHILE_SOMEBODY_WAITS
        async with in_time(patience.overall):
            client = await self._accounts.client(org_id, credentials, patience.quota)
            found = await client.spreadsheet(where.spreadsheet_id)
        chosen = _chosen(found, where.sheet_id)
        return SheetList(
            sheets=tuple(
                Sheet(
                    sheet_id=sheet.sheet_id,
                    title=sheet.title,
                    rows=sheet.rows,
                    columns=sheet.columns,
                    hidden=sheet.hidden,
                    chosen=sheet.sheet_id == chosen,
                )
                for sheet in found.with_cells
            )
        )

    async def inspect(self, asked: Asked[GoogleSheetsConfig]) -> Inspected:
        """The columns of the tab, and which tab it is, so that it is found when it is renamed."""
        async with self._fetched(asked, WHILE_SOMEBODY_WAITS) as fetched:
            job = InspectJob(
                path=fetched.path,
                options=fetched.options,
                mask_key=self._mask_keys(asked.org_id),
            )
            found = await self._pool.inspect(job)
        own = ExpectedTable(asked.source_id, "", columns_of(found.columns))
        return Inspected(
            (own,),
            (*fetched.warnings, *found.warnings),
            {"sheet_id": fetched.sheet.sheet_id, "sheet_name": fetched.sheet.title},
        )

    async def preview(self, asked: Asked[GoogleSheetsConfig], limit: int) -> SourcePreview:
        """The first rows."""
        async with self._fetched(asked, WHILE_SOMEBODY_WAITS) as fetched:
            job = SampleJob(
                path=fetched.path,
                options=fetched.options,
                mask_key=self._mask_keys(asked.org_id),
                limit=limit,
            )
            preview = await self._pool.sample(job)
        found = preview.inspection
        return SourcePreview(
            columns=columns_of(found.columns),
            rows=preview.rows,
            warnings=(*fetched.warnings, *found.warnings),
        )

    async def sync(self, sync: Sync[GoogleSheetsConfig]) -> Loaded | None:
        """The tab as a new version, unless its values are those that are published.

        A spreadsheet's time of change says nothing: formulas are recalculated without it.
        """
        sync.tell(Progress(phase="reading"))
        mask_key = self._mask_keys(sync.asked.org_id)
        async with self._fetched(sync.asked, IN_A_SYNC) as fetched:
            said = _fingerprint(fetched, mask_key)
            if sync.own is not None and sync.own.fingerprint == said and not sync.force:
                return None
            version_id = await sync.begin()
            job = LoadJob(
                path=fetched.path,
                options=fetched.options,
                mask_key=mask_key,
                known=sync.known,
                **sync.schema.model_dump(),
                relation=version_relation(version_id),
            )
            loaded = (await self._pool.load(job, sync.tell)).model_copy(
                update={"fingerprint": said}
            )
        version = version_of(sync.asked.source_id, version_id, loaded)
        return Loaded((version,), {}, (*fetched.warnings, *loaded.warnings))

    async def forget(self, asked: Asked[GoogleSheetsConfig]) -> None:
        """Nothing is stored but the source itself."""

    @asynccontextmanager
    async def _fetched(
        self, asked: Asked[GoogleSheetsConfig], patience: Patience
    ) -> AsyncIterator[Fetched]:
        """The tab as a file, which is gone afterwards, and at the next start after a crash."""
        config = asked.config
        options = SheetOptions.model_validate(config.model_dump(exclude={"credentials"}))
        folder = scratch()
        path = await asyncio.to_thread(folder.__enter__)
        try:
            async with in_time(patience.overall):
                key = config.credentials
                client = await self._accounts.client(asked.org_id, key, patience.quota)
                fetched = await fetch(client, options, path / "sheet.csv")
            yield fetched
        finally:
            await asyncio.to_thread(folder.__exit__, None, None, None)


@asynccontextmanager
async def in_time(seconds: float) -> AsyncIterator[None]:
    """A block that asks Google; raises Unavailable when it is not over in time."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise Unavailable(
            "google_too_slow",
            f"Google took longer than {seconds:.0f} s to answer. Try again later.",
        ) from error


def _chosen(spreadsheet: Spreadsheet, wanted: int | None) -> int | None:
    """The tab that is read when an address is all that is said; None when it is not there."""
    try:
        return spreadsheet.sheet(wanted, None).sheet_id
    except BadSource:
        return None


def _fingerprint(fetched: Fetched, mask_key: SecretStr) -> str:
    """Equal for equal values read in the same way by the same version of both connectors."""
    said = f"{CONNECTOR_VERSION}\n{fingerprint(fetched.sha256, fetched.options, mask_key)}"
    return hashlib.sha256(said.encode()).hexdigest()
