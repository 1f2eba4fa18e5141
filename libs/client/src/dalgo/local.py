"""Dalgo on this machine. Imported only where it is wanted: it needs the package `dalgo-stack`."""

import asyncio
import logging
import os
import re
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import structlog

from contracts.problem import Problem
from dalgo.errors import DalgoError
from stack import backup, control, migrating, restoring, supervisor, topology
from stack.errors import StackError
from stack.layout import Layout
from stack.operator import Operator

T = TypeVar("T")

Report = Callable[[str, float], None]
"""Told what has just been done, and how many seconds it took."""

_START_WITHIN = 180.0
"""Seconds; the first start on a slow disk makes a database cluster."""


class LocalStack:
    """The servers and services of one data directory."""

    def __init__(self, data_dir: Path | None = None) -> None:
        self.layout = Layout(data_dir.expanduser().absolute()) if data_dir else Layout.default()

    def up(
        self,
        report: Report,
        *,
        port: int | None = None,
        on_ready: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        """Start everything and keep it up until a signal; raises DalgoError when it cannot."""
        options = supervisor.Options(self.layout, port)
        # Migrations and streams are told by `report` already.
        _log_warnings_alone()
        with _told():
            asyncio.run(supervisor.up(options, report, on_ready=on_ready))

    def launch(self, report: Report, *, port: int | None = None) -> str:
        """Start `dalgo up` in the background; returns the URL once it is ready.

        Raises DalgoError with its error when it does not get there.
        """
        with _told():
            self.layout.make()
        command = [sys.executable, "-m", "dalgo", "up", "--data-dir", str(self.layout.root)]
        command += ["--port", str(port)] if port else []
        log = self.layout.log("up")
        began = time.monotonic()
        log.write_bytes(b"")
        with log.open("ab") as output:  # appends: the log is rotated below it
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                start_new_session=True,
            )
        try:
            while (url := self._ready_url()) is None:
                if child.poll() is not None:
                    _, _, error = log.read_text(errors="replace").rpartition("Error: ")
                    raise _problem("not_started", error.strip())
                if time.monotonic() - began > _START_WITHIN:
                    raise _problem(
                        "not_started", f"It is not ready after {_START_WITHIN:.0f} s: see {log}."
                    )
                time.sleep(0.1)
        except BaseException:
            child.terminate()
            child.wait()
            raise
        for what, seconds in _reported(log):
            report(what, seconds)
        return url

    def down(self, report: Report) -> None:
        """Stop everything that `up` or `launch` has started."""
        with _told():
            control.down(self.layout, report)

    def status(self) -> control.Status:
        """What runs."""
        with _told():
            return control.status(self.layout)

    def migrate(self, report: Report) -> None:
        """Bring the database to this program's version; raises DalgoError when it cannot."""
        began = time.monotonic()
        with _told("Not migrated"):
            asyncio.run(migrating.migrate(self.layout, os.environ))
        report("database migrated", time.monotonic() - began)

    def backup(self, file: Path, report: Report) -> None:
        """Write all that the installation is to a file; raises DalgoError when it cannot."""
        with _told("Not backed up"):
            asyncio.run(
                backup.backup(self.layout, os.environ, file, lambda line: report(line, 0.0))
            )

    def restore(self, file: Path, report: Report) -> None:
        """Make the installation of a backup, in an empty one; raises DalgoError when it cannot."""
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
        with _told("Not restored"):
            asyncio.run(restoring.restore_here(self.layout, os.environ, file, report))

    def operate(self, work: Callable[[Operator], Coroutine[Any, Any, T]]) -> T:
        """Do something as the operator of the stack; raises DalgoError when it cannot be done."""
        with _told("Not done"):
            return asyncio.run(work(Operator(self.layout)))

    def topology(self) -> list[str]:
        """Make the streams of the bus; gives what an operator should change by hand."""
        _log_warnings_alone()
        return self.operate(lambda operator: operator.topology())

    def nats_users(self) -> str:
        """Users and rights for a NATS of one's own."""
        return topology.nats_users()

    def _ready_url(self) -> str | None:
        found = self.status()
        return found.url if found.ready else None


def _reported(log: Path) -> Iterator[tuple[str, float]]:
    """What `dalgo up` has printed of its start: a time and what took it, a line each."""
    for line in log.read_text(errors="replace").splitlines():
        if found := re.fullmatch(r" *(\d+\.\d\d) s  (.+)", line):
            yield found.group(2), float(found.group(1))


def _log_warnings_alone() -> None:
    """What the command prints itself is not logged besides; what went wrong is."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))


@contextmanager
def _told(title: str = "Not started") -> Iterator[None]:
    """The stack's own errors as those of the client: a message for the person."""
    try:
        yield
    except StackError as error:
        raise _problem("stack", str(error), title) from error


def _problem(code: str, detail: str, title: str = "Not started") -> DalgoError:
    return DalgoError(Problem(title=title, status=503, code=code, detail=detail))
