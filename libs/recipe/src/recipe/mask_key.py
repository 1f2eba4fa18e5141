"""The key of masks that hash: what the session has to hold before such a statement runs.

A hash is HMAC-SHA-256 (RFC 2104), cut to 128 bits. PostgreSQL has SHA-256 but neither HMAC nor XOR
of bytes, so the session holds the key with HMAC's two paddings already applied. The key itself, and
what is made of it, never stand in a statement.
"""

import hashlib

SETTING = "app.mask_key"
"""The setting of the session (`set_config(SETTING, setting_value(key), true)`)."""

DIGITS = 32
"""Hexadecimal digits of a hash."""

_BLOCK = 64
"""Bytes that SHA-256 takes at once."""
_INNER, _OUTER = 0x36, 0x5C


def setting_value(key: bytes) -> str:
    """The inner and the outer padded key, in hexadecimal digits.

    Raises:
        ValueError: there is no key.
    """
    if not key:
        raise ValueError("a mask needs a key")
    block = (hashlib.sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
    return "".join(bytes(byte ^ pad for byte in block).hex() for pad in (_INNER, _OUTER))
