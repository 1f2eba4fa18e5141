"""Spreadsheets that are to become sources: which tabs they have."""

from uuid import UUID

from fastapi import APIRouter, Request

from contracts.ingest import ListSheets, Sheet
from contracts.message import Secret
from contracts.text import Address
from gateway.conventions import Body
from gateway.edge import EdgeDep, Editor
from gateway.routes.sources import READING

router = APIRouter(prefix="/sources/google-sheets", tags=["sources"])


class SpreadsheetBody(Body):
    """A spreadsheet, and who may read it."""

    spreadsheet: Address
    """Its id, or its address."""
    credentials: Secret | None = None
    """The JSON key of a service account; absent: that of the source, or the installation's own."""
    source_id: UUID | None = None
    """A source whose key is used where none is given."""


@router.post("/sheets")
async def list_sheets(
    request: Request, body: SpreadsheetBody, edge: EdgeDep, caller: Editor
) -> list[Sheet]:
    """The tabs of a spreadsheet that can be read; a refusal says with whom to share it."""
    asked = ListSheets(
        spreadsheet=body.spreadsheet, credentials=body.credentials, source_id=body.source_id
    )
    return list((await edge.ask_while_there(request, caller, asked, timeout=READING)).sheets)
