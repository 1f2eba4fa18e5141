"""The Sheets API v4, as far as it is read: within the quota, again where it may pass."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Literal

import httpx

from ingest.connectors import BadSource, Unavailable
from ingest.connectors.google import answers
from ingest.connectors.google.auth import ServiceAccount
from ingest.connectors.google.quota import Quota
from ingest.connectors.google.spreadsheet import FIELDS, Spreadsheet, parsed
from ingest.connectors.sheets.cells import Rows

ATTEMPTS = 5
TIMEOUT = httpx.Timeout(20.0, read=180.0)
"""Google ends a request of its own after 180 seconds."""
CALL = 185.0
"""Seconds for one answer, however busily it comes."""
MAX_BYTES = 128 << 20

Rendering = Literal["FORMATTED_VALUE", "UNFORMATTED_VALUE"]
Dates = Literal["SERIAL_NUMBER", "FORMATTED_STRING"]
Sleep = Callable[[float], Awaitable[None]]


class SheetsClient:
    """Reads as one service account.

    https://developers.google.com/workspace/sheets/api/reference/rest
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        account: ServiceAccount,
        quota: Quota,
        base_url: str,
        patience: float,
        sleep: Sleep = asyncio.sleep,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        """`patience`: seconds that it may wait in all, for the quota and between attempts."""
        self._http = http
        self._account = account
        self._quota = quota
        self._base_url = base_url.rstrip("/")
        self._patience = patience
        self._sleep = sleep
        self._max_bytes = max_bytes

    async def spreadsheet(self, spreadsheet_id: str) -> Spreadsheet:
        """Title, time zone, locale and tabs; no cell. Raises BadSource, Unavailable."""
        return parsed(answers.small(await self._get(spreadsheet_id, "", {"fields": FIELDS})))

    async def values(
        self,
        spreadsheet_id: str,
        title: str,
        rendering: Rendering,
        dates: Dates = "SERIAL_NUMBER",
    ) -> Rows:
        """A whole tab, row by row from A1; blank cells at the ends are absent.

        Raises BadSource (`bad_range`: the tab is gone, or has no cell) and Unavailable.
        """
        quoted = "'" + title.replace("'", "''") + "'"
        answer = await self._get(
            spreadsheet_id,
            "/values:batchGet",
            {
                "ranges": quoted,
                "majorDimension": "ROWS",
                "valueRenderOption": rendering,
                "dateTimeRenderOption": dates,
                "fields": "valueRanges.values",
            },
        )
        return await asyncio.to_thread(answers.values, answer)

    async def _get(self, spreadsheet_id: str, path: str, params: Mapping[str, str]) -> bytes:
        """The body of an answer that is well."""
        url = f"{self._base_url}/v4/spreadsheets/{spreadsheet_id}{path}"
        refused: str | None = None
        away = Unavailable("google_away", "Google Sheets does not answer. Try again later.")
        for attempt in range(1, ATTEMPTS + 1):
            retry_after: float | None = None
            first = 1.0
            try:
                # Signed in first: who has no good key takes no read from those who have one.
                token = await self._account.token(instead_of=refused)
                turn = await self._quota.reserve(self._account.email, self._patience)
                if turn is None:
                    away = _passing(429)
                    break
                await self._wait(turn)
                status, headers, body = await self._ask(url, params, token)
            except Unavailable as error:
                away = error
            except (httpx.HTTPError, TimeoutError):
                away = Unavailable("google_away", "Google Sheets does not answer. Try again later.")
            else:
                if status == 200:
                    return body
                if status == 401 and refused is None:
                    refused = token
                    continue
                if status != 429 and status < 500:
                    raise self._refusal(status, body)
                away = _passing(status)
                retry_after = _retry_after(headers)
                if status == 429:
                    # Quotas are refilled each minute: all attempts together must outlast one.
                    first = 4.0
                    await self._quota.hold(self._account.email, retry_after or 0)
            # What Google advises: exponential, with up to a second of jitter.
            wait = retry_after or first * 2 ** (attempt - 1) + random.random()
            if attempt == ATTEMPTS or wait > self._patience:
                break
            await self._wait(wait)
        raise away

    async def _wait(self, seconds: float) -> None:
        if seconds:
            self._patience -= seconds
            await self._sleep(seconds)

    async def _ask(
        self, url: str, params: Mapping[str, str], token: str
    ) -> tuple[int, httpx.Headers, bytes]:
        authorization = {"Authorization": f"Bearer {token}"}
        async with (
            asyncio.timeout(CALL),
            self._http.stream(
                "GET",
                url,
                params=params,
                headers=authorization,
                timeout=TIMEOUT,
                follow_redirects=False,
            ) as answer,
        ):
            body = bytearray()
            async for chunk in answer.aiter_bytes():
                body += chunk
                if len(body) > self._max_bytes:
                    raise BadSource(
                        "sheet_too_large",
                        f"The tab holds more than {self._max_bytes >> 20} MB. Export it as CSV "
                        "and upload the file.",
                    )
            return answer.status_code, answer.headers, bytes(body)

    def _refusal(self, status: int, body: bytes) -> BadSource:
        """What a person can do about an answer that will not change by itself."""
        error = _error(body)
        told = str(error.get("message", "")).rstrip(".")
        reasons = {detail.get("reason") for detail in error.get("details", ())}
        if status == 401:
            return BadSource(
                "bad_credentials",
                f"Google does not accept the sign-in of {self._account.email}. Make a new key for "
                "the service account and save it here.",
            )
        if status == 403 and "SERVICE_DISABLED" in reasons:
            return BadSource(
                "api_disabled",
                "The Google Sheets API is not enabled in the service account's project. Enable it "
                "in Google Cloud, under APIs and services.",
            )
        if status == 403:
            return BadSource(
                "not_shared",
                f"Share the sheet with {self._account.email} as a viewer, then try again.",
            )
        if status == 404:
            return BadSource(
                "no_such_spreadsheet",
                "There is no such spreadsheet: it was deleted, or its address is not complete. "
                "Copy the address of the open sheet.",
            )
        if status == 400 and error.get("status") == "FAILED_PRECONDITION":
            return BadSource(
                "not_a_google_sheet",
                "That file is not a Google Sheet (an Excel file in Drive, perhaps). Open it and "
                "choose File, Save as Google Sheets; then use the address of the copy.",
            )
        if status == 400:
            return BadSource("bad_range", f"Google cannot read the tab: {told}.")
        return BadSource("google_refused", f"Google refuses to read the sheet ({status}): {told}.")


def _passing(status: int) -> Unavailable:
    if status == 429:
        return Unavailable(
            "quota", "Google allows no more reads for the moment. Try again in a few minutes."
        )
    return Unavailable("google_away", f"Google Sheets answers {status}. Try again later.")


def _error(body: bytes) -> dict[str, Any]:
    try:
        answer = answers.small(body)
    except Unavailable:
        return {}
    error = answer.get("error") if isinstance(answer, dict) else None
    return error if isinstance(error, dict) else {}


def _retry_after(headers: httpx.Headers) -> float | None:
    """Seconds, from seconds or a date (RFC 9110, 10.2.3)."""
    given = headers.get("retry-after", "").strip()
    if given.isdigit():
        return float(given)
    try:
        at = parsedate_to_datetime(given)
    except ValueError:
        return None
    return max(0.0, at.timestamp() - time.time())
