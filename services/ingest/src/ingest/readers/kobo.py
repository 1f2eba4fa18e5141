"""Forms of KoboToolbox: read by a worker, each repeat a table, later versions from earlier ones."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from pydantic import SecretStr

from chassis.database import Database
from chassis.objects import Objects
from contracts.ingest import Form, KoboConfig, PreviewedTable, SourcePreview
from contracts.problem import FieldProblem, problem
from contracts.tables import Notice, TableVersion
from ingest import files, merging
from ingest import form_notices as notices
from ingest.connectors.kobo.reading import continues
from ingest.connectors.kobo.shape import ID, KoboOptions, table_id
from ingest.domain import stamps_key, stamps_prefix
from ingest.jobs import FormJob, FormResult, FormSample, ListFormsJob, SampleFormJob
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
from ingest.readers.uploads import temporary
from ingest.shape import Rows
from warehouse.access import as_org
from warehouse.names import data_schema, qualified, quoted, version_relation


class KoboReader:
    """Sources of type `kobo`."""

    def __init__(
        self,
        database: Database,
        objects: Objects,
        pool: WorkerPool,
        mask_keys: MaskKeys,
        allowed_origins: tuple[str, ...],
    ) -> None:
        """`allowed_origins`: servers that need be neither public nor encrypted."""
        self._database = database
        self._objects = objects
        self._pool = pool
        self._mask_keys = mask_keys
        self._allowed = allowed_origins

    async def forms(self, server_url: str, api_token: SecretStr | None) -> tuple[Form, ...]:
        """The forms that a token's account may read."""
        job = ListFormsJob(
            server_url=server_url,
            api_token=_required(api_token, "api_token"),
            allowed_origins=self._allowed,
        )
        return await self._pool.list_forms(job)

    async def inspect(self, asked: Asked[KoboConfig]) -> Inspected:
        """The columns that follow from the form's definition; no submission is read."""
        found = await self._shown(asked, 0)
        tables = (
            ExpectedTable(table_id(asked.source_id, one.path), one.name, columns_of(one.columns))
            for one in found.tables
        )
        return Inspected(tuple(tables), found.warnings)

    async def preview(self, asked: Asked[KoboConfig], limit: int) -> SourcePreview:
        """The first submissions, with their repeats; as many are read."""
        found = await self._shown(asked, limit)
        own, *others = found.tables
        return SourcePreview(
            columns=columns_of(own.columns),
            rows=own.rows,
            other_tables=tuple(
                PreviewedTable(name=one.name, columns=columns_of(one.columns), rows=one.rows)
                for one in others
            ),
            warnings=found.warnings,
        )

    async def sync(self, sync: Sync[KoboConfig]) -> Loaded | None:
        """New versions of all tables of the form, or none.

        `reconcile` reads the whole form. `append` reads what came after the published version and
        adds it to that; where the form is read in another way than then, it is read as a whole.
        A repeat that the form has no more keeps what is published of it.
        """
        asked, config = sync.asked, sync.asked.config
        options = _options(config, sync.timezone)
        own, mask_key = sync.own, self._mask_keys(asked.org_id)
        if own is not None and not continues(own.fingerprint, options, config.server_url, mask_key):
            own = None
        after: int | None = None
        if config.mode == "append":
            after = 0 if own is None else await self._highest(asked.org_id, own)
        begun: dict[str, UUID] = {}
        names: dict[str, str] = {}

        async def place(found: Mapping[str, str]) -> dict[str, str]:
            names.update(found)
            for path in found:
                begun[path] = await sync.begin()
            return {path: version_relation(version_id) for path, version_id in begun.items()}

        async with temporary() as folder, self._stamps_of(asked, own) as stamps_before:
            job = FormJob(
                **sync.schema.model_dump(),
                **self._account(config),
                options=options,
                mask_key=mask_key,
                known=sync.known,
                published=None if sync.force or sync.own is None else sync.own.fingerprint,
                after=after,
                stamps_before=stamps_before,
                stamps=folder / "stamps",
            )
            read = await self._pool.load_form(job, place, sync.tell)
            if not read.tables:
                return None
            versions, warnings = _versions(asked.source_id, begun, read), notices.told(names, read)
            if after is not None and own is not None:
                versions, widened = await self._appended(sync, versions)
                warnings = (*warnings, *widened)
            if own is not None and read.changes is not None:
                warnings = (*notices.changed(read.changes), *warnings)
            if after is None:
                key = stamps_key(asked.org_id, asked.source_id, begun[""])
                await files.put(self._objects, key, folder / "stamps")
        await self._keep_stamps(asked, {begun[""], *({sync.own.version_id} if sync.own else ())})
        others = {table_id(asked.source_id, path): name for path, name in names.items() if path}
        gone = (sync.names.get(one) for one in sync.published if one not in others)
        return Loaded(versions, others, (*warnings, *notices.gone(filter(None, gone))))

    async def forget(self, asked: Asked[KoboConfig]) -> None:
        """Remove the stamps of its versions."""
        await self._keep_stamps(asked, set())

    async def _shown(self, asked: Asked[KoboConfig], limit: int) -> FormSample:
        options = _options(asked.config, asked.timezone)
        job = SampleFormJob(
            **self._account(asked.config),
            options=options,
            mask_key=self._mask_keys(asked.org_id),
            limit=limit,
        )
        return await self._pool.sample_form(job)

    def _account(self, config: KoboConfig) -> dict[str, Any]:
        return {
            "server_url": config.server_url,
            "api_token": _required(config.api_token, "config.api_token"),
            "allowed_origins": self._allowed,
        }

    async def _highest(self, org_id: UUID, published: TableVersion) -> int:
        """The highest `_id` that readers see."""
        column = next(one.physical for one in published.columns if one.name == ID)
        table = qualified(data_schema(org_id), published.relation)
        async with self._database.organization(org_id) as connection, as_org(connection, org_id):
            # A person may have had it kept as text.
            query = f"SELECT max({quoted(column)}::bigint) FROM {table}"
            found = await connection.fetchval(query)
        return found or 0

    async def _appended(
        self, sync: Sync[KoboConfig], batches: tuple[TableVersion, ...]
    ) -> tuple[tuple[TableVersion, ...], tuple[Notice, ...]]:
        """Versions of what is published and what came; a table that is new is its batch."""
        org_id = sync.asked.org_id
        versions: list[TableVersion] = []
        warnings: list[Notice] = []
        for batch in batches:
            before = sync.published.get(batch.table_id)
            if before is None:
                versions.append(batch)
                continue
            version_id = await sync.begin()
            async with (
                self._database.organization(org_id) as connection,
                as_org(connection, org_id),
            ):
                made = await merging.append(
                    connection,
                    org_id,
                    version_relation(version_id),
                    Rows(before.relation, before.columns),
                    [Rows(batch.relation, batch.columns)],
                )
            warnings += made.warnings
            changed = {
                "version_id": version_id,
                "relation": made.relation,
                "columns": made.columns,
                "rows": made.rows,
                "bytes": made.bytes,
            }
            versions.append(batch.model_copy(update=changed))
        return tuple(versions), tuple(warnings)

    @asynccontextmanager
    async def _stamps_of(
        self, asked: Asked[KoboConfig], version: TableVersion | None
    ) -> AsyncIterator[Path | None]:
        """The stamps of a version as a file, where they are stored."""
        if version is None or asked.config.mode == "append":
            yield None
            return
        key = stamps_key(asked.org_id, asked.source_id, version.version_id)
        if key not in await self._objects.keys(stamps_prefix(asked.org_id, asked.source_id)):
            yield None
            return
        async with self._objects.local(key) as path:
            yield path

    async def _keep_stamps(self, asked: Asked[KoboConfig], version_ids: set[UUID]) -> None:
        """Remove the stamps of all versions but these."""
        org_id, source_id = asked.org_id, asked.source_id
        kept = {stamps_key(org_id, source_id, one) for one in version_ids}
        for key in await self._objects.keys(stamps_prefix(org_id, source_id)):
            if key not in kept:
                await self._objects.delete(key)


def _options(config: KoboConfig, timezone: str) -> KoboOptions:
    said = config.model_dump(include={"form_id", "values", "language", "columns"})
    return KoboOptions.model_validate(said | {"timezone": timezone})


def _required(api_token: SecretStr | None, field: str) -> SecretStr:
    """The token; raises the 422 problem of one that is not there."""
    if api_token is not None:
        return api_token
    detail = (
        "Give the API token of your KoboToolbox account: it is under Account settings, Security, "
        "API key. A token that is stored is used for its own server only."
    )
    raise problem(
        422,
        "token_missing",
        detail,
        (FieldProblem(field=field, code="token_missing", message=detail),),
    )


def _versions(
    source_id: UUID, begun: Mapping[str, UUID], read: FormResult
) -> tuple[TableVersion, ...]:
    return tuple(
        version_of(table_id(source_id, path), begun[path], one) for path, one in read.tables.items()
    )
