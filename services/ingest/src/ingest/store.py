"""Uploads and sources in PostgreSQL, each behind its organisation's row-level security."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from chassis.database import Connection, Database, affected, collect, queries
from chassis.outbox import Outbox
from chassis.paging import after, cursor, name_key
from chassis.shares import require_room
from contracts.ingest import (
    Config,
    CreateSource,
    CsvConfig,
    ListSources,
    RegisterUpload,
    Source,
    SourceList,
    SourceTable,
    Upload,
)
from contracts.problem import not_found, problem
from contracts.shares import SOURCES, UPLOAD_BYTES, UPLOADS
from contracts.tables import Notice
from ingest.domain import is_elsewhere
from ingest.sealing import Sealing
from ingest.source_files import added, hold_upload, replaced

_queries = queries("ingest")
_FREE_FILES = (
    "Delete sources that are not needed any more; files that no source is made of are deleted by "
    "themselves after a while."
)


@dataclass(frozen=True)
class Kept:
    """A source as it is stored: its config shows no secret until it is opened."""

    source: Source
    org_id: UUID
    sealed: Mapping[str, str]
    sealing: Sealing

    def opened(self, config: Config | None = None) -> Config:
        """The source's config, or another one for it, with the secrets that are kept.

        Raises a 422 problem `secret_lost`.
        """
        old, wanted = self.source.config, config or self.source.config
        fits = type(wanted) is type(old) and not is_elsewhere(old, wanted)
        sealed = self.sealed if fits else {}
        return self.sealing.opened(self.org_id, self.source.id, wanted, sealed)


class Store:
    """What ingest knows of where data comes from."""

    def __init__(
        self,
        database: Database,
        sealing: Sealing,
        outbox: Outbox,
        upload_budget: int = UPLOAD_BYTES.each,
    ) -> None:
        """`upload_budget`: bytes of files that one organisation may have stored."""
        self._database = database
        self._sealing = sealing
        self._outbox = outbox
        self._upload_budget = upload_budget

    async def keep_upload(self, org_id: UUID, request: RegisterUpload) -> Upload:
        """Insert once. Raises 404 when the id is another organisation's.

        Raises 409 `too_many_uploads` and `upload_space_full` past the organisation's caps.
        """
        async with self._database.organization(org_id) as connection:
            await _queries.lock_uploads(connection, org_id=org_id)
            held = await _queries.held_uploads(connection, upload_id=request.upload_id)
            if not held["is_known"]:
                require_room(UPLOADS, held["files"], _FREE_FILES)
                self._require_space(held["bytes"], request.size_bytes)
            await _queries.insert_upload(connection, org_id=org_id, **request.model_dump())
        return await self.upload(org_id, request.upload_id)

    def _require_space(self, held: int, more: int) -> None:
        """Raise a 409 problem for a file that does not fit beside what is stored."""
        left = max(0, self._upload_budget - held)
        if more > left:
            raise problem(
                409,
                "upload_space_full",
                f"The file has {more:,} bytes, and of the {self._upload_budget:,} that your "
                f"organisation's files may take {left:,} are left. {_FREE_FILES}",
            )

    async def upload(self, org_id: UUID, upload_id: UUID) -> Upload:
        """One upload; raises a 404 problem."""
        async with self._database.organization(org_id) as connection:
            row = await _queries.get_upload(connection, upload_id=upload_id)
        if row is None:
            raise not_found("upload", upload_id)
        return Upload.model_validate(dict(row))

    async def made(self, org_id: UUID, request: CreateSource) -> Source | None:
        """The source that an earlier request like this made.

        Raises 422 `idempotency_mismatch` when its id was used for another.
        """
        async with self._database.organization(org_id) as connection:
            row = await _queries.get_source(connection, source_id=request.source_id)
        if row is None:
            return None
        _require_same(row, request)
        return None if row["status"] == "creating" else _source(row)

    async def begin(
        self,
        org_id: UUID,
        request: CreateSource,
        other_tables: Sequence[SourceTable],
        warnings: Sequence[Notice],
        settled: Mapping[str, object] | None = None,
    ) -> None:
        """Insert once, for nobody to see yet.

        Raises 409 `too_many_sources` and 422 `idempotency_mismatch`.
        `settled` are fields of the config that the request left open.
        """
        config = request.config.model_copy(update=settled)
        config, sealed = self._sealing.seal(org_id, request.source_id, config, {})
        async with self._database.organization(org_id) as connection:
            await _hold_upload(connection, config)
            await _queries.lock_sources(connection, org_id=org_id)
            if await _queries.get_source(connection, source_id=request.source_id) is None:
                held = await _queries.count_sources(connection)
                require_room(SOURCES, held, "Delete one that is not needed any more.")
            await _queries.begin_source(
                connection,
                source_id=request.source_id,
                org_id=org_id,
                name=request.name,
                name_key=name_key(request.name),
                source_type=request.source_type,
                config=config.model_dump(mode="json"),
                secrets=sealed,
                other_tables=[table.model_dump(mode="json") for table in other_tables],
                digest=request.digest(),
                warnings=[notice.model_dump() for notice in warnings],
            )
            row = await _queries.get_source(connection, source_id=request.source_id)
        if row is None:
            raise not_found("source", request.source_id)
        _require_same(row, request)

    async def finish_creation(self, org_id: UUID, source_id: UUID) -> Source:
        """Show a source that was begun; raises a 404 problem when it was taken back meanwhile."""
        async with self._database.organization(org_id) as connection:
            await _queries.finish_source(connection, source_id=source_id)
        return await self.get(org_id, source_id)

    async def unfinished(self, org_id: UUID, source_id: UUID) -> Source | None:
        """A source that was begun and not finished, if there is one."""
        async with self._database.organization(org_id) as connection:
            row = await _queries.get_unfinished(connection, source_id=source_id)
        return None if row is None else _source(row, status="deleting")

    async def delete_unfinished(self, org_id: UUID, source_id: UUID, lease: UUID) -> None:
        """Forget a source that was begun and not finished; `lease`: under which it was taken back."""
        async with self._database.organization(org_id) as connection:
            await _queries.delete_unfinished(connection, source_id=source_id, lease=lease)

    async def interrupted(self) -> Sequence[tuple[UUID, UUID, str]]:
        """Organisation, id and status of sources that are half made or half gone."""
        async with self._database.system() as connection:
            rows = await collect(_queries.interrupted(connection))
        return [(row["org_id"], row["id"], row["status"]) for row in rows]

    async def get(self, org_id: UUID, source_id: UUID) -> Source:
        """One source; raises a 404 problem."""
        return (await self.kept(org_id, source_id)).source

    async def kept(self, org_id: UUID, source_id: UUID) -> Kept:
        """One source with its secrets, closed; raises a 404 problem."""
        async with self._database.organization(org_id) as connection:
            row = await _queries.get_source(connection, source_id=source_id)
        return self.kept_in(row, org_id, source_id)

    def kept_in(self, row: asyncpg.Record | None, org_id: UUID, source_id: UUID) -> Kept:
        """As `kept`, of a row that was read already."""
        if row is None or row["status"] == "creating":
            raise not_found("source", source_id)
        return Kept(_source(row), org_id, row["secrets"], self._sealing)

    async def list(self, org_id: UUID, request: ListSources) -> SourceList:
        """A page of sources, by name."""
        after_key, after_id = after(request.cursor, str, UUID)
        async with self._database.organization(org_id) as connection:
            rows = await collect(
                _queries.list_sources(
                    connection, after_key=after_key, after_id=after_id, page=request.limit + 1
                )
            )
        page = rows[: request.limit]
        more = len(rows) > request.limit
        return SourceList(
            sources=tuple(_source(row) for row in page),
            next_cursor=cursor(page[-1]["name_key"], page[-1]["id"]) if more else None,
        )

    async def ready(self, org_id: UUID, source_ids: Sequence[UUID]) -> dict[UUID, Source]:
        """Those of the given sources that a run may use."""
        async with self._database.organization(org_id) as connection:
            rows = await collect(_queries.sources_with(connection, source_ids=list(source_ids)))
        return {row["id"]: _source(row) for row in rows}

    async def update(
        self,
        kept: Kept,
        lease: UUID,
        name: str,
        config: Config,
        other_tables: Sequence[SourceTable],
        warnings: Sequence[Notice],
        actor: str,
    ) -> None:
        """Old to new under a lease on the source; another upload is told of.

        Raises a 412 problem when somebody else has changed it.
        """
        org_id, old = kept.org_id, kept.source
        config, sealed = self._sealing.seal(org_id, old.id, config, kept.sealed)
        async with self._database.organization(org_id) as connection:
            await _hold_upload(connection, config)
            status = await _queries.update_source(
                connection,
                source_id=old.id,
                lease=lease,
                revision=old.revision,
                name=name,
                name_key=name_key(name),
                config=config.model_dump(mode="json"),
                secrets=sealed,
                other_tables=[table.model_dump(mode="json") for table in other_tables],
                warnings=[notice.model_dump() for notice in warnings],
            )
            require_unchanged(affected(status) == 1)
            if isinstance(old.config, CsvConfig) and isinstance(config, CsvConfig):
                was, now = old.config.upload_id, config.upload_id
                if was != now:
                    await replaced(connection, org_id, old.id, was, now)
                    await self._outbox.put(connection, [added(org_id, old.id, now, actor)])
        self._outbox.wake()

    async def set_status(self, org_id: UUID, source_id: UUID, status: str) -> None:
        """Mark a source `deleting`, or `ready` again."""
        async with self._database.organization(org_id) as connection:
            await _queries.set_status(connection, source_id=source_id, status=status)

    async def delete(self, org_id: UUID, source_id: UUID) -> None:
        """Forget a source; the syncs stay in the history."""
        async with self._database.organization(org_id) as connection:
            await _queries.delete_source(connection, source_id=source_id)

    async def keep_other_tables(
        self, org_id: UUID, source_id: UUID, tables: Sequence[SourceTable]
    ) -> None:
        """Remember which tables a source fills besides its own."""
        async with self._database.organization(org_id) as connection:
            await _queries.keep_other_tables(
                connection,
                source_id=source_id,
                other_tables=[table.model_dump(mode="json") for table in tables],
            )

    async def let_go(self, org_id: UUID, source_id: UUID, upload_id: UUID, reading: str) -> None:
        """Remember that a source needs its upload no more, as long as it is read in this way."""
        async with self._database.organization(org_id) as connection:
            await _queries.let_go(
                connection, source_id=source_id, upload_id=upload_id, reading=reading
            )

    async def note_erased_file(self, org_id: UUID, upload_id: UUID) -> None:
        """Remember that an upload's file is gone: it takes no space any more."""
        async with self._database.organization(org_id) as connection:
            await _queries.note_erased_file(connection, upload_id=upload_id)

    async def what_is_let_go(self, org_id: UUID, source_id: UUID) -> str | None:
        """The reading for which a source needs its upload no more."""
        async with self._database.organization(org_id) as connection:
            return await _queries.what_is_let_go(connection, source_id=source_id)

    async def reading_upload(
        self, org_id: UUID, upload_id: UUID
    ) -> Sequence[tuple[Source, str | None]]:
        """The sources of an upload, each with the reading for which it needs it no more."""
        async with self._database.organization(org_id) as connection:
            rows = await collect(_queries.reading_upload(connection, upload_id=upload_id))
        return [(_source(row), row["let_go"]) for row in rows]

    async def fingerprint_of(self, org_id: UUID, source_id: UUID, version_id: UUID) -> str | None:
        """The fingerprint of a version that a sync has written; None for any other."""
        async with self._database.organization(org_id) as connection:
            return await _queries.fingerprint_of(
                connection, source_id=source_id, version_id=version_id
            )


async def _hold_upload(connection: Connection, config: Config) -> None:
    """Raises a 404 problem when the config's upload was erased meanwhile."""
    if isinstance(config, CsvConfig):
        await hold_upload(connection, config.upload_id)


def require_unchanged(unchanged: bool) -> None:
    """Raise the 412 problem of a lost update unless `unchanged`."""
    if not unchanged:
        raise problem(
            412,
            "changed_meanwhile",
            "The source was changed by somebody else. Load it again and repeat your change.",
        )


def _require_same(row: asyncpg.Record, request: CreateSource) -> None:
    """Raise the 422 problem of an id that was used for another source."""
    if row["digest"] != request.digest():
        raise problem(
            422,
            "idempotency_mismatch",
            "This Idempotency-Key was used for another source. Use a new key.",
        )


def _source(row: asyncpg.Record, **other: object) -> Source:
    return Source.model_validate({**row, "table_id": row["id"], **other})
