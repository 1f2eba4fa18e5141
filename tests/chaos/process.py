"""One replica of a service as a process: started, killed, frozen, and started again when it ends."""

import asyncio
import contextlib
import os
import signal
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from chassis.crash_points import STATUS


@dataclass
class Deaths:
    """How processes ended, over all of them."""

    points: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(service, crash point): how often a process died there."""
    killed: Counter[str] = field(default_factory=Counter)
    by_themselves: list[str] = field(default_factory=list)
    """Ends that nobody asked for."""


class Replica:
    """One of the processes of a service."""

    def __init__(
        self,
        service: str,
        number: int,
        port: int,
        environment: Mapping[str, str],
        folder: Path,
        deaths: Deaths,
    ) -> None:
        self.service = service
        self.name = f"{service}-{number}"
        self.port = port
        self.log = folder / "logs" / f"{self.name}.log"
        self.sessions: list[int] = []
        """Every session that was begun: leftovers of a process are still in its own."""
        self.crash_at: str | None = None
        """The point at which the process that runs now is to die."""
        self._next: str | None = None
        self._environment = dict(environment)
        self._folder = folder
        self._deaths = deaths
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._closing = False

    @property
    def pid(self) -> int | None:
        """Its process id while it lives."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def start(self) -> None:
        """Start it, and start it again whenever it ends."""
        await self._spawn()
        self._keeper = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """End it for good, at once."""
        self._closing = True
        self._signal(family=True)
        if self._keeper is not None:
            await self._keeper

    def kill(self, crash_at: str | None = None) -> None:
        """As a crash would; the next process dies at the point `crash_at`."""
        self._next = crash_at
        self._signal()

    def _signal(self, *, family: bool = False) -> None:
        if self.pid is None:
            return
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(self.pid)
            for member in [process, *(process.children(recursive=True) if family else [])]:
                with contextlib.suppress(psutil.Error):
                    member.kill()

    def leftovers(self) -> list[psutil.Process]:
        """Processes that outlived the one that had started them."""
        dead = set(self.sessions) - {self.pid}
        found: list[psutil.Process] = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if os.getsid(process.pid) in dead and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    async def _spawn(self) -> None:
        self.crash_at, self._next = self._next, None
        environment = os.environ | self._environment
        if self.crash_at:
            environment["CRASH_AT"] = self.crash_at
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", self.service),
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.sessions.append(self._process.pid)
        (self._folder / "pids" / self.name).write_text(str(self._process.pid))

    async def _keep(self) -> None:
        while self._process is not None:
            status = await self._process.wait()
            if self._closing:
                return
            if status == STATUS and self.crash_at:
                self._deaths.points[self.service, self.crash_at.partition(":")[0]] += 1
            elif status == -signal.SIGKILL:
                self._deaths.killed[self.service] += 1
            else:
                self._deaths.by_themselves.append(f"{self.name} ended with status {status}")
            await self._spawn()
