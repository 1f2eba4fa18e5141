"""Ending the work on requests whose asker has left."""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar
from uuid import UUID

from nats.aio.msg import Msg

from chassis.telemetry import log
from contracts.problem import problem

T = TypeVar("T")

_REMEMBERED = 1_000
"""Withdrawals that are kept: each reaches every replica, and may be faster than its request."""


class Withdrawals:
    """The requests that one replica works on, each to be ended by its message's id."""

    def __init__(self) -> None:
        self._open: dict[str, asyncio.Future[Any]] = {}
        self._withdrawn: OrderedDict[str, None] = OrderedDict()

    async def hear(self, message: Msg) -> None:
        """Somebody has left: end what is done for them here, now or once it begins."""
        key = message.data.decode(errors="replace")
        self._withdrawn[key] = None
        if len(self._withdrawn) > _REMEMBERED:
            self._withdrawn.popitem(last=False)
        if task := self._open.get(key):
            log.info("request_withdrawn", subject=message.subject, id=key)
            task.cancel()

    async def watch(self, id: UUID, begin: Callable[[], Awaitable[T]]) -> T:
        """Do the work of a request; raises a 499 problem when it is withdrawn meanwhile."""
        key = str(id)
        if key in self._withdrawn:
            raise problem(499, "withdrawn", "Whoever asked has left.")
        task = self._open[key] = asyncio.ensure_future(begin())
        try:
            return await task
        except asyncio.CancelledError as error:
            if key not in self._withdrawn:
                raise
            raise problem(499, "withdrawn", "Whoever asked has left.") from error
        finally:
            del self._open[key]


async def undivided(work: Coroutine[Any, Any, T]) -> T:
    """Do a part of a request's work to its end, whether or not the request is withdrawn meanwhile."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({task})
        if not task.cancelled() and (error := task.exception()) is not None:
            log.info("withdrawn_request_failed", error=str(error) or repr(error))
        raise
