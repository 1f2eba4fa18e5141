"""How a process proves to NATS who it is, and how it knows NATS: for every connection of ours alike."""

import ssl
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class BusLogin:
    """A user with a password, a file of credentials or of an nkey seed; none where none is needed."""

    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    """Certificates of the authorities that the server's is checked against, PEM."""
    creds_file: str | None = None
    nkey_seed_file: str | None = None

    def __post_init__(self) -> None:
        ways = [self.user, self.creds_file, self.nkey_seed_file]
        if sum(way is not None for way in ways) > 1:
            raise ValueError(
                "Of NATS_USER, NATS_CREDS_FILE and NATS_NKEY_SEED_FILE only one may be set: each is a "
                "user of its own."
            )

    def options(self) -> dict[str, Any]:
        """Arguments of `nats.connect`."""
        options: dict[str, Any] = {}
        if self.user:
            options |= {"user": self.user, "password": self.password or ""}
        if self.creds_file:
            options["user_credentials"] = self.creds_file
        if self.nkey_seed_file:
            options["nkeys_seed"] = self.nkey_seed_file
        if tls := self.tls():
            options["tls"] = tls
        return options

    def tls(self) -> ssl.SSLContext | None:
        """What the server's certificate is checked with; None: as the server asks for, if it does."""
        return ssl.create_default_context(cafile=self.ca_file) if self.ca_file else None
