"""Passwords and keys of one machine: made once, kept in `secrets.json`, mode 0600."""

import base64
import json
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from stack.errors import StackError
from stack.files import write_private

BUS_USERS = ("system", "migrator")
"""Users of the bus beside the services."""


def _password() -> str:
    return secrets.token_urlsafe(32)


def _key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


@dataclass(frozen=True)
class Secrets:
    """What is never typed by anybody; `repr` shows nothing of it."""

    superuser: str = field(default_factory=_password, repr=False)
    migrator: str = field(default_factory=_password, repr=False)
    database: dict[str, str] = field(default_factory=dict, repr=False)
    """Password of each service's login role."""
    bus: dict[str, str] = field(default_factory=dict, repr=False)
    """Password of each user of the bus."""
    encryption_key: str = field(default_factory=_key, repr=False)
    """Base64 of 32 bytes; without it the credentials of sources are lost."""
    mask_key: str = field(default_factory=_key, repr=False)
    """Base64 of 32 bytes; without it masked columns no longer join with older ones."""


def load(path: Path, services: Sequence[str]) -> Secrets:
    """Read the secrets, making what is missing; a file that others may read is closed to them.

    Raises StackError for a file that cannot be read as secrets: it is never overwritten.
    """
    try:
        text = path.read_text()
    except FileNotFoundError:
        kept, text = Secrets(), ""
    else:
        path.chmod(0o600)
        try:
            kept = Secrets(**json.loads(text))
        except (ValueError, TypeError) as error:
            raise StackError(
                f"{path} cannot be read as secrets ({error}). Restore it from a backup: the data "
                "in this directory opens with these passwords and keys only."
            ) from error
    for name in services:
        kept.database.setdefault(name, _password())
    for name in (*services, *BUS_USERS):
        kept.bus.setdefault(name, _password())
    whole = json.dumps(asdict(kept), indent=1)
    if whole != text:
        write_private(path, whole)
    return kept
