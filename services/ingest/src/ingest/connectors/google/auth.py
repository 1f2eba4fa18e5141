"""Signing in to Google as a service account: a signed assertion, exchanged for a token."""

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any

import httpx
from google.auth import transport
from google.auth.exceptions import GoogleAuthError, RefreshError, TransportError
from google.oauth2 import service_account

from ingest.connectors import BadSource, Unavailable

SCOPE = "https://www.googleapis.com/auth/spreadsheets.readonly"
_TIMEOUT = 10.0
"""Seconds of silence."""
_TOTAL = 30.0
"""Seconds for one answer, however busily it comes."""
_MAX_BYTES = 1 << 20


class ServiceAccount:
    """One service account's key and its current token (RFC 7523, through google-auth)."""

    def __init__(self, key: str, http: httpx.Client, token_url: str) -> None:
        """`key`: the JSON file that Google gives for a service account.

        The key is a user's: it may name no other place to sign in than `token_url`.
        Raises BadSource `bad_credentials`.
        """
        info = _parsed(key)
        if info.get("token_uri") != token_url:
            raise _bad(f"its token_uri is not {token_url}")
        try:
            self._credentials = service_account.Credentials.from_service_account_info(
                info, scopes=[SCOPE]
            )
        except (ValueError, GoogleAuthError) as error:
            raise _bad("its private key or its e-mail cannot be read") from error
        self._request = _Request(http)
        self._lock = asyncio.Lock()

    @property
    def email(self) -> str:
        """Whom a person shares the sheet with."""
        return self._credentials.service_account_email

    async def token(self, *, instead_of: str | None = None) -> str:
        """A valid token; another one when `instead_of` was refused.

        Raises BadSource `bad_credentials` and Unavailable `google_away`.
        """
        async with self._lock:
            credentials = self._credentials
            if not credentials.valid or credentials.token == instead_of:
                await asyncio.to_thread(self._refresh)
            return str(credentials.token)

    def _refresh(self) -> None:
        try:
            self._credentials.refresh(self._request)
        except TransportError as error:
            raise Unavailable("google_away", "Google's sign-in does not answer.") from error
        except RefreshError as error:
            if error.retryable:
                raise Unavailable("google_away", "Google's sign-in does not answer.") from error
            raise BadSource(
                "bad_credentials",
                f"Google does not accept the key of {self.email} ({_reason(error)}). Make a new "
                "key for the service account and save it here.",
            ) from error


class _Request(transport.Request):
    """google-auth's requests through httpx. What may pass is raised, so the caller's retries count."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **_: Any,
    ) -> transport.Response:
        until = time.monotonic() + _TOTAL
        given = bytearray()
        try:
            with self._http.stream(
                method, url, content=body, headers=headers, timeout=timeout or _TIMEOUT
            ) as answer:
                for chunk in answer.iter_bytes():
                    given += chunk
                    if time.monotonic() > until or len(given) > _MAX_BYTES:
                        raise TransportError("the sign-in does not come to an end")
        except httpx.HTTPError as error:
            raise TransportError(error) from error
        if answer.status_code >= 500 or answer.status_code == 429:
            raise TransportError(f"the sign-in answers {answer.status_code}")
        return _Response(answer.status_code, answer.headers, bytes(given))


class _Response(transport.Response):
    def __init__(self, status: int, headers: Mapping[str, str], data: bytes) -> None:
        self._status = status
        self._headers = headers
        self._data = data

    @property
    def status(self) -> int:
        return self._status

    @property
    def headers(self) -> Mapping[str, str]:
        return self._headers

    @property
    def data(self) -> bytes:
        return self._data


def _parsed(key: str) -> dict[str, Any]:
    try:
        info = json.loads(key)
    except ValueError:
        raise _bad("it is not JSON") from None
    if not isinstance(info, dict) or info.get("type") != "service_account":
        raise _bad("it is not the key of a service account")
    return info


def _bad(why: str) -> BadSource:
    return BadSource(
        "bad_credentials",
        f"The Google key cannot be used: {why}. Save the JSON file that Google Cloud gives under "
        "service account, keys.",
    )


def _reason(error: RefreshError) -> str:
    # google-auth's own text repeats the whole answer; its details hold what Google said.
    details = error.args[1] if len(error.args) > 1 else None
    if isinstance(details, Mapping):
        return str(details.get("error_description") or details.get("error"))
    return str(error.args[0]) if error.args else "refused"
