"""Logins that fill external sources: ingest knows the sources, transform makes the logins."""

from uuid import UUID

from chassis.bus import Bus
from contracts.envelope import Meta
from contracts.ingest import ExternalConfig, IssueLoader, RevokeLoader, SourceLoader
from contracts.message import Done
from contracts.problem import ProblemError, problem
from contracts.transform import CloseLoader, DropLoader, ProvisionLoader
from ingest.domain import organization_of
from ingest.store import Store


class Loaders:
    """Issues and revokes logins."""

    def __init__(self, bus: Bus, store: Store) -> None:
        self._bus = bus
        self._store = store

    async def issue_loader(self, request: IssueLoader, meta: Meta) -> SourceLoader:
        """IssueLoader."""
        org_id, source_id = organization_of(meta), request.source_id
        await self._config(org_id, source_id)
        login = await self._bus.ask(
            ProvisionLoader(source_id=source_id), org_id=org_id, actor=meta.actor
        )
        try:
            config = await self._config(org_id, source_id)
        except ProblemError:
            # Deleted meanwhile, perhaps before the login was made: then nobody else removes it.
            await self._bus.ask(DropLoader(source_id=source_id), org_id=org_id, actor=meta.actor)
            raise
        return SourceLoader(login=login, table=config.table)

    async def revoke_loader(self, request: RevokeLoader, meta: Meta) -> Done:
        """RevokeLoader."""
        org_id = organization_of(meta)
        await self._config(org_id, request.source_id)
        close = CloseLoader(source_id=request.source_id)
        return await self._bus.ask(close, org_id=org_id, actor=meta.actor)

    async def _config(self, org_id: UUID, source_id: UUID) -> ExternalConfig:
        """The config of an external source; raises problems 404, 409 and 422."""
        source = await self._store.get(org_id, source_id)
        if not isinstance(source.config, ExternalConfig):
            raise problem(
                422,
                "not_external",
                f"'{source.name}' is a source of type {source.source_type}: only one of type "
                "external is filled by another system.",
            )
        if source.status == "deleting":
            raise problem(409, "being_deleted", f"The source '{source.name}' is being deleted.")
        return source.config
