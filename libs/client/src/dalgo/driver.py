"""The two thin executors: they do what a flow asks for, one blocking, one awaiting."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

import httpx
from pydantic import ValidationError

from dalgo.call import Call, Listing
from dalgo.errors import misread
from dalgo.flow import Flow, Line, Pause, Received, exchange

T = TypeVar("T")


class SyncDriver:
    """Performs calls on an httpx.Client."""

    def __init__(self, http: httpx.Client, line: Line) -> None:
        self.line = line
        self._http = http

    def perform(self, call: Call[T]) -> T:
        """The answer to a call; raises DalgoError."""
        return _parsed(call, self._run(exchange(self.line, call)))

    def items(self, call: Listing[T]) -> Iterator[T]:
        """A list, its pages fetched as they are needed."""
        following: Call[Any] | None = call
        while following is not None:
            page = self.perform(following)
            yield from page.items
            following = page.next

    @contextmanager
    def stream(self, call: Call[Any]) -> Iterator[httpx.Response]:
        """The answer to a call while its body still arrives."""
        response = self._run(exchange(self.line, call, stream=True))
        try:
            yield response
        finally:
            response.close()

    def pause(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def _run(self, flow: Flow) -> httpx.Response:
        received: Received = None
        while True:
            try:
                wanted = flow.send(received)
            except StopIteration as end:
                return end.value
            if isinstance(wanted, Pause):
                self.pause(wanted.seconds)
                received = None
                continue
            try:
                received = self._http.send(wanted.request, stream=wanted.stream)
                if wanted.stream and received.is_error:
                    received.read()
            except httpx.TransportError as error:
                received = error


class AsyncDriver:
    """Performs calls on an httpx.AsyncClient."""

    def __init__(self, http: httpx.AsyncClient, line: Line) -> None:
        self.line = line
        self._http = http

    async def perform(self, call: Call[T]) -> T:
        """The answer to a call; raises DalgoError."""
        return _parsed(call, await self._run(exchange(self.line, call)))

    async def items(self, call: Listing[T]) -> AsyncIterator[T]:
        """A list, its pages fetched as they are needed."""
        following: Call[Any] | None = call
        while following is not None:
            page = await self.perform(following)
            for item in page.items:
                yield item
            following = page.next

    @asynccontextmanager
    async def stream(self, call: Call[Any]) -> AsyncIterator[httpx.Response]:
        """The answer to a call while its body still arrives."""
        response = await self._run(exchange(self.line, call, stream=True))
        try:
            yield response
        finally:
            await response.aclose()

    async def pause(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    async def _run(self, flow: Flow) -> httpx.Response:
        received: Received = None
        while True:
            try:
                wanted = flow.send(received)
            except StopIteration as end:
                return end.value
            if isinstance(wanted, Pause):
                await self.pause(wanted.seconds)
                received = None
                continue
            try:
                received = await self._http.send(wanted.request, stream=wanted.stream)
                if wanted.stream and received.is_error:
                    await received.aread()
            except httpx.TransportError as error:
                received = error


def _parsed(call: Call[T], response: httpx.Response) -> T:
    try:
        return call.parse(response)
    except ValidationError as error:
        raise misread(response, error) from error
