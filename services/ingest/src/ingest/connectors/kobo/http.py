"""Calls to a KoboToolbox server: retried where it may help, else told what a person can do."""

import json
import random
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from chassis import egress
from chassis.call_deadlines import TooSlow
from ingest.connectors import BadSource, Unavailable
from ingest.connectors.kobo.address import server_of

MAX_BYTES = 1 << 27
"""Of one answer."""
MAX_TOTAL = 8 << 30
"""Of all answers of one reading: a form that never ends must not fill the disk."""
_PASSING = frozenset({408, 425, 429})


@dataclass(frozen=True)
class Patience:
    """How long a server is tried; in seconds."""

    tries: int = 5
    backoff: float = 1.0
    """Before the second try, doubled for each one after."""
    longest_wait: float = 120.0
    """That a server may ask for; a sync that would wait longer is tried anew."""
    timeout: float = 60.0
    """Of silence."""
    total: float = 180.0
    """For one answer, however busily it comes."""
    overall: float | None = None
    """For all answers together, and the waits between them."""


HURRIED = Patience(tries=2, longest_wait=5.0, timeout=10.0, total=20.0, overall=20.0)
"""For people who wait for the answer."""


class Server:
    """A server as one account sees it; `host` is its name for messages."""

    def __init__(
        self,
        server_url: str,
        api_token: SecretStr,
        *,
        allowed: Collection[str],
        patience: Patience,
    ) -> None:
        self.origin = server_of(server_url)
        self.host = urlsplit(self.origin).netloc
        self._patience = patience
        token = api_token.get_secret_value().strip()
        if not (token.isascii() and token.isalnum()):
            raise self._unknown_token()
        self._headers = {"Authorization": f"Token {token}", "Accept": "application/json"}
        self._received = 0
        self._http = egress.client(
            allowed, patience.timeout, total=patience.total, overall=patience.overall
        )

    def close(self) -> None:
        """End its connections."""
        self._http.close()

    def get(self, path: str, asked: Mapping[str, str | int], form_id: str | None = None) -> Any:
        """The JSON under `/api/v2/`; decimals are Decimal. Raises BadSource and Unavailable."""
        url = f"{self.origin}/api/v2/{path}"
        for tried in range(1, self._patience.tries + 1):
            wait = self._patience.backoff * 2 ** (tried - 1) * random.uniform(0.75, 1.25)
            try:
                status, headers, body = self._call(url, {**asked, "format": "json"})
            except egress.Refused as error:
                raise BadSource("address_refused", error.message) from error
            except httpx.TooManyRedirects as error:
                raise self.not_kobo() from error
            except TooSlow as error:
                raise self._too_slow() from error
            except (httpx.TransportError, httpx.DecodingError) as error:
                why = f"{self.host} cannot be reached: {str(error) or type(error).__name__}."
                failure = Unavailable("kobo_away", f"{why} Check the server's address.")
            else:
                if status == 200:
                    return self._read(body)
                if status not in _PASSING and status < 500:
                    raise self._final(status, body, form_id)
                failure = Unavailable(
                    "kobo_away", f"{self.host} answers {status} and is tried again later."
                )
                told = _told(headers)
                if told > self._patience.longest_wait:
                    raise failure
                wait = max(wait, told)
            if tried == self._patience.tries:
                raise failure
            time.sleep(wait)
        raise AssertionError("unreachable")

    def _call(self, url: str, asked: Mapping[str, str | int]) -> tuple[int, httpx.Headers, bytes]:
        body = bytearray()
        with self._http.stream("GET", url, params=asked, headers=self._headers) as response:
            for chunk in response.iter_bytes():
                body += chunk
                self._received += len(chunk)
                if len(body) > MAX_BYTES:
                    raise BadSource(
                        "too_big", f"{self.host} gave an answer above {MAX_BYTES >> 20} MB."
                    )
                if self._received > MAX_TOTAL:
                    raise BadSource(
                        "too_big",
                        f"{self.host} gave more than {MAX_TOTAL >> 30} GB of submissions. Read the "
                        "form with mode append, or split it.",
                    )
            return response.status_code, response.headers, bytes(body)

    def _too_slow(self) -> Unavailable:
        seconds = self._patience.overall or self._patience.total
        return Unavailable(
            "kobo_too_slow",
            f"The server {self.host} took longer than {seconds:.0f} s to answer. Try again when it "
            "is less busy, or ask the people who run it.",
        )

    def _read(self, body: bytes) -> Any:
        try:
            # Decimals keep the digits that a double would bend.
            return json.loads(body, parse_float=Decimal)
        except (ValueError, RecursionError) as error:
            raise self.not_kobo() from error

    def _final(self, status: int, body: bytes, form_id: str | None) -> BadSource:
        if status == 401:
            return self._unknown_token()
        if status == 403:
            return BadSource(
                "not_allowed",
                f"The API token's account may not read this on {self.host}. Ask the form's owner "
                "for the permission to view submissions.",
            )
        if status == 404 and form_id is not None:
            return BadSource(
                "form_not_found",
                f"The form {form_id} was not found on {self.host}, or is not shared with the "
                "API token's account. Choose it from the list of forms, or ask its owner to "
                "share it.",
            )
        if status == 404 or status < 400:
            return self.not_kobo()
        said = " ".join(body[:200].decode("utf-8", "replace").split())
        return BadSource("kobo_refused", f"{self.host} answers {status}: {said}")

    def _unknown_token(self) -> BadSource:
        return BadSource(
            "token_refused",
            f"The API token is not accepted by {self.host}. Copy it from there: Account "
            "settings, Security, API key.",
        )

    def not_kobo(self) -> BadSource:
        """What to say when an answer is none of KoboToolbox's."""
        return BadSource(
            "not_kobo",
            f"{self.host} does not answer like KoboToolbox. Give the address of the page where "
            "you see your forms, for example https://kf.kobotoolbox.org.",
        )


def _told(headers: httpx.Headers) -> float:
    """Seconds that `Retry-After` asks for (RFC 9110, 10.2.3); 0 when it says nothing."""
    said = headers.get("Retry-After", "").strip()
    if said.isdigit():
        return float(said)
    try:
        return max(0.0, parsedate_to_datetime(said).timestamp() - time.time())
    except ValueError:
        return 0.0
