"""The two clients: `Dalgo` blocks, `AsyncDalgo` is awaited; they know the same calls."""

from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Self

import httpx

from dalgo.driver import AsyncDriver, SyncDriver
from dalgo.flow import Line
from dalgo.resources.account import Account
from dalgo.resources.pipelines import Pipelines
from dalgo.resources.runs import AsyncRuns, SyncRuns
from dalgo.resources.sources import Sources
from dalgo.resources.tables import Tables
from dalgo.resources.transformations import Transformations
from dalgo.resources.uploads import Uploads
from dalgo.session import Session

PATIENCE = 30.0
"""Seconds for which a call keeps trying while a service is away."""

_TIMEOUT = httpx.Timeout(75.0, connect=5.0)
"""The gateway gives a preview up to 60 seconds; a live stream says something every 15."""


class Dalgo(Account[SyncDriver]):
    """A client that blocks.

        with Dalgo("https://dalgo.example.org", api_key) as dalgo:
            for table in dalgo.tables.list():
                print(table.name, table.row_count)

    Without a key, `login` or `signup` opens a session that renews itself.
    """

    def __init__(
        self,
        url: str,
        api_key: str | None = None,
        token: str | None = None,
        *,
        session: Session | None = None,
        patience: float = PATIENCE,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """`session` continues one that was kept; `patience` is in seconds."""
        self.session = session or Session(token=api_key or token)
        self._http = httpx.Client(
            base_url=url, timeout=_TIMEOUT, cookies=_no_cookies(), transport=transport
        )
        driver = SyncDriver(self._http, Line(url, self.session, self._http.build_request, patience))
        super().__init__(driver)
        self.url = url
        self.uploads = Uploads(driver)
        self.sources = Sources(driver)
        self.transformations = Transformations(driver)
        self.pipelines = Pipelines(driver)
        self.runs = SyncRuns(driver)
        self.tables = Tables(driver)

    def logout(self) -> None:
        """End the session, here and at the server."""
        if self.session.can_renew:
            self.revoke(self.session.renewal)
        self.session.forget()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncDalgo(Account[AsyncDriver]):
    """As `Dalgo`, awaited: `async with AsyncDalgo(url, api_key) as dalgo: await dalgo.me()`."""

    def __init__(
        self,
        url: str,
        api_key: str | None = None,
        token: str | None = None,
        *,
        session: Session | None = None,
        patience: float = PATIENCE,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`session` continues one that was kept; `patience` is in seconds."""
        self.session = session or Session(token=api_key or token)
        self._http = httpx.AsyncClient(
            base_url=url, timeout=_TIMEOUT, cookies=_no_cookies(), transport=transport
        )
        driver = AsyncDriver(
            self._http, Line(url, self.session, self._http.build_request, patience)
        )
        super().__init__(driver)
        self.url = url
        self.uploads = Uploads(driver)
        self.sources = Sources(driver)
        self.transformations = Transformations(driver)
        self.pipelines = Pipelines(driver)
        self.runs = AsyncRuns(driver)
        self.tables = Tables(driver)

    async def logout(self) -> None:
        """End the session, here and at the server."""
        if self.session.can_renew:
            await self.revoke(self.session.renewal)
        self.session.forget()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _no_cookies() -> CookieJar:
    """A jar that takes nothing: the session keeps its one cookie itself."""
    return CookieJar(DefaultCookiePolicy(allowed_domains=[]))
