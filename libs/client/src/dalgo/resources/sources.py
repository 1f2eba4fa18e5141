"""Sources: where data comes from."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import httpx

from contracts.ingest import CsvConfig, Rejects, Sheet, SourcePreview
from contracts.orchestrator import Run
from dalgo.call import Call, Listing, listing, model, models, nothing, once, present
from dalgo.models import Source
from dalgo.resource import D, Resource, endpoint, listed

Config = CsvConfig | Mapping[str, Any]
"""How a source is read: a CSV by {"upload_id": ...}, a Google Sheet by {"spreadsheet": ...}."""


class Sources(Resource[D]):
    """The organisation's sources."""

    @endpoint
    @staticmethod
    def create(
        name: str,
        config: Config,
        *,
        source_type: str = "csv",
        idempotency_key: str | None = None,
    ) -> Call[Source]:
        """Keep a source; its columns are known at once, its rows after the first sync."""
        body = {"type": source_type, "name": name, "config": _config(config)}
        return Call("POST", "/sources", model(Source), json=body, headers=once(idempotency_key))

    @listed
    @staticmethod
    def list(limit: int = 100) -> Listing[Source]:
        """All sources by name; `limit` is the size of a page."""
        return listing("/sources", Source, params={"limit": limit})

    @endpoint
    @staticmethod
    def get(source_id: UUID) -> Call[Source]:
        """One source."""
        return Call("GET", f"/sources/{source_id}", model(Source))

    @endpoint
    @staticmethod
    def delete(source_id: UUID) -> Call[None]:
        """Delete a source and its table; 409 names the recipes or pipelines that use it."""
        return Call("DELETE", f"/sources/{source_id}", nothing)

    @endpoint
    @staticmethod
    def sync(source_id: UUID, *, idempotency_key: str | None = None) -> Call[Run]:
        """Start loading the source; the run tells how it goes."""
        return Call("POST", f"/sources/{source_id}/sync", model(Run), headers=once(idempotency_key))

    @endpoint
    @staticmethod
    def preview(config: Config, *, source_type: str = "csv") -> Call[SourcePreview]:
        """The first rows and columns as they would arrive; nothing is saved."""
        body = {"type": source_type, "config": _config(config)}
        return Call("POST", "/sources/preview", model(SourcePreview), json=body)

    @endpoint
    @staticmethod
    def rejects(source_id: UUID, *, limit: int = 100) -> Call[Rejects]:
        """The first of the records that the last load set aside, and how many there are."""
        path = f"/sources/{source_id}/rejects"
        return Call("GET", path, model(Rejects), params={"limit": limit})

    @endpoint
    @staticmethod
    def rejects_csv(source_id: UUID) -> Call[bytes]:
        """All records that the last load set aside, as CSV: line, reason, text."""
        return Call("GET", f"/sources/{source_id}/rejects", _content, params={"format": "csv"})

    @endpoint
    @staticmethod
    def sheets(
        spreadsheet: str, *, credentials: str | None = None, source_id: UUID | None = None
    ) -> Call[tuple[Sheet, ...]]:
        """The tabs of a Google Sheet, by its id or address.

        `credentials`: the JSON key of a service account; without one, that of the source or else
        the installation's is used. A refusal says with whom the sheet is to be shared.
        """
        body = {"spreadsheet": spreadsheet} | present(
            credentials=credentials, source_id=str(source_id) if source_id else None
        )
        return Call("POST", "/sources/google-sheets/sheets", models(Sheet), json=body)


def _content(response: httpx.Response) -> bytes:
    return response.content


def _config(config: Config) -> object:
    if isinstance(config, CsvConfig):
        return config.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    return {key: str(value) if isinstance(value, UUID) else value for key, value in config.items()}
