"""Who is signed in at which server, kept between commands in the user's configuration."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dalgo.session import Session


def default_path(environ: Mapping[str, str] = os.environ) -> Path:
    """`$XDG_CONFIG_HOME/dalgo/credentials.json`, by default below ~/.config."""
    base = environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(base).expanduser() / "dalgo" / "credentials.json"


@dataclass
class Credentials:
    """The file's content: the server last signed in to, and a session for each."""

    path: Path
    default: str | None = None
    servers: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path | None = None) -> "Credentials":
        """What is kept; nothing when there is no file, or one that is not ours."""
        path = path or default_path()
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            return cls(path, kept["default"], dict(kept["servers"]))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return cls(path)

    def session(self, url: str) -> Session:
        """The session at a server, saved again whenever it renews itself."""
        kept = self.servers.get(url, {})
        return Session(
            kept.get("token"),
            kept.get("expires_at"),
            dict(kept.get("cookies", {})),
            on_change=lambda session: self.keep(url, session),
        )

    def keep(self, url: str, session: Session) -> None:
        """Save a session; one without a token is removed."""
        self.servers.pop(url, None)
        if session.token:
            self.servers[url] = {
                "token": session.token,
                "expires_at": session.expires_at,
                "cookies": session.cookies,
            }
            self.default = url
        elif self.default == url:
            self.default = None
        self._save()

    def _save(self) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = json.dumps({"default": self.default, "servers": self.servers}, indent=1)
        fresh = self.path.with_name(f"{self.path.name}.{os.getpid()}.new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        fresh.replace(self.path)
