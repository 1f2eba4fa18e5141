"""Secrets at rest: AES-256-GCM with a list of keys, of which the first encrypts."""

import base64
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12


class Vault:
    """Encrypts small secrets; `context` (who owns it, which field) is authenticated with them."""

    def __init__(self, keys: str) -> None:
        """`keys`: ENCRYPTION_KEY, comma-separated base64 of 32 bytes each.

        Raises ValueError for a key of another length.
        """
        self._keys: dict[str, AESGCM] = {}
        for text in keys.split(","):
            key = base64.b64decode(text.strip(), validate=True)
            if len(key) != 32:
                raise ValueError("ENCRYPTION_KEY must be base64 of 32 bytes")
            self._keys.setdefault(_key_id(key), AESGCM(key))

    def encrypt(self, secret: bytes, context: str) -> str:
        """Text `<key id>.<base64 of nonce and ciphertext>`."""
        key_id, key = next(iter(self._keys.items()))
        nonce = os.urandom(_NONCE)
        sealed = nonce + key.encrypt(nonce, secret, context.encode())
        return f"{key_id}.{base64.b64encode(sealed).decode()}"

    def decrypt(self, text: str, context: str) -> bytes:
        """The secret; raises ValueError when its key is not in the list or the context differs."""
        key_id, _, sealed = text.partition(".")
        if key_id not in self._keys:
            raise ValueError("encrypted with a key that is not in ENCRYPTION_KEY any more")
        raw = base64.b64decode(sealed)
        try:
            return self._keys[key_id].decrypt(raw[:_NONCE], raw[_NONCE:], context.encode())
        except InvalidTag as error:
            raise ValueError("the encrypted text does not belong here") from error


def _key_id(key: bytes) -> str:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(key)
    return digest.finalize().hex()[:8]
