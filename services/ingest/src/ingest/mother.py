"""Our end of the process that forks workers (`ingest.worker`), and of the workers themselves."""

import asyncio
import json
import os
import shutil
import signal
import socket
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

from ingest.connectors import Unavailable
from ingest.jobs import Line, Order, Places

LONGEST_LINE = 1 << 26
Born = tuple[int, asyncio.Future[int]]
"""A process id, and the exit code once the process has ended; a negative one is a signal."""


class Mother:
    """Imports what is slow once; a worker of hers is warm within milliseconds.

    `await Mother.start(folder)`, then `fork` as often as wanted, `end` at last: her workers end
    with her.
    """

    def __init__(self, process: asyncio.subprocess.Process, control: socket.socket) -> None:
        self._process = process
        self._control = control
        self._ended: dict[int, asyncio.Future[int]] = {}
        self._forking = asyncio.Lock()
        self._ready = asyncio.get_running_loop().create_future()
        self._born: asyncio.Future[Born | None] = asyncio.get_running_loop().create_future()
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def start(cls, folder: Path) -> Self:
        """Begin to import; the first `fork` waits for the end of it. Raises OSError."""
        # Nothing of our environment: it holds the database's password.
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "HOME": str(folder),
            "TMPDIR": str(folder),
            "DLT_DATA_DIR": str(folder),
            "RUNTIME__DLTHUB_TELEMETRY": "false",
            # dlt's log repeats the rows that the database refused.
            "RUNTIME__LOG_LEVEL": "CRITICAL",
        }
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    *("-m", "ingest.worker"),
                    stdin=theirs.fileno(),
                    stdout=asyncio.subprocess.DEVNULL,
                    cwd=folder,
                    env=environment,
                    start_new_session=True,
                )
        except BaseException:
            ours.close()
            raise
        return cls(process, ours)

    @property
    def lives(self) -> bool:
        """Whether she can be asked for a worker."""
        return not self._listening.done()

    async def fork(self, folder: Path, memory_mb: int) -> "Worker":
        """A worker in a folder of its own. Raises Unavailable when she is dead."""
        await asyncio.shield(self._ready)
        ours, theirs = socket.socketpair()
        with ExitStack() as held:
            held.enter_context(ours)
            held.enter_context(theirs)
            reader, writer = await asyncio.open_connection(sock=ours, limit=LONGEST_LINE)
            held.callback(writer.close)
            said = json.dumps({"folder": str(folder), "memory_mb": memory_mb}).encode()
            birth = asyncio.create_task(self._bear(said, theirs))
            try:
                born = await asyncio.shield(birth)
            except asyncio.CancelledError:
                if (born := await birth) is not None:
                    _kill(born[0])
                raise
            if born is None:
                raise Unavailable("worker_died", "No process could be started for the file.")
            held.pop_all()
            theirs.close()
        return Worker(*born, folder, reader, writer)

    async def _bear(self, said: bytes, theirs: socket.socket) -> "Born | None":
        """None when she is dead. One at a time, so that no two are read as one."""
        async with self._forking:
            self._born = asyncio.get_running_loop().create_future()
            if self.lives:
                with suppress(OSError):
                    socket.send_fds(self._control, [said], [theirs.fileno()])
                    return await self._born
            return None

    async def end(self) -> None:
        """Kill her, and with her whoever still works."""
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._listening

    async def _listen(self) -> None:
        reader, writer = await asyncio.open_connection(sock=self._control.dup())
        with suppress(ConnectionError):
            if await reader.readline() == b"ready\n":
                self._ready.set_result(None)
            while text := await reader.readline():
                what, pid, *code = text.split()
                if what == b"born":
                    self._ended[int(pid)] = asyncio.get_running_loop().create_future()
                    self._born.set_result((int(pid), self._ended[int(pid)]))
                else:
                    self._ended.pop(int(pid)).set_result(int(code[0]))
        writer.close()
        await self._process.wait()
        self._control.close()
        if not self._ready.done():
            self._ready.set_result(None)
        if not self._born.done():
            self._born.set_result(None)
        for ended in self._ended.values():
            ended.set_result(-signal.SIGKILL)


class Worker:
    """A forked process that waits for one order."""

    def __init__(
        self,
        pid: int,
        ended: asyncio.Future[int],
        folder: Path,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._pid = pid
        self._folder = folder
        self._ended = ended
        self._reader = reader
        self._writer = writer

    @property
    def lives(self) -> bool:
        """Whether it has not ended; its mother's word may be on its way."""
        if self._ended.done():
            return False
        try:
            os.kill(self._pid, 0)
        except ProcessLookupError:
            return False
        return True

    @property
    def exit_code(self) -> int | None:
        """Of one that has ended; a negative one is a signal."""
        return self._ended.result() if self._ended.done() else None

    async def tell(self, order: Order | Places) -> None:
        """Give it its order, or what it asks back; one that is dead takes it in silence."""
        with suppress(ConnectionError):
            self._writer.write((order.model_dump_json() + "\n").encode())
            await self._writer.drain()

    async def line(self) -> Line:
        """The next line it says. Raises Unavailable when it died instead."""
        with suppress(ConnectionError):
            text = await self._reader.readline()
            if text.endswith(b"\n"):
                return Line.model_validate_json(text)
        code = await self._ended
        how = f"killed by signal {-code}" if code < 0 else f"exit status {code}"
        raise Unavailable(
            "worker_died",
            f"The process that read the file ended early ({how}); it may have run out of memory.",
        )

    async def end(self) -> None:
        """Kill it with everything it started, and remove its files."""
        if self.lives:
            _kill(self._pid)
        await self._ended
        self._writer.close()
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)


def _kill(pid: int) -> None:
    """With everything it started; it may be too young to lead a group."""
    for kill in (os.killpg, os.kill):
        with suppress(ProcessLookupError):
            kill(pid, signal.SIGKILL)
