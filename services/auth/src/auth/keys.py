"""Signing keys: Ed25519, rows in the database, the private half encrypted."""

import base64
import hashlib
import json
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from chassis.crypto import Vault
from contracts.auth import JsonWebKey


@dataclass(frozen=True)
class SealedKey:
    """A signing key as it is kept."""

    kid: str
    private: str
    public: bytes


@dataclass(frozen=True)
class SigningKey:
    """A key that signs."""

    kid: str
    private: Ed25519PrivateKey


class UnreadableKeyError(Exception):
    """The signing key was encrypted with an ENCRYPTION_KEY that is not given any more."""


def new_key(vault: Vault, pem: str | None) -> SealedKey:
    """A new key, or the one given in PEM; its id is its thumbprint (RFC 7638, RFC 8037)."""
    private = Ed25519PrivateKey.generate() if pem is None else _read(pem)
    public = private.public_key().public_bytes_raw()
    members = {"crv": "Ed25519", "kty": "OKP", "x": _base64url(public)}
    canonical = json.dumps(members, separators=(",", ":"), sort_keys=True)
    kid = _base64url(hashlib.sha256(canonical.encode()).digest())
    sealed = vault.encrypt(private.private_bytes_raw(), f"signing_key/{kid}")
    return SealedKey(kid, sealed, public)


def open_key(vault: Vault, kid: str, sealed: str) -> SigningKey:
    """Decrypt a signing key; raises UnreadableKeyError."""
    try:
        raw = vault.decrypt(sealed, f"signing_key/{kid}")
    except ValueError as error:
        raise UnreadableKeyError(
            f"The signing key {kid} cannot be decrypted: {error}. Put the former key back into "
            "ENCRYPTION_KEY, behind the new one and a comma."
        ) from error
    return SigningKey(kid, Ed25519PrivateKey.from_private_bytes(raw))


def public_key(kid: str, public: bytes) -> JsonWebKey:
    """The half that everybody may know."""
    return JsonWebKey(kid=kid, x=_base64url(public))


def _read(pem: str) -> Ed25519PrivateKey:
    key = load_pem_private_key(pem.encode(), password=None)
    assert isinstance(key, Ed25519PrivateKey), "settings have checked the kind"
    return key


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
