"""What tests of one service share: its neighbours on the bus, each with their real rights."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest_asyncio

from chassis.answers import Answers
from chassis.bus import Bus
from contracts.envelope import Meta
from contracts.message import Part, Request

Handlers = dict[type[Request], Callable[[Any, Meta], Awaitable[Part]]]


@pytest_asyncio.fixture
async def stand_in(ground) -> AsyncIterator[Callable[[str, Handlers], Awaitable[None]]]:
    """Answers requests in the place of a service that is not under test."""
    async with AsyncExitStack() as stack:

        async def start(service: str, handlers: Handlers) -> None:
            answers = Answers(ground.bus(service), service)
            for kind, handler in handlers.items():
                answers.answer(kind, handler)
            await answers.start()
            stack.push_async_callback(answers.stop)

        yield start


@pytest_asyncio.fixture
async def connect_bus(ground) -> AsyncIterator[Callable[[str], Awaitable[Bus]]]:
    """Opens connections to the bus as a user of it; closes them after the test."""
    async with AsyncExitStack() as stack:

        async def connect(name: str) -> Bus:
            bus = await Bus.connect(ground.bus(name), name)
            stack.push_async_callback(bus.close)
            return bus

        yield connect
