"""Sources: where data comes from."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from contracts.auth import GetOrganization
from contracts.ingest import (
    AddUpload,
    CreateSource,
    DeleteSource,
    GetSource,
    ListRejects,
    PreviewSource,
    Rejects,
    RevokeLoader,
    SourcePreview,
    UpdateSource,
)
from contracts.orchestrator import Run
from gateway.answers import sends
from gateway.conventions import (
    Cursor,
    IdempotencyKey,
    IfMatch,
    Limit,
    link_next,
    mint,
    tag,
)
from gateway.downloads import download
from gateway.edge import EdgeDep, Editor, Reader, Runner
from gateway.runs import STARTED, Starting, start_run
from gateway.source_bodies import FurtherUpload, PreviewBody, SourceBody, SourceChange
from gateway.sources import (
    LoaderView,
    SourceView,
    compose,
    find_source,
    find_table,
    issue_loader,
    list_sources,
    table_name,
)

READING = 120.0
"""Seconds that looking at every cell of a file may take: a gigabyte, on a busy machine."""

_AS_CSV = sends(200, "Content-Disposition")
_AS_CSV[200]["content"] = {"text/csv": {}}

router = APIRouter(prefix="/sources", tags=["sources"])


@router.get("", responses=sends(200, "Link"))
async def index(
    request: Request,
    response: Response,
    edge: EdgeDep,
    caller: Reader,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> list[SourceView]:
    """The organisation's sources, by name."""
    sources, next_cursor = await list_sources(edge, caller, limit, cursor)
    link_next(request, response, next_cursor)
    return sources


@router.post("", status_code=201, responses=sends(201, "ETag", "Location"))
async def create(
    request: Request,
    body: SourceBody,
    response: Response,
    edge: EdgeDep,
    caller: Editor,
    idempotency_key: IdempotencyKey = None,
) -> SourceView:
    """Keep a source; its columns are known at once, its rows after the first sync."""
    asked = CreateSource(
        source_id=mint(caller, "sources", idempotency_key),
        name=body.name,
        source_type=body.type,
        config=body.config,
    )
    source = await edge.ask_while_there(request, caller, asked, timeout=READING)
    response.headers["Location"] = f"/api/v1/sources/{source.id}"
    tag(response, source.revision)
    return compose(source, await find_table(edge, caller, table_name(source.id)))


@router.post("/preview")
async def preview(
    request: Request, body: PreviewBody, edge: EdgeDep, caller: Editor
) -> SourcePreview:
    """The first rows and the columns as they would arrive; nothing is saved."""
    organization = await edge.ask(caller, GetOrganization())
    asked = PreviewSource(
        source_type=body.type,
        config=body.config,
        source_id=body.source_id,
        limit=body.limit,
        timezone=organization.timezone,
    )
    return await edge.ask_while_there(request, caller, asked, timeout=READING)


@router.get("/{source_id}", responses=sends(200, "ETag"))
async def show(source_id: UUID, response: Response, edge: EdgeDep, caller: Reader) -> SourceView:
    """One source."""
    source = await find_source(edge, caller, source_id)
    tag(response, source.revision)
    return source


@router.patch("/{source_id}", responses=sends(200, "ETag"))
async def update(
    request: Request,
    source_id: UUID,
    body: SourceChange,
    response: Response,
    edge: EdgeDep,
    caller: Editor,
    if_match: IfMatch,
) -> SourceView:
    """Rename a source or change how it is read."""
    asked = UpdateSource(
        source_id=source_id, if_revision=if_match, name=body.name, config=body.config
    )
    source = await edge.ask_while_there(request, caller, asked, timeout=READING)
    tag(response, source.revision)
    return compose(source, await find_table(edge, caller, table_name(source.id)))


@router.delete("/{source_id}", status_code=204)
async def delete(source_id: UUID, edge: EdgeDep, caller: Editor, if_match: IfMatch) -> None:
    """Delete a source and its table; 409 names the recipes and pipelines that use it."""
    await edge.ask(caller, DeleteSource(source_id=source_id, if_revision=if_match))


@router.post("/{source_id}/uploads", status_code=201, responses=sends(201, "ETag"))
async def add_upload(
    request: Request,
    source_id: UUID,
    body: FurtherUpload,
    response: Response,
    edge: EdgeDep,
    caller: Editor,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001  the upload's id says it already
) -> SourceView:
    """Give a source a further file: by its `mode` instead of the one before or besides; twice is once."""
    asked = AddUpload(source_id=source_id, upload_id=body.upload_id)
    source = await edge.ask_while_there(request, caller, asked, timeout=READING)
    tag(response, source.revision)
    return compose(source, await find_table(edge, caller, table_name(source.id)))


@router.post("/{source_id}/sync", status_code=202, responses=STARTED)
async def sync(
    source_id: UUID, response: Response, edge: EdgeDep, caller: Runner, options: Starting
) -> Run:
    """Load the source and publish it."""
    await edge.ask(caller, GetSource(source_id=source_id))
    route = f"sources/{source_id}/sync"
    return await start_run(
        edge, caller, response, options, route, kind="sync", source_ids=(source_id,)
    )


@router.post("/{source_id}/loader", status_code=201)
async def loader(source_id: UUID, response: Response, edge: EdgeDep, caller: Editor) -> LoaderView:
    """A login for the system that fills an external source; the one before ends with it.

    The password is not to be had again.
    """
    response.headers["Cache-Control"] = "no-store"
    return await issue_loader(edge, caller, source_id)


@router.delete("/{source_id}/loader", status_code=204)
async def revoke_loader(source_id: UUID, edge: EdgeDep, caller: Editor) -> None:
    """Shut the login that fills an external source; what it has filled stays."""
    await edge.ask(caller, RevokeLoader(source_id=source_id), timeout=15)


@router.get("/{source_id}/rejects", response_model=Rejects, responses=_AS_CSV)
async def rejects(
    source_id: UUID,
    edge: EdgeDep,
    caller: Reader,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    format: Literal["json", "csv"] = "json",
    raw: Annotated[
        bool,
        Query(description="Of CSV: cells as they are, also those that a spreadsheet would run."),
    ] = False,
) -> Rejects | Response:
    """The records that the last load set aside, with their lines; as CSV, all of them and whole.

    For a spreadsheet a cell that it would run as a formula stands behind an apostrophe.
    """
    found = await edge.ask(caller, ListRejects(source_id=source_id, limit=limit), timeout=READING)
    if format == "json":
        return Rejects(rejects=found.rejects, total=found.total)
    source = await edge.ask(caller, GetSource(source_id=source_id))
    return await download(
        edge.objects,
        found.stored_at,
        ("line", "reason", "text"),
        f"{source.name} rejects.csv",
        escape=not raw,
    )
