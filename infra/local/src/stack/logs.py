"""Rotation of the logs while their processes write: `<name>.log`, then `.1` and on to the oldest."""

import asyncio
import os
import shutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from stack.errors import StackError

_LOOK = 5.0
"""Seconds between two looks at the sizes."""
_SMALLEST = 64 * 1024


@dataclass(frozen=True)
class Rotation:
    """How long a log may get, and how many older parts of it stay."""

    size: int = 10 * 1024 * 1024
    count: int = 5

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Rotation":
        """Read LOG_ROTATE_BYTES and LOG_ROTATE_COUNT; raises StackError for what is no number."""
        return cls(
            _number(environ, "LOG_ROTATE_BYTES", cls.size, _SMALLEST),
            _number(environ, "LOG_ROTATE_COUNT", cls.count, 1),
        )


def _number(environ: Mapping[str, str], name: str, default: int, least: int) -> int:
    text = environ.get(name) or str(default)
    if not text.isdecimal() or int(text) < least:
        raise StackError(f"{name} is {text!r}: a whole number, {least:,} at least.")
    return int(text)


def rotate(log: Path, rotation: Rotation) -> bool:
    """Copy a log that is too long to `<name>.log.1` and empty it; returns whether it was.

    The writers keep their descriptor, which appends (logrotate's `copytruncate`): it works alike for
    PostgreSQL, NATS, the services and what they start, and none has to be told. A line that is
    written between the last read and the truncation, which follow each other at once, is lost.
    """
    try:
        if log.stat().st_size <= rotation.size:
            return False
    except FileNotFoundError:
        return False
    parts = [log.with_name(f"{log.name}.{n}") for n in range(1, rotation.count + 1)]
    copy = log.with_name(f"{log.name}.new")
    descriptor = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with log.open("rb+") as source, os.fdopen(descriptor, "wb") as target:
        shutil.copyfileobj(source, target, 1024 * 1024)
        while rest := source.read():
            target.write(rest)
        source.truncate(0)
    for older, newer in zip(reversed(parts), reversed(parts[:-1]), strict=False):
        if newer.exists():
            newer.replace(older)
    copy.replace(parts[0])
    return True


def rotate_all(folder: Path, rotation: Rotation) -> None:
    """Rotate every log of the folder that is too long; a full disk is no reason to stop."""
    for log in folder.glob("*.log"):
        try:
            rotate(log, rotation)
        except OSError:
            log.with_name(f"{log.name}.new").unlink(missing_ok=True)


async def keep_small(
    folder: Path, rotation: Rotation, call: Callable[[Callable[[], object]], Awaitable[None]]
) -> None:
    """Rotate the logs of a folder until cancelled; `call` runs what blocks in a thread."""
    while True:
        await call(lambda: rotate_all(folder, rotation))
        await asyncio.sleep(_LOOK)
