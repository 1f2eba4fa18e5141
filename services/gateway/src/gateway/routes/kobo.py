"""KoboToolbox: which forms an account may read, before one of them becomes a source."""

from uuid import UUID

from fastapi import APIRouter, Request

from contracts.ingest import Form, ListForms
from contracts.message import Secret
from contracts.text import Address
from gateway.conventions import Body
from gateway.edge import EdgeDep, Editor
from gateway.routes.sources import READING

router = APIRouter(prefix="/sources/kobo", tags=["sources"])


class FormsBody(Body):
    """A server, and the account that is asked for."""

    server_url: Address
    api_token: Secret | None = None
    source_id: UUID | None = None
    """A source on the same server whose token is used where none is given."""


@router.post("/forms")
async def forms(request: Request, body: FormsBody, edge: EdgeDep, caller: Editor) -> list[Form]:
    """The forms that the token's account may read; nothing is saved."""
    asked = ListForms(
        server_url=body.server_url, api_token=body.api_token, source_id=body.source_id
    )
    return list((await edge.ask_while_there(request, caller, asked, timeout=READING)).forms)
