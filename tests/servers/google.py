"""Google's sign-in and Sheets API v4 over real HTTP, with keys, sharing, quota and errors."""

import json
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import jwt
import uvicorn
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .sheets import Refused, Workbook, selected

SCOPES = {
    "https://www.googleapis.com/auth/spreadsheets",
    "https://www.googleapis.com/auth/spreadsheets.readonly",
    "https://www.googleapis.com/auth/drive.readonly",
}
AUDIENCE = "https://oauth2.googleapis.com/token"
"""Whom google-auth addresses, whatever the key's token_uri."""
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@dataclass
class Account:
    """A service account as Google knows it: public keys only."""

    email: str
    keys: dict[str, rsa.RSAPublicKey] = field(default_factory=dict)
    api_enabled: bool = True


@dataclass
class GoogleServer:
    """What the test may arrange, and what was asked."""

    url: str = ""
    reads_per_minute: int = 60
    clock: Callable[[], float] = time.monotonic
    workbooks: dict[str, Workbook] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    """Access token to e-mail."""
    failures: list[Response] = field(default_factory=list)
    """What the next reads are answered with."""
    sign_in_failures: list[Response] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)
    """Path and query of every read that was let in."""
    before_read: Callable[[int], None] = lambda _: None
    """Called with the number of the read that is about to be answered."""
    _made: dict[str, list[float]] = field(default_factory=dict)

    @property
    def token_url(self) -> str:
        return f"{self.url}/token"

    def key(self, email: str = "sync@project.iam.gserviceaccount.com") -> str:
        """A new key of a service account, as the JSON file that a person downloads."""
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        key_id = secrets.token_hex(20)
        account = self.accounts.setdefault(email, Account(email))
        account.keys[key_id] = private.public_key()
        return json.dumps(
            {
                "type": "service_account",
                "project_id": "project",
                "private_key_id": key_id,
                "private_key": private.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.NoEncryption(),
                ).decode(),
                "client_email": email,
                "client_id": "1",
                "token_uri": self.token_url,
            }
        )

    async def sign_in(self, request: Request) -> Response:
        """RFC 7523: the assertion is verified, a token of an hour given."""
        if self.sign_in_failures:
            return self.sign_in_failures.pop(0)
        form = {name: found[0] for name, found in parse_qs((await request.body()).decode()).items()}
        if form.get("grant_type") != GRANT:
            return _grant_refused("unsupported_grant_type", "Invalid grant_type")
        assertion = form.get("assertion", "")
        try:
            claims = jwt.decode(assertion, options={"verify_signature": False})
            account = self.accounts.get(claims.get("iss", ""))
            if account is None:
                return _grant_refused("invalid_grant", "Invalid grant: account not found")
            key = account.keys.get(jwt.get_unverified_header(assertion).get("kid", ""))
            if key is None:
                return _grant_refused("invalid_grant", "Invalid JWT Signature.")
            claims = jwt.decode(
                assertion, key, algorithms=["RS256"], audience=[AUDIENCE, self.token_url]
            )
        except jwt.InvalidTokenError:
            return _grant_refused("invalid_grant", "Invalid JWT Signature.")
        if claims["exp"] - claims["iat"] > 3600:
            return _grant_refused("invalid_grant", "Invalid JWT: Token must be a short-lived token")
        if not SCOPES.intersection(claims.get("scope", "").split()):
            return _grant_refused("invalid_scope", "Invalid OAuth scope or ID token audience.")
        token = secrets.token_urlsafe(32)
        self.tokens[token] = account.email
        return JSONResponse({"access_token": token, "expires_in": 3599, "token_type": "Bearer"})

    async def spreadsheet(self, request: Request) -> Response:
        """spreadsheets.get, without grid data."""
        return self._answer(request, lambda book, id_: book.resource(id_))

    async def one_range(self, request: Request) -> Response:
        """spreadsheets.values.get"""
        range_ = request.path_params["range"]
        return self._answer(request, lambda book, _: book.values(range_, *_rendering(request)))

    async def ranges(self, request: Request) -> Response:
        """spreadsheets.values.batchGet"""

        def found(book: Workbook, id_: str) -> dict[str, Any]:
            asked = request.query_params.getlist("ranges")
            return {
                "spreadsheetId": id_,
                "valueRanges": [book.values(one, *_rendering(request)) for one in asked],
            }

        return self._answer(request, found)

    def _answer(
        self, request: Request, found: Callable[[Workbook, str], dict[str, Any]]
    ) -> Response:
        try:
            account = self._signed_in(request)
            self._count(account.email)
            self.before_read(len(self.reads) + 1)
            self.reads.append(f"{request.url.path}?{request.url.query}")
            if self.failures:
                return self.failures.pop(0)
            id_ = request.path_params["id"]
            book = self._workbook(id_, account)
            return JSONResponse(selected(found(book, id_), request.query_params.get("fields")))
        except Refused as refused:
            return JSONResponse(refused.body, refused.code)

    def _signed_in(self, request: Request) -> Account:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        email = self.tokens.get(token)
        if kind != "Bearer" or email is None:
            raise Refused(
                401,
                "UNAUTHENTICATED",
                "Request had invalid authentication credentials. Expected OAuth 2 access token, "
                "login cookie or other valid authentication credential.",
            )
        return self.accounts[email]

    def _count(self, email: str) -> None:
        """Sixty in any minute: no less strict than Google, which counts in fixed ones."""
        now = self.clock()
        made = self._made.setdefault(email, [])
        made[:] = [at for at in made if at > now - 60]
        if len(made) >= self.reads_per_minute:
            raise Refused(
                429,
                "RESOURCE_EXHAUSTED",
                "Quota exceeded for quota metric 'Read requests' and limit 'Read requests per "
                "minute per user' of service 'sheets.googleapis.com' for consumer "
                "'project_number:1'.",
                {"@type": "type.googleapis.com/google.rpc.ErrorInfo"}
                | {"reason": "RATE_LIMIT_EXCEEDED", "domain": "googleapis.com"},
            )
        made.append(now)

    def _workbook(self, id_: str, account: Account) -> Workbook:
        if not account.api_enabled:
            raise Refused(
                403,
                "PERMISSION_DENIED",
                "Google Sheets API has not been used in project 1 before or it is disabled.",
                {"@type": "type.googleapis.com/google.rpc.ErrorInfo"}
                | {"reason": "SERVICE_DISABLED", "domain": "googleapis.com"},
            )
        book = self.workbooks.get(id_)
        if book is None:
            raise Refused(404, "NOT_FOUND", "Requested entity was not found.")
        if account.email not in book.shared_with:
            raise Refused(403, "PERMISSION_DENIED", "The caller does not have permission")
        if book.is_excel:
            raise Refused(
                400, "FAILED_PRECONDITION", "This operation is not supported for this document"
            )
        return book


