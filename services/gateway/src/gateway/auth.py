"""Who calls: access tokens verified with the keys that auth publishes."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, get_args
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from chassis.telemetry import log
from contracts.auth import ACCESS_AUDIENCE, ACCESS_CLAIMS, ACCESS_ISSUER, JsonWebKeySet, Role
from contracts.problem import ProblemError, problem
from gateway.settings import Settings

FRESH = 300.0
"""Seconds for which a set of keys is used without asking again."""

PAUSE = 10.0
"""Seconds between two questions that an unknown key id or a failed answer may cause."""

_ROLES = get_args(Role)


@dataclass(frozen=True)
class Caller:
    """Who a verified token speaks for."""

    user_id: UUID
    org_id: UUID
    role: Role
    session_id: UUID
    expires_at: datetime

    @property
    def actor(self) -> str:
        """The name under which messages of this caller go."""
        return str(self.user_id)


class Keys:
    """The verifying keys by id: kept for five minutes, and the last good set while auth is away."""

    def __init__(self, ask: Callable[[], Awaitable[JsonWebKeySet]]) -> None:
        self._ask = ask
        self._known: dict[str, Ed25519PublicKey] = {}
        self._published = JsonWebKeySet(keys=())
        self._asked_at = float("-inf")
        self._good_until = float("-inf")
        self._asking = asyncio.Lock()

    async def find(self, kid: str) -> Ed25519PublicKey | None:
        """The key of an id; asks auth when the set is old or does not hold it.

        Raises ProblemError 503 while there is no set at all.
        """
        if kid not in self._known or time.monotonic() > self._good_until:
            await self._refresh(kid)
        return self._known.get(kid)

    async def published(self) -> JsonWebKeySet:
        """The keys as auth publishes them, five minutes old at most while auth answers.

        For anybody who asks, so it must cost auth nothing. Raises ProblemError 503 while there is none.
        """
        if time.monotonic() > self._good_until:
            await self._refresh(None)
        return self._published

    async def check(self) -> None:
        """Raise unless there are keys, asking for them when there are none."""
        if not self._known:
            await self._refresh(None)
        if not self._known:
            raise RuntimeError("auth has published no signing key")

    async def _refresh(self, kid: str | None) -> None:
        async with self._asking:
            now = time.monotonic()
            is_known = kid in self._known if kid is not None else bool(self._known)
            is_answered = is_known and now <= self._good_until
            if is_answered or (self._known and now < self._asked_at + PAUSE):
                return
            self._asked_at = now
            try:
                answer = await self._ask()
            except ProblemError as error:
                log.warning("signing_keys_not_refreshed", error=error.problem.detail)
                if not self._known:
                    raise
                return
            self._published = answer
            self._known = {key.kid: _public(key.model_dump()) for key in answer.keys}
            self._good_until = time.monotonic() + FRESH


class Verifier:
    """Turns a bearer token into a Caller."""

    def __init__(self, settings: Settings, keys: Keys) -> None:
        secret = settings.jwt_secret_key
        self._shared = (
            secret.get_secret_value() if secret and settings.jwt_algorithm == "HS256" else None
        )
        self._algorithm = settings.jwt_algorithm
        self._keys = keys

    async def verify(self, token: str) -> Caller:
        """The caller of a token; raises ProblemError 401, or 503 while no key is known.

        Pinned to one algorithm and our keys: what the token's header says of either is only
        compared (RFC 8725, sections 3.1 and 3.10), and every claim is required.
        """
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") != self._algorithm:
                raise _invalid()
            key = self._shared or await self._key(header.get("kid"))
            claims = jwt.decode(
                token,
                key,
                algorithms=[self._algorithm],
                audience=ACCESS_AUDIENCE,
                issuer=ACCESS_ISSUER,
                options={"require": list(ACCESS_CLAIMS)},
            )
            return _caller(claims)
        except jwt.ExpiredSignatureError as error:
            raise problem(
                401, "token_expired", "The access token has expired. Refresh it and try again."
            ) from error
        except (jwt.InvalidTokenError, ValueError) as error:
            raise _invalid() from error

    async def key_set(self) -> JsonWebKeySet:
        """The public keys; none with a shared secret."""
        return JsonWebKeySet(keys=()) if self._shared else await self._keys.published()

    async def check(self) -> None:
        """Raise while tokens cannot be verified."""
        if self._shared is None:
            await self._keys.check()

    async def _key(self, kid: object) -> Ed25519PublicKey:
        key = await self._keys.find(kid) if isinstance(kid, str) else None
        if key is None:
            raise _invalid()
        return key


def _caller(claims: dict[str, Any]) -> Caller:
    if claims["typ"] != "access" or claims["role"] not in _ROLES:
        raise ValueError("not an access token of ours")
    return Caller(
        user_id=UUID(claims["sub"]),
        org_id=UUID(claims["org"]),
        role=claims["role"],
        session_id=UUID(claims["sid"]),
        expires_at=datetime.fromtimestamp(claims["exp"], UTC),
    )


def _public(key: dict[str, Any]) -> Ed25519PublicKey:
    public = jwt.PyJWK(key).key
    assert isinstance(public, Ed25519PublicKey)
    return public


def _invalid() -> ProblemError:
    return problem(401, "token_invalid", "The access token is not valid. Log in again.")
