"""Request coalescing: a repeat shares the work of the request that it repeats; a newer one ends it."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

import prometheus_client as prometheus

from contracts.problem import problem

T = TypeVar("T")

_JOINED = prometheus.Counter("dalgo_requests_joined", "Requests that shared the work of another")
_SUPERSEDED = prometheus.Counter("dalgo_requests_superseded", "Requests that a newer one ended")


class Coalescing:
    """The work under way in one replica, by the content of its requests and by their views."""

    def __init__(self) -> None:
        self._work: dict[Hashable, _Work] = {}
        self._views: dict[Hashable, _Work] = {}

    async def run(
        self, content: Hashable, view: Hashable | None, begin: Callable[[], Awaitable[T]]
    ) -> T:
        """The result of the work of equal `content` that is under way, else of a new one.

        New work takes the place of older work of the same `view`: all who wait for that get a 409
        problem, and it is cancelled. Work is cancelled too once nobody waits for it.
        """
        work = self._work.get(content)
        if work is None or work.is_ending:
            work = self._work[content] = _Work(asyncio.ensure_future(begin()))
            work.task.add_done_callback(lambda _: self._forget(self._work, content, work))
        else:
            _JOINED.inc()
        if view is not None:
            older = self._views.get(view)
            if older is not None and older is not work:
                older.supersede()
            self._views[view] = work
            work.task.add_done_callback(lambda _: self._forget(self._views, view, work))
        return await work.result()

    @staticmethod
    def _forget(works: "dict[Hashable, _Work]", key: Hashable, work: "_Work") -> None:
        if works.get(key) is work:
            del works[key]
        # Read, so that an error that comes after the last asker has left is no warning.
        if not work.task.cancelled():
            work.task.exception()


class _Work:
    """A task, and how many requests wait for it."""

    def __init__(self, task: "asyncio.Future[Any]") -> None:
        self.task = task
        self.is_ending = False
        """It was cancelled, and may still clean up: an equal request begins anew."""
        self._waiting = 0
        self._is_superseded = False

    def supersede(self) -> None:
        """End the work: a newer request has taken its place."""
        if not self.task.done():
            _SUPERSEDED.inc()
            self._is_superseded = self.is_ending = True
            self.task.cancel()

    async def result(self) -> Any:
        """Wait with the others; the last one to leave cancels the work."""
        self._waiting += 1
        try:
            # Shielded: another request may still wait when this one is withdrawn.
            return await asyncio.shield(self.task)
        except asyncio.CancelledError as error:
            if self._is_superseded:
                raise problem(
                    409, "superseded", "A newer request for the same view took its place."
                ) from error
            if self._waiting == 1:
                self.is_ending = True
                self.task.cancel()
                await asyncio.wait({self.task})
            raise
        finally:
            self._waiting -= 1