def _rendering(request: Request) -> tuple[str, str, str]:
    known = {
        "valueRenderOption": ("FORMATTED_VALUE", "UNFORMATTED_VALUE", "FORMULA"),
        "dateTimeRenderOption": ("SERIAL_NUMBER", "FORMATTED_STRING"),
        "majorDimension": ("ROWS", "COLUMNS"),
    }
    found: list[str] = []
    for name, words in known.items():
        word = request.query_params.get(name, words[0])
        if word not in words:
            raise Refused(400, "INVALID_ARGUMENT", f"Invalid value at '{name}' (TYPE_ENUM), {word}")
        found.append(word)
    return found[0], found[1], found[2]


def _grant_refused(error: str, description: str) -> Response:
    return JSONResponse({"error": error, "error_description": description}, 400)


@contextmanager
def google_server() -> Iterator[GoogleServer]:
    """A server on a free port, in a thread, for as long as the block."""
    google = GoogleServer()
    routes = [
        Route("/token", google.sign_in, methods=["POST"]),
        Route("/v4/spreadsheets/{id}/values:batchGet", google.ranges),
        Route("/v4/spreadsheets/{id}/values/{range:path}", google.one_range),
        Route("/v4/spreadsheets/{id}", google.spreadsheet),
    ]
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        google.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        server = uvicorn.Server(
            uvicorn.Config(Starlette(routes=routes), lifespan="off", log_level="warning")
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.005)
        try:
            yield google
        finally:
            server.should_exit = server.force_exit = True
            thread.join()
