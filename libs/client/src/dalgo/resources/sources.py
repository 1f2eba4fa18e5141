"""Sources: where data comes from."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

import httpx

from contracts.drift import SchemaChange
from contracts.ingest import CsvConfig, Form, Rejects, Sheet, SourcePreview
from contracts.orchestrator import Run
from dalgo.call import Call, Listing, listing, model, models, nothing, once, present
from dalgo.models import Loader, Source, SourceColumn
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
    def add_upload(
        source_id: UUID, upload_id: UUID, *, idempotency_key: str | None = None
    ) -> Call[Source]:
        """Give a source a further file; its `mode` says whether rows are replaced or added."""
        return Call(
            "POST",
            f"/sources/{source_id}/uploads",
            model(Source),
            json={"upload_id": str(upload_id)},
            headers=once(idempotency_key),
        )

    @endpoint
    @staticmethod
    def sync(
        source_id: UUID, *, force: bool = False, idempotency_key: str | None = None
    ) -> Call[Run]:
        """Start loading the source; the run tells how it goes. `force`: even if nothing changed."""
        return Call(
            "POST",
            f"/sources/{source_id}/sync",
            model(Run),
            params={"force": True} if force else {},
            headers=once(idempotency_key),
        )

    @endpoint
    @staticmethod
    def schema(source_id: UUID) -> Call[Sequence[SourceColumn]]:
        """The columns: those published, until then those expected."""
        return Call("GET", f"/sources/{source_id}/schema", models(SourceColumn))

    @listed
    @staticmethod
    def changes(source_id: UUID, limit: int = 100) -> Listing[SchemaChange]:
        """What changed in columns and rows, the newest first; `limit` is the size of a page."""
        path = f"/sources/{source_id}/schema/changes"
        return listing(path, SchemaChange, params={"limit": limit})

    @endpoint
    @staticmethod
    def accept_change(source_id: UUID, number: int) -> Call[SchemaChange]:
        """Let a held change through at the next sync; 409 when it is settled."""
        path = f"/sources/{source_id}/schema/changes/{number}/accept"
        return Call("POST", path, model(SchemaChange))

    @endpoint
    @staticmethod
    def reject_change(source_id: UUID, number: int) -> Call[SchemaChange]:
        """Keep the last good data until the source says something else; 409 when it is settled."""
        path = f"/sources/{source_id}/schema/changes/{number}/reject"
        return Call("POST", path, model(SchemaChange))

    @endpoint
    @staticmethod
    def preview(config: Config, *, source_type: str = "csv") -> Call[SourcePreview]:
        """The first rows and columns as they would arrive; nothing is saved."""
        body = {"type": source_type, "config": _config(config)}
        return Call("POST", "/sources/preview", model(SourcePreview), json=body)

    @endpoint
    @staticmethod
    def forms(
        server_url: str, api_token: str | None = None, *, source_id: UUID | None = None
    ) -> Call[tuple[Form, ...]]:
        """The forms of a KoboToolbox account; with `source_id`, by the token of that source."""
        given = str(source_id) if source_id else None
        body = present(server_url=server_url, api_token=api_token, source_id=given)
        return Call("POST", "/sources/kobo/forms", models(Form), json=body)

    @endpoint
    @staticmethod
    def issue_loader(source_id: UUID) -> Call[Loader]:
        """A login for the system that fills an external source; the one before ends with it."""
        # Sent twice it gives two passwords, and the first is worth nothing.
        return Call("POST", f"/sources/{source_id}/loader", model(Loader), repeatable=False)

    @endpoint
    @staticmethod
    def revoke_loader(source_id: UUID) -> Call[None]:
        """Shut the login that fills an external source; what it has filled stays."""
        return Call("DELETE", f"/sources/{source_id}/loader", nothing)

    @endpoint
    @staticmethod
    def announce(
        table: str, rows: int | None = None, *, event_id: str | None = None, told_by: str = "dalgo"
    ) -> Call[None]:
        """Tell that a table which another system fills is ready, with so many rows.

        The same `event_id` of the same teller counts once.
        """
        event = {
            "specversion": "1.0",
            "type": "source.synced",
            "source": told_by,
            "id": event_id or str(uuid4()),
            "data": {"table": table} | ({} if rows is None else {"rows": rows}),
        }
        headers = {"Content-Type": "application/cloudevents+json"}
        return Call("POST", "/events", nothing, json=event, headers=headers)

    @endpoint
    @staticmethod
    def rejects(source_id: UUID, *, limit: int = 100) -> Call[Rejects]:
        """The first of the records that the last load set aside, and how many there are."""
        path = f"/sources/{source_id}/rejects"
        return Call("GET", path, model(Rejects), params={"limit": limit})

    @endpoint
    @staticmethod
    def rejects_csv(source_id: UUID, *, raw: bool = False) -> Call[bytes]:
        """All records that the last load set aside, as CSV: line, reason, text.

        A cell that a spreadsheet would run stands behind an apostrophe, unless `raw`.
        """
        params = {"format": "csv"} | ({"raw": "true"} if raw else {})
        return Call("GET", f"/sources/{source_id}/rejects", _content, params=params)

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
