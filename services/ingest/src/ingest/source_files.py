"""Which uploads a source is made of, in PostgreSQL: in their order, and those that were replaced."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from chassis.database import Connection, Database, collect, queries
from chassis.outbox import Outbox, Outgoing
from contracts.ingest import CsvConfig, Source, Upload, UploadAdded
from contracts.problem import not_found, problem
from contracts.tables import Notice

_queries = queries("ingest")


@dataclass(frozen=True)
class Files:
    """The uploads of a source besides the one in its config, oldest first."""

    further: tuple[Upload, ...]
    """Of `append` and `upsert`: they come after the config's."""
    former: tuple[Upload, ...]
    """Those that were replaced."""

    @property
    def upload_ids(self) -> frozenset[UUID]:
        """Of all of them."""
        return frozenset(upload.upload_id for upload in (*self.further, *self.former))


def files_in(rows: Sequence[Mapping[str, object]], upload_id: UUID) -> tuple[Upload, Files]:
    """The upload of a source's config and all that it has besides, in `claim_step`'s rows.

    Raises a 404 problem.
    """
    if not rows or rows[0]["former"] is not None:
        raise not_found("upload", upload_id)
    return _upload(rows[0]), _files(rows[1:])


def _upload(row: Mapping[str, object]) -> Upload:
    return Upload.model_validate({name: row[name] for name in Upload.model_fields})


def _files(rows: Sequence[Mapping[str, object]]) -> Files:
    return Files(
        further=tuple(_upload(row) for row in rows if not row["former"]),
        former=tuple(_upload(row) for row in rows if row["former"]),
    )


class SourceFiles:
    """Remembers which uploads belong to a source."""

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database = database
        self._outbox = outbox

    async def of(self, org_id: UUID, source_id: UUID) -> Files:
        """All that a source has besides its config's."""
        async with self._database.organization(org_id) as connection:
            rows = await collect(_queries.source_uploads(connection, source_id=source_id))
        return _files([dict(row) for row in rows])

    async def require_unchanged(
        self, org_id: UUID, source: Source, lease: UUID, config: CsvConfig
    ) -> None:
        """Raises 412 when the source is read in another way than by `config` by now."""
        async with self._database.organization(org_id) as connection:
            await _locked(connection, source, lease, config)

    async def add(
        self,
        org_id: UUID,
        source: Source,
        lease: UUID,
        config: CsvConfig,
        upload_id: UUID,
        warnings: Sequence[Notice],
        actor: str,
    ) -> None:
        """Keep a further upload of a source under a lease on it, and tell of it.

        `config` is the source's as the upload was held against it. Raises 412 when it is read in
        another way by now.
        """
        async with self._database.organization(org_id) as connection:
            held = await _locked(connection, source, lease, config)
            await hold_upload(connection, upload_id)
            current = held.upload_id
            if config.mode == "replace":
                await replaced(connection, org_id, source.id, held.upload_id, upload_id)
                current = upload_id
            else:
                await _queries.put_source_upload(
                    connection,
                    source_id=source.id,
                    org_id=org_id,
                    upload_id=upload_id,
                    former=False,
                )
            await _queries.note_upload(
                connection,
                source_id=source.id,
                upload_id=current,
                warnings=[notice.model_dump() for notice in warnings],
            )
            await self._outbox.put(connection, [added(org_id, source.id, upload_id, actor)])
        self._outbox.wake()

    async def is_read_by_others(self, org_id: UUID, source_id: UUID, upload_id: UUID) -> bool:
        """Whether another source is made of the same upload."""
        async with self._database.organization(org_id) as connection:
            return await _queries.is_read_by_others(
                connection, source_id=source_id, upload_id=upload_id
            )

    async def forget_upload(self, org_id: UUID, source_id: UUID, upload_id: UUID) -> None:
        """Forget an upload, unless another source than this reads it."""
        async with self._database.organization(org_id) as connection:
            await _queries.forget_upload(connection, source_id=source_id, upload_id=upload_id)

    async def forget(self, org_id: UUID, source_id: UUID, upload_id: UUID) -> None:
        """An upload is not the source's any more."""
        async with self._database.organization(org_id) as connection:
            await _queries.forget_source_upload(
                connection, source_id=source_id, upload_id=upload_id
            )


async def _locked(
    connection: Connection, source: Source, lease: UUID, config: CsvConfig
) -> CsvConfig:
    """The source's config, which stays until the transaction ends; raises a 412 problem."""
    row = await _queries.lock_source(connection, source_id=source.id, lease=lease)
    held = None if row is None else CsvConfig.model_validate(row["config"])
    if held is None or _reading(held) != _reading(config):
        raise problem(
            412,
            "changed_meanwhile",
            f"'{source.name}' was changed or deleted while the file was read. Try again.",
        )
    return held


async def hold_upload(connection: Connection, upload_id: UUID) -> None:
    """Keep an upload from being erased until the transaction ends; raises a 404 problem."""
    if not await _queries.hold_upload(connection, upload_id=upload_id):
        raise not_found("upload", upload_id)


async def replaced(
    connection: Connection, org_id: UUID, source_id: UUID, old: UUID, new: UUID
) -> None:
    """Make the uploads that a source had former ones; the config names the new one. Locked."""
    await _queries.retire_source_uploads(connection, source_id=source_id)
    await _queries.put_source_upload(
        connection, source_id=source_id, org_id=org_id, upload_id=old, former=True
    )
    await _queries.forget_source_upload(connection, source_id=source_id, upload_id=new)


def added(org_id: UUID, source_id: UUID, upload_id: UUID, actor: str) -> Outgoing:
    """What is told of a source that has another file now, in the transaction that gives it."""
    return Outgoing(UploadAdded(source_id=source_id, upload_id=upload_id), org_id, actor=actor)


def _reading(config: CsvConfig) -> CsvConfig:
    """How files are read, without which they are: that alone may change meanwhile."""
    return config.model_copy(update={"upload_id": UUID(int=0)})
