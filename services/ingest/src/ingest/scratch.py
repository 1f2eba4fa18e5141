"""Temporary folders that do not outlive their process for long, however it ended."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import gettempdir, mkdtemp

PREFIX = "dalgo-ingest-"
_LOCK = "lock"


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for this process, removed afterwards; those of processes that died go first.

    The lock in it is the kernel's to release, so a killed process cannot keep it.
    """
    sweep()
    folder = Path(mkdtemp(prefix=PREFIX, dir=gettempdir()))
    try:
        with (folder / "unlocked").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            # Only now may a sweeper see it: between opening and locking it would look abandoned.
            (folder / "unlocked").rename(folder / _LOCK)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep() -> None:
    """Remove the folders that nobody holds."""
    for lock in Path(gettempdir()).glob(f"{PREFIX}*/{_LOCK}"):
        try:
            with lock.open("r") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(lock.parent, ignore_errors=True)
        except OSError:
            continue  # Held by another pool, gone meanwhile, or another user's.
