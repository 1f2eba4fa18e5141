"""What one run leaves for the next, and for those who ask: ports, URL, who runs."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import IO

import psutil

from stack.errors import StackError
from stack.files import write_private
from stack.layout import Layout
from stack.process import Record, read_record, record_of

SUPERVISOR = "supervisor"


@dataclass(frozen=True)
class State:
    """`state.json`."""

    ports: dict[str, int] = field(default_factory=dict)
    url: str | None = None
    ready: bool = False
    parts: list[str] = field(default_factory=list)
    """The names of all processes that belong to the stack, whether they run or not."""

    def save(self, layout: Layout) -> None:
        """Write it down."""
        write_private(layout.state, json.dumps(asdict(self), indent=1))


def read_state(layout: Layout) -> State:
    """The state that the last run left; an empty one when there is none."""
    try:
        return State(**json.loads(layout.state.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return State()


@contextmanager
def only_one(layout: Layout) -> Iterator[None]:
    """Be the one `dalgo up` of a data directory; raises StackError when another lives."""
    layout.make()
    with _open_lock(layout) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            url = read_state(layout).url
            raise StackError(
                f"Dalgo Lite already runs from {layout.root}{f' at {url}' if url else ''}. "
                "`dalgo status` shows it, `dalgo down` stops it."
            ) from error
        # A killed run has left its word that it is ready.
        replace(read_state(layout), ready=False).save(layout)
        record_of(SUPERVISOR, os.getpid()).save(layout.runs)
        try:
            yield
        finally:
            replace(read_state(layout), ready=False).save(layout)
            (layout.runs / f"{SUPERVISOR}.json").unlink(missing_ok=True)


def is_locked(layout: Layout) -> bool:
    """Whether a `dalgo up` lives, in this process or another."""
    try:
        with _open_lock(layout) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def _open_lock(layout: Layout) -> IO[str]:
    try:
        return layout.lock.open("a")
    except PermissionError as error:
        raise StackError(
            f"The data directory {layout.root} belongs to another user. "
            "Set DALGO_DATA_DIR to a directory of your own."
        ) from error


def supervisor(layout: Layout) -> psutil.Process | None:
    """The living `dalgo up`."""
    record = read_record(layout.runs, SUPERVISOR)
    return record.process() if record and is_locked(layout) else None


def recorded(layout: Layout) -> list[tuple[Record, psutil.Process]]:
    """Processes of the stack that live, in the order in which to stop them: servers last."""
    order = {"nats": 1, "postgres": 2}
    found: list[tuple[Record, psutil.Process]] = []
    for path in sorted(layout.runs.glob("*.json"), key=lambda path: order.get(path.stem, 0)):
        record = read_record(layout.runs, path.stem)
        if record and record.name != SUPERVISOR and (process := record.process()):
            found.append((record, process))
    return found
