"""The refresh cookie: out of reach of scripts and of other sites."""

from datetime import datetime
from urllib.parse import urlsplit

from fastapi import Request, Response
from pydantic import SecretStr

from contracts.problem import problem
from gateway.edge import EdgeDep

COOKIE = "dalgo_refresh"
PATH = "/api/v1/auth"
"""The routes that read the cookie; the browser sends it to no others."""

_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


def set_cookie(request: Request, response: Response, token: SecretStr, expires: datetime) -> None:
    """Give the browser a refresh token to keep until it expires."""
    response.set_cookie(
        COOKIE,
        token.get_secret_value(),
        expires=expires,
        path=PATH,
        secure=_is_remote(request),
        httponly=True,
        samesite="strict",
    )


def clear_cookie(request: Request, response: Response) -> None:
    """Make the browser forget its refresh token."""
    response.delete_cookie(
        COOKIE, path=PATH, secure=_is_remote(request), httponly=True, samesite="strict"
    )


async def from_our_pages(request: Request, edge: EdgeDep) -> None:
    """Refuse, with 403, what another site's page made a browser send.

    Browsers say where a request comes from (Fetch Metadata, Origin); other clients say nothing,
    and carry no cookie that somebody else's page could use.
    """
    origin = request.headers.get("origin")
    if origin is not None:
        # Compared without the scheme: behind a proxy that ends TLS we see http.
        is_ours = urlsplit(origin).netloc == request.headers.get("host")
        is_allowed = is_ours or origin in edge.settings.cors_origins
    else:
        is_allowed = request.headers.get("sec-fetch-site") in {None, "same-origin", "none"}
    if not is_allowed:
        raise problem(
            403,
            "foreign_origin",
            "This request came from a page of another site. Name its origin in CORS_ORIGINS "
            "if it is yours.",
        )


def _is_remote(request: Request) -> bool:
    return request.url.hostname not in _LOCAL
