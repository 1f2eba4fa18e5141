"""Tables that other systems fill: waited for, then copied within the database."""

from chassis.bus import Bus
from chassis.jobs import Stopped
from chassis.telemetry import log
from contracts.ingest import ExternalConfig, SourcePreview
from contracts.tables import Notice, TableVersion
from contracts.transform import DropLoader
from ingest.connectors import BadSource
from ingest.external.announcements import Announcements
from ingest.external.landing import Landing
from ingest.external.waiting import Wait
from ingest.jobs import Progress
from ingest.readers import Asked, ExpectedTable, Inspected, Loaded, Stays, Sync, columns_of
from warehouse.names import version_relation


class ExternalReader:
    """Sources of type `external`."""

    def __init__(self, bus: Bus, announcements: Announcements, landing: Landing) -> None:
        self._bus = bus
        self._announcements = announcements
        self._landing = landing

    async def inspect(self, asked: Asked[ExternalConfig]) -> Inspected:
        """The table's columns; none while the other system has not made it."""
        shape = await self._landing.shape(asked.org_id, asked.config)
        if shape is None:
            table = ExpectedTable(asked.source_id, "", ())
            return Inspected((table,), (_not_there_yet(asked.config.table),))
        table = ExpectedTable(asked.source_id, "", columns_of(shape.columns))
        return Inspected((table,), shape.warnings)

    async def preview(self, asked: Asked[ExternalConfig], limit: int) -> SourcePreview:
        """The first rows of what lies there now, announced or not."""
        shape, rows = await self._landing.sample(asked.org_id, asked.config, limit)
        return SourcePreview(columns=columns_of(shape.columns), rows=rows, warnings=shape.warnings)

    async def sync(self, sync: Sync[ExternalConfig]) -> Loaded | Stays | None:
        """A copy, once the table was announced anew; raises Stopped while that is waited for."""
        asked, config = sync.asked, sync.asked.config
        told = await self._announcements.newest(asked.org_id, config.table)
        if told is None or not (sync.force or told.is_newer(config, sync.own)):
            wait = await sync.wait(config.table, told.seq if told else 0, config.deadline)
            if not wait.is_over:
                sync.tell(Progress(phase="waiting"))
                log.info("sync_waits", source_id=str(asked.source_id), until=str(wait.deadline))
                raise Stopped
            return _missing(config, sync.own, wait)
        sync.tell(Progress(phase="loading", total_rows=told.row_count))
        version_id = await sync.begin()
        relation = version_relation(version_id)
        shape, rows, size = await self._landing.copy(
            asked.org_id, config, relation, version_id, told.row_count
        )
        version = TableVersion(
            table_id=asked.source_id,
            version_id=version_id,
            relation=relation,
            columns=columns_of(shape.columns),
            rows=rows,
            bytes=size,
            fingerprint=told.fingerprint(config),
        )
        return Loaded((version,), {}, shape.warnings)

    async def forget(self, asked: Asked[ExternalConfig]) -> None:
        """Remove the login that fills the table, and what it has made."""
        drop = DropLoader(source_id=asked.source_id)
        await self._bus.ask(drop, org_id=asked.org_id, actor=self._bus.service)


def _missing(config: ExternalConfig, published: TableVersion | None, wait: Wait) -> Stays:
    """What becomes of a sync that waited in vain. Raises BadSource unless the last may stay."""
    said = (
        f"Nobody announced that the table '{config.table}' is ready: waited from "
        f"{wait.since:%Y-%m-%d %H:%M} to {wait.deadline:%Y-%m-%d %H:%M} UTC."
    )
    if config.on_missing == "fail" or published is None:
        none = "" if config.on_missing == "fail" else " There is no earlier version to use."
        raise BadSource(
            "not_announced",
            f"{said}{none} Look after the system that fills it: it tells with the event "
            "source.synced once its data is committed.",
        )
    kept = Notice(code="not_announced", message=f"{said} The version before is used.")
    return Stays("not announced in time", (kept,))


def _not_there_yet(table: str) -> Notice:
    return Notice(
        code="no_table",
        message=f"There is no table '{table}' in the landing schema yet; its columns are known "
        "once the other system has made it.",
    )
