"""A TCP proxy between a service and a server, which can be cut, slowed down and made half-open."""

import asyncio
import contextlib

from stack.ports import LOOPBACK

_CHUNK = 65_536


class Proxy:
    """Passes connections on to a port of this machine for as long as nothing is wrong."""

    def __init__(self, target: int) -> None:
        self.port = 0
        self._target = target
        self._delay = 0.0
        self._flows = asyncio.Event()
        self._flows.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen on a port of its own."""
        self._server = await asyncio.start_server(self._accept, LOOPBACK, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Cut everything and listen no more."""
        self.heal()
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Reset every connection; new ones are taken."""
        for writer in list(self._writers):
            writer.transport.abort()

    def slow_down(self, seconds: float) -> None:
        """Let everything that is said arrive so much later."""
        self._delay = seconds

    def swallow(self) -> None:
        """Take what is said and pass nothing on, in both directions; nobody is told."""
        self._flows.clear()

    def heal(self) -> None:
        """Pass on again. What was swallowed makes a stream useless: those connections are reset."""
        self._delay = 0.0
        if not self._flows.is_set():
            self.cut()
            self._flows.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._writers.add(writer)
        try:
            await self._flows.wait()
            try:
                there, back = await asyncio.open_connection(LOOPBACK, self._target)
            except OSError:
                return
            self._writers.add(back)
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._pass(reader, back))
                    group.create_task(self._pass(there, writer))
            finally:
                self._writers.discard(back)
                back.transport.abort()
        except* (OSError, _Ended):
            pass
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while said := await reader.read(_CHUNK):
            if self._delay:
                await asyncio.sleep(self._delay)
            if not self._flows.is_set():
                continue
            writer.write(said)
            await writer.drain()
        with contextlib.suppress(OSError):
            await writer.drain()
            writer.close()
        raise _Ended


class _Ended(Exception):
    """One side has hung up: the other is hung up on."""
