"""Signing up, in and out; the refresh token travels in a cookie that only these routes get."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Cookie, Depends, Request, Response
from pydantic import BaseModel, Field, SecretStr

from contracts.auth import (
    GetMe,
    JsonWebKeySet,
    LogIn,
    LogOut,
    Me,
    Organization,
    RefreshSession,
    Role,
    SessionGrant,
    SignUp,
    User,
)
from contracts.problem import problem
from contracts.text import ShortText
from gateway.addresses import address_of
from gateway.answers import sends
from gateway.conventions import Body
from gateway.cookies import COOKIE, clear_cookie, from_our_pages, set_cookie
from gateway.edge import EdgeDep, Reader

router = APIRouter(prefix="/auth", tags=["auth"])
well_known = APIRouter(tags=["auth"])

RefreshCookie = Annotated[str | None, Cookie(alias=COOKIE, include_in_schema=False)]


class Session(BaseModel):
    """An access token, and for whom it is."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the scheme's name
    expires_in: int
    user: User
    organization: Organization
    role: Role


class SignUpBody(Body):
    """Who signs up, and what their organisation is called."""

    email: ShortText
    password: SecretStr = Field(max_length=1000)
    name: ShortText | None = None
    organization_name: ShortText


class LogInBody(Body):
    """Who logs in; without an organisation, to their first one."""

    email: ShortText
    password: SecretStr = Field(max_length=1000)
    organization_id: UUID | None = None


@router.post("/signup", status_code=201, responses=sends(201, "Set-Cookie"))
async def sign_up(body: SignUpBody, request: Request, response: Response, edge: EdgeDep) -> Session:
    """Create an account and an organisation, and open a session."""
    asked = SignUp(
        email=body.email,
        password=body.password,
        name=body.name,
        organization_name=body.organization_name,
        address=address_of(request.scope),
    )
    return _session(request, response, await edge.bus.ask(asked, org_id=None))


@router.post("/login", responses=sends(200, "Set-Cookie"))
async def log_in(body: LogInBody, request: Request, response: Response, edge: EdgeDep) -> Session:
    """Open a session."""
    asked = LogIn(
        email=body.email,
        password=body.password,
        organization_id=body.organization_id,
        address=address_of(request.scope),
    )
    return _session(request, response, await edge.bus.ask(asked, org_id=None))


@router.post("/refresh", dependencies=[Depends(from_our_pages)], responses=sends(200, "Set-Cookie"))
async def refresh(
    request: Request, response: Response, edge: EdgeDep, token: RefreshCookie = None
) -> Session:
    """Renew the access token; the refresh cookie is exchanged for its successor."""
    if token is None:
        raise problem(401, "session_over", "There is no session to renew. Log in.")
    asked = RefreshSession(refresh_token=SecretStr(token), address=address_of(request.scope))
    return _session(request, response, await edge.bus.ask(asked, org_id=None))


@router.post(
    "/logout",
    status_code=204,
    dependencies=[Depends(from_our_pages)],
    responses=sends(204, "Set-Cookie"),
)
async def log_out(
    request: Request, response: Response, edge: EdgeDep, token: RefreshCookie = None
) -> None:
    """End the session, and all refresh tokens that descend from its login."""
    if token is not None:
        asked = LogOut(refresh_token=SecretStr(token), address=address_of(request.scope))
        await edge.bus.ask(asked, org_id=None)
    clear_cookie(request, response)


@router.get("/me")
async def me(edge: EdgeDep, caller: Reader) -> Me:
    """Who is signed in, where, and where else they could be."""
    return await edge.ask(caller, GetMe(user_id=caller.user_id))


@well_known.get("/.well-known/jwks.json", responses=sends(200, "Cache-Control"))
async def signing_keys(response: Response, edge: EdgeDep) -> JsonWebKeySet:
    """The public keys that verify access tokens (RFC 7517)."""
    response.headers["Cache-Control"] = "public, max-age=300"
    return await edge.verifier.key_set()


def _session(request: Request, response: Response, grant: SessionGrant) -> Session:
    set_cookie(request, response, grant.refresh_token, grant.refresh_expires_at)
    return Session(
        access_token=grant.access_token.get_secret_value(),
        expires_in=grant.expires_in,
        user=grant.user,
        organization=grant.organization,
        role=grant.role,
    )
