"""Child processes with a record on disk, so that a later run finds them and nothing else.

A record holds the pid and the start of the process by the kernel's own count: a pid that the system
has given to another process since is never signalled, and a step of the clock changes nothing.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from stack.account import Account
from stack.files import write_private

_TOLERANCE = 0.0 if sys.platform == "linux" else 2.0
"""Seconds between two readings of one start: Linux counts ticks since boot, others the clock."""


@dataclass(frozen=True)
class Record:
    """The identity of a process: its pid, and when it started since which boot."""

    name: str
    pid: int
    started: float
    """Ticks since boot on Linux; elsewhere seconds since the epoch, as the kernel noted them then."""
    boot: str
    """The kernel's id of this boot; empty where there is none."""

    def save(self, folder: Path) -> None:
        """Write `<folder>/<name>.json`."""
        write_private(folder / f"{self.name}.json", json.dumps(asdict(self)))

    def process(self) -> psutil.Process | None:
        """The process while it lives; None when it is gone or its pid belongs to another."""
        try:
            process = psutil.Process(self.pid)
            same = self.boot == _boot() and abs(_start(process) - self.started) <= _TOLERANCE
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.Error:
            return None


def _start(process: psutil.Process) -> float:
    if sys.platform != "linux":
        return process.create_time()
    # psutil adds the time of the boot, which moves with the clock. proc(5): field 22 of `stat`; the
    # second one, the name in parentheses, may hold blanks.
    try:
        return float(Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[19])
    except OSError as error:
        raise psutil.NoSuchProcess(process.pid) from error


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def read_record(folder: Path, name: str) -> Record | None:
    """The record that an earlier run left, if there is one."""
    try:
        return Record(**json.loads((folder / f"{name}.json").read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def record_of(name: str, pid: int) -> Record:
    """The record of a process that lives now."""
    return Record(name, pid, _start(psutil.Process(pid)), _boot())


class Child:
    """A process that this process has started."""

    def __init__(
        self, name: str, popen: subprocess.Popen[bytes], runs: Path, log: Path, began: int
    ) -> None:
        """`began`: how long its log was before it."""
        self.name = name
        self.log = log
        self._popen = popen
        self._runs = runs
        self._began = began
        self.record = record_of(name, popen.pid)
        self.record.save(runs)

    @property
    def pid(self) -> int:
        """Its process id, which is also its process group."""
        return self._popen.pid

    def exit_status(self) -> int | None:
        """None while it runs; negative is the signal that ended it."""
        return self._popen.poll()

    def last_words(self) -> str:
        """The end of what it has written to its log, without that of earlier processes."""
        return tail(self.log, since=self._began)

    def stop(self, *signals: int, grace: float) -> None:
        """End it: each signal in turn, `grace` seconds after the one before, SIGKILL at last."""
        if self.exit_status() is None:
            end(psutil.Process(self.pid), *signals, grace=grace, gone=self._reaped)
        (self._runs / f"{self.name}.json").unlink(missing_ok=True)

    def _reaped(self) -> bool:
        return self.exit_status() is not None


def spawn(
    name: str,
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    runs: Path,
    log: Path,
    account: Account | None = None,
) -> Child:
    """Start a process in a session of its own; its output is appended to `log`."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    began = os.fstat(descriptor).st_size
    try:
        popen = subprocess.Popen(
            [str(part) for part in command],
            env=dict(env),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    finally:
        os.close(descriptor)
    return Child(name, popen, runs, log, began)


def end(
    process: psutil.Process,
    *signals: int,
    grace: float,
    gone: Callable[[], bool] | None = None,
) -> None:
    """End a process and what it has started; see `Child.stop`."""
    try:
        family = process.children(recursive=True)
    except psutil.Error:
        family = []
    for number in (*(signals or (signal.SIGTERM,)), signal.SIGKILL):
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)
        if wait_until(gone or (lambda: not is_alive(process)), grace):
            break
    # Grandchildren that the process did not take along; psutil refuses recycled pids.
    for member in family:
        with suppress(psutil.NoSuchProcess):
            if not wait_until(lambda member=member: not is_alive(member), 1.0):
                member.kill()


def is_alive(process: psutil.Process) -> bool:
    """Whether it still runs; a zombie does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def listens(process: psutil.Process, port: int) -> bool:
    """Whether the process itself listens on the port: else another program answers there."""
    try:
        sockets = process.net_connections("tcp")
    except psutil.AccessDenied:
        return True  # the system keeps it to itself
    except psutil.Error:
        return False
    return any(
        each.status == psutil.CONN_LISTEN and each.laddr and each.laddr.port == port
        for each in sockets
    )


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Ask every 10 ms until the condition holds; False when it never did."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def tail(log: Path, lines: int = 15, *, since: int = 0) -> str:
    """The last lines of a log, of those after the first `since` bytes."""
    try:
        with log.open("rb") as file:
            size = log.stat().st_size
            # A log that has become shorter was rotated.
            file.seek(max(since if since <= size else 0, size - 16_384))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""
