"""The keys that sources are read with: each is signed in once, and its token serves all its reads."""

import asyncio
import hashlib
from typing import TYPE_CHECKING
from uuid import UUID

from pydantic import SecretStr

from ingest.connectors import BadSource
from ingest.connectors.google.quota import KeyShare, Quota

if TYPE_CHECKING:
    import httpx

    from ingest.connectors.google.auth import ServiceAccount
    from ingest.connectors.google.client import SheetsClient

KEPT = 100


class Accounts:
    """Service accounts by their keys; those used last are kept, `KEPT` at most."""

    def __init__(
        self,
        quota: Quota,
        own_key: SecretStr | None,
        sheets_url: str,
        token_url: str,
        *,
        each: Quota,
    ) -> None:
        """`own_key`: the installation's, for sources that have none; `each`: one organisation's part."""
        self._quota = quota
        self._each = each
        self._own_key = own_key
        self._sheets_url = sheets_url
        self._token_url = token_url
        self._known: dict[str, ServiceAccount] = {}
        self._connections: tuple[httpx.Client, httpx.AsyncClient] | None = None
        self._opening = asyncio.Lock()

    async def client(self, org_id: UUID, key: SecretStr | None, patience: float) -> "SheetsClient":
        """Who reads with a key, or with the installation's; waits `patience` seconds in all.

        Raises BadSource `no_credentials`, `bad_credentials`.
        """
        from ingest.connectors.google.auth import ServiceAccount
        from ingest.connectors.google.client import SheetsClient

        quota = KeyShare(self._quota, self._each, org_id) if key is None else self._quota
        key = key or self._own_key
        if key is None:
            raise BadSource(
                "no_credentials",
                "There is no Google key to read the sheet with. Save the JSON key of a service "
                "account with the source (credentials), or have GOOGLE_CREDENTIALS_JSON set for "
                "the whole installation.",
            )
        text = key.get_secret_value()
        name = hashlib.sha256(text.encode()).hexdigest()
        async with self._opening:
            if self._connections is None:
                self._connections = await asyncio.to_thread(_connections)
            blocking, http = self._connections
            account = self._known.pop(name, None)
            if account is None:
                account = await asyncio.to_thread(ServiceAccount, text, blocking, self._token_url)
            self._known[name] = account
            if len(self._known) > KEPT:
                del self._known[next(iter(self._known))]
        return SheetsClient(http, account, quota, self._sheets_url, patience)

    async def close(self) -> None:
        """Forget the keys and close what is open."""
        self._known.clear()
        if self._connections is not None:
            blocking, http = self._connections
            blocking.close()
            await http.aclose()


def _connections() -> "tuple[httpx.Client, httpx.AsyncClient]":
    import httpx

    context = httpx.create_ssl_context()
    return httpx.Client(verify=context), httpx.AsyncClient(verify=context)
