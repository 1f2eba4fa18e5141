"""What a client is signed in with: an API key, a token, or a session that renews itself."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.cookies import SimpleCookie

import httpx

from dalgo.models import SignedIn

_EARLY = 30.0
"""Seconds before its expiry at which a token is renewed: a request must not outlive it."""


@dataclass
class Session:
    """Tokens of one user at one server; `on_change` is told whenever they were renewed."""

    token: str | None = field(default=None, repr=False)
    """The access token or API key that requests carry."""
    expires_at: float | None = None
    """Seconds since the epoch; None when it is not known."""
    cookies: dict[str, str] = field(default_factory=dict, repr=False)
    """The refresh cookie, by name; empty for keys and bare tokens."""
    on_change: Callable[["Session"], None] | None = field(default=None, compare=False, repr=False)

    @property
    def can_renew(self) -> bool:
        """Whether there is a refresh cookie."""
        return bool(self.cookies)

    @property
    def is_stale(self) -> bool:
        """Whether the token has expired, or is about to, and another can be had."""
        if not self.can_renew:
            return False
        return (
            self.token is None or self.expires_at is None or time.time() > self.expires_at - _EARLY
        )

    @property
    def authorization(self) -> dict[str, str]:
        """The headers that say who calls."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    @property
    def renewal(self) -> dict[str, str]:
        """The headers of a renewal."""
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}

    def keep(self, response: httpx.Response) -> None:
        """Take over the session that a response tells, its rotated cookie included.

        The cookie is kept by hand: it is bound to the refresh route, marked Secure, and must
        outlive the process, none of which a cookie jar makes easier.
        """
        signed_in = SignedIn.model_validate_json(response.content)
        self.token = signed_in.access_token
        self.expires_at = time.time() + signed_in.expires_in
        for header in response.headers.get_list("set-cookie"):
            for name, morsel in SimpleCookie(header).items():
                self.cookies[name] = morsel.value
        self._tell()

    def forget(self) -> None:
        """Drop everything: signed out, or refused."""
        self.token = self.expires_at = None
        self.cookies = {}
        self._tell()

    def _tell(self) -> None:
        if self.on_change:
            self.on_change(self)
