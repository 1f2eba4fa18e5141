"""Heals the bus while it runs: a store that refuses messages, streams that are gone."""

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from chassis.bus_login import BusLogin
from stack.errors import StackError
from stack.nats import Nats
from stack.prepare import missing_streams, prepare_bus
from stack.unit import Call, Report

_LOOK = 2.0
_ROOM = 16 * 1024 * 1024
"""Bytes that the disk must take before a server is started on it again."""


class BusWatch:
    """Looks until cancelled; what it cannot heal it reports, once.

    nats-server keeps the error of a failed write and refuses the stream's messages until it is started
    again. Streams can be made by the migrator alone; services find out by themselves that they are new
    (`chassis.lost_streams`).
    """

    def __init__(
        self,
        servers: Sequence[Nats],
        url: Callable[[], str],
        login: BusLogin,
        *,
        replicas: int,
        store: int,
        call: Call,
        report: Report,
    ) -> None:
        """`servers`: those that are ours to end; their supervisor starts them again. `url`: of the bus now."""
        self._servers = servers
        self._url = url
        self._login = login
        self._replicas = replicas
        self._store = store
        self._call = call
        self._report = report
        self._reported: set[str] = set()

    async def run(self) -> None:
        """Look until cancelled."""
        async with asyncio.TaskGroup() as group:
            # Apart: a server that stores nothing keeps who makes its streams waiting.
            group.create_task(self._unblock_all())
            group.create_task(self._mend_topology())

    async def _unblock_all(self) -> None:
        while True:
            await asyncio.sleep(_LOOK)
            for server in self._servers:
                await self._call(lambda server=server: self._unblock(server))

    async def _mend_topology(self) -> None:
        while True:
            await asyncio.sleep(_LOOK)
            await self._topology()

    def _unblock(self, server: Nats) -> None:
        fault = server.write_error()
        if fault is None:
            self._reported.discard(server.name)
            return
        if server.name not in self._reported:
            self._reported.add(server.name)
            self._report(f"{server.name} cannot store messages: {fault}", 0.0)
        if has_room(server.home):
            self._report(f"{server.name} is started again, for it goes on to refuse messages", 0.0)
            server.end()

    async def _topology(self) -> None:
        from nats.errors import Error

        try:
            async with asyncio.timeout(10):
                missing = await missing_streams(self._url(), self._login)
        except (OSError, TimeoutError, Error):
            # It is away, or not ready yet.
            return
        if not missing:
            return
        names = ", ".join(missing)
        try:
            async with asyncio.timeout(30):
                await prepare_bus(self._url(), self._login, self._replicas, self._store)
        except (OSError, TimeoutError, Error, StackError) as error:
            self._report(f"streams are missing ({names}) and cannot be made: {error!r}", 0.0)
        else:
            self._report(f"streams were missing and are made again: {names}", 0.0)


def has_room(folder: Path) -> bool:
    """Whether the disk takes some more."""
    with suppress(OSError), NamedTemporaryFile(dir=folder, prefix="room-") as probe:
        os.posix_fallocate(probe.fileno(), 0, _ROOM)
        return True
    return False
