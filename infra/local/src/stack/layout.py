"""Where everything lies within the data directory."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stack.errors import StackError

SYSTEM_WIDE = Path("/var/lib/dalgo")
"""Root's data directory unless told otherwise: below /root PostgreSQL's account cannot reach it."""


@dataclass(frozen=True)
class Layout:
    """Paths of one data directory; `root` is absolute."""

    root: Path

    @classmethod
    def default(cls, environ: Mapping[str, str] = os.environ) -> "Layout":
        """DALGO_DATA_DIR, else dalgo in XDG_DATA_HOME (~/.local/share; for root /var/lib)."""
        if told := environ.get("DALGO_DATA_DIR"):
            return cls(Path(told).expanduser().absolute())
        if shared := environ.get("XDG_DATA_HOME"):
            return cls(Path(shared).absolute() / "dalgo")
        if os.geteuid() == 0:
            return cls(SYSTEM_WIDE)
        return cls(Path.home() / ".local" / "share" / "dalgo")

    @property
    def postgres(self) -> Path:
        """PostgreSQL's own: the cluster in `data`."""
        return self.root / "postgres"

    @property
    def nats(self) -> Path:
        """NATS's own: streams and the server's configuration."""
        return self.root / "nats"

    @property
    def objects(self) -> Path:
        """Uploads and exports."""
        return self.root / "objects"

    @property
    def logs(self) -> Path:
        """One log for each process."""
        return self.root / "logs"

    @property
    def runs(self) -> Path:
        """Who runs now: a record for each process, `state.json`, the lock of `dalgo up`."""
        return self.root / "run"

    @property
    def state(self) -> Path:
        """Ports and URL, kept from one run to the next."""
        return self.runs / "state.json"

    @property
    def lock(self) -> Path:
        """Held by the living `dalgo up`; the system frees it, however that one ends."""
        return self.runs / "lock"

    @property
    def secrets(self) -> Path:
        """Passwords and keys, mode 0600."""
        return self.root / "secrets.json"

    def log(self, name: str) -> Path:
        """The log of one process."""
        return self.logs / f"{name}.log"

    def make(self) -> None:
        """Create what is missing, for the owner only; root lets PostgreSQL's account through.

        Raises StackError when it may not.
        """
        try:
            if not self.root.exists():
                self.root.mkdir(parents=True)
                self.root.chmod(0o711 if os.geteuid() == 0 else 0o700)
            for folder in (self.nats, self.objects, self.logs, self.runs):
                folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise StackError(
                f"The data directory {self.root} cannot be used: {error}. "
                "Set DALGO_DATA_DIR to a directory of your own."
            ) from error
