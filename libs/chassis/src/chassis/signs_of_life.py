"""Whether a request is still worked on: who works on it says so, and silence ends the waiting.

A request is not stored: a replica that dies takes those it had begun with it, and so does a
connection that breaks. Without a sign, whoever asked would wait out the longest time-out there is.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

EVERY = 1.0
"""Seconds between two signs of one replica; quicker answers come without any."""

SILENCE = 5.0
"""Seconds without a sign after which a request is lost. A busy event loop may miss a few."""


class AtWork:
    """The requests that one replica works on, told to all askers as long as there are any."""

    def __init__(self) -> None:
        self._begun: dict[str, float] = {}

    @contextmanager
    def on(self, id: str) -> Iterator[None]:
        """A block that works on a request."""
        self._begun[id] = asyncio.get_running_loop().time()
        try:
            yield
        finally:
            self._begun.pop(id, None)

    def forget(self) -> None:
        """The connection is a new one: the server refuses answers to what the old one was asked."""
        self._begun.clear()

    async def tell(self, connection: Client, subject: str) -> None:
        """Say which requests take long, until cancelled."""
        while True:
            await asyncio.sleep(EVERY)
            since = asyncio.get_running_loop().time() - EVERY
            long = [asked for asked, begun in self._begun.items() if begun < since]
            if long and connection.is_connected:
                with contextlib.suppress(NatsError):
                    await connection.publish(subject, json.dumps(long).encode())


class Patience:
    """The requests that one connection waits for, each as long as there are signs of its work."""

    def __init__(self, connection: Client) -> None:
        self._connection = connection
        self._watched: set[str] = set()
        self._waits: dict[str, asyncio.Timeout] = {}

    @asynccontextmanager
    async def until_silence(self, id: str, subject: str) -> AsyncIterator[None]:
        """A block that waits for an answer; TimeoutError when nobody says to work on it."""
        if subject not in self._watched:
            self._watched.add(subject)
            await self._connection.subscribe(subject, cb=self._hear)
        async with asyncio.timeout(SILENCE) as scope:
            self._waits[id] = scope
            try:
                yield
            finally:
                del self._waits[id]

    async def _hear(self, message: Msg) -> None:
        until = asyncio.get_running_loop().time() + SILENCE
        for asked in json.loads(message.data):
            scope = self._waits.get(asked)
            if scope is not None and not scope.expired():
                scope.reschedule(until)
