"""Tokens: signed ones for access, opaque ones for refresh."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import jwt

from auth.keys import SigningKey
from auth.settings import Settings
from chassis.crypto import Vault
from contracts.auth import ACCESS_AUDIENCE, ACCESS_ISSUER, Role
from contracts.envelope import new_id


@dataclass(frozen=True)
class NewRefreshToken:
    """A refresh token that was just made: the secret for its holder, the rest for the store."""

    token: str
    hash: bytes
    sealed: str
    expires_at: datetime


class Tokens:
    """Makes tokens as the settings say."""

    def __init__(self, settings: Settings, vault: Vault) -> None:
        secret = settings.jwt_secret_key
        self._shared = (
            secret.get_secret_value() if secret and settings.jwt_algorithm == "HS256" else None
        )
        self._vault = vault
        self.access_life = timedelta(minutes=settings.access_token_expire_minutes)
        self._refresh_life = timedelta(days=settings.refresh_token_expire_days)

    @property
    def uses_shared_secret(self) -> bool:
        """Whether tokens are signed with JWT_SECRET_KEY, and no signing key is needed."""
        return self._shared is not None

    def access(
        self, *, user_id: UUID, org_id: UUID, role: Role, session_id: UUID, key: SigningKey | None
    ) -> str:
        """A JWT for one user in one organisation; `key` is None with a shared secret only."""
        now = datetime.now(UTC)
        claims = {
            "iss": ACCESS_ISSUER,
            "aud": ACCESS_AUDIENCE,
            "sub": str(user_id),
            "org": str(org_id),
            "role": role,
            "sid": str(session_id),
            "exp": now + self.access_life,
            "nbf": now,
            "iat": now,
            "jti": str(new_id()),
            "typ": "access",
        }
        if self._shared is not None:
            return jwt.encode(claims, self._shared, algorithm="HS256")
        assert key is not None, "a signing key is made before the first token"
        return jwt.encode(claims, key.private, algorithm="EdDSA", headers={"kid": key.kid})

    def refresh(self, session_id: UUID) -> NewRefreshToken:
        """256 random bits; what is stored of them opens nothing by itself."""
        token = secrets.token_urlsafe(32)
        return NewRefreshToken(
            token=token,
            hash=fingerprint(token),
            sealed=self._vault.encrypt(token.encode(), _context(session_id)),
            expires_at=datetime.now(UTC) + self._refresh_life,
        )

    def unseal(self, sealed: str, session_id: UUID) -> str:
        """The refresh token out of its stored form; raises ValueError when its key is gone."""
        return self._vault.decrypt(sealed, _context(session_id)).decode()


def fingerprint(token: str) -> bytes:
    """SHA-256 of a refresh token, under which it is found."""
    return hashlib.sha256(token.encode()).digest()


def _context(session_id: UUID) -> str:
    return f"refresh_token/{session_id}"
