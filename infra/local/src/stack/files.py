"""Files that hold secrets or state: written whole or not at all, for their owner only."""

import os
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Replace the file in one step, mode 0600, on disk before it counts."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
