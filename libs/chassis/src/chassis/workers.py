"""Worker processes: computations within a budget of CPU time, ended by the kernel when it is spent.

Workers are forked by Python's fork server (`multiprocessing`), which has imported what is slow and
starts no thread: a new one is ready within milliseconds and shares those pages.
"""

import asyncio
import multiprocessing
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.context import ForkServerContext
from typing import ParamSpec, TypeVar

import prometheus_client as prometheus

from chassis.telemetry import log
from chassis.worker import WorkFailed, serve
from contracts.problem import ProblemError

P = ParamSpec("P")
R = TypeVar("R")

_ALIVE = prometheus.Gauge("dalgo_workers", "Worker processes that are alive")
_ENDED = prometheus.Counter("dalgo_workers_ended", "Worker processes that ended", ["reason"])

_STALL = 30.0
"""Seconds by the clock that a computation may take beyond its budget, on a machine that is busy."""


class BudgetSpent(Exception):
    """The computation took more CPU time or memory than it may; its process has ended."""


class WorkerLost(Exception):
    """The process ended, or made no progress, for a reason that lies outside the computation."""


class Workers:
    """Starts worker processes when they are needed and keeps some of them.

    How many computations one organisation runs at once is for the caller's share to bound.
    """

    def __init__(
        self, preload: Sequence[str], *, most: int, idle: int = 2, memory_mb: int = 1024
    ) -> None:
        """`preload`: modules that the fork server imports; one list for all of a process.

        `most`: workers at once; `idle`: those that are kept; `memory_mb`: address space of each.
        """
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["chassis.worker", *preload])
        self._threads = ThreadPoolExecutor(most + 1, "workers")
        self._slots = asyncio.Semaphore(most)
        self._most_idle = idle
        self._memory = memory_mb << 20
        self._idle: list[_Worker] = []
        self._alive: set[_Worker] = set()
        self._closed = False
        self._lock = threading.Lock()

    def warm(self) -> None:
        """Start the fork server and a worker in the background, so that no request waits for it."""
        self._threads.submit(lambda: self._give_back(self._start()))

    async def close(self) -> None:
        """End all workers, those that compute too."""
        with self._lock:
            self._closed = True
            alive = list(self._alive)
        struck = [worker for worker in alive if self._strike(worker, "closed")]
        await asyncio.to_thread(lambda: [worker.end() for worker in struck])
        self._threads.shutdown(wait=False, cancel_futures=True)

    def pids(self) -> list[int]:
        """The process ids of the workers that are alive."""
        with self._lock:
            return [worker.pid for worker in self._alive]

    async def run(
        self, seconds: float, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """The result of a module's function in a worker, after at most `seconds` of CPU time.

        Cancelled, the worker ends. A worker that was lost is replaced and the function runs once
        more, so it must have no effects.

        Raises ProblemError as the function does; BudgetSpent, WorkerLost and WorkFailed.
        """
        async with self._slots:
            try:
                return await self._once(seconds, work, args, kwargs)
            except WorkerLost as error:
                log.warning("worker_lost", work=work.__name__, reason=str(error))
            return await self._once(seconds, work, args, kwargs)

    async def _once(
        self,
        seconds: float,
        work: Callable[..., R],
        args: tuple[object, ...],
        kwargs: dict[str, object],
    ) -> R:
        worker = await self._take()
        loop = asyncio.get_running_loop()
        performing = loop.run_in_executor(
            self._threads, worker.perform, seconds, work, args, kwargs
        )
        try:
            async with asyncio.timeout(seconds + _STALL):
                result = await asyncio.shield(performing)
        except BaseException as error:
            # Read, so that an outcome which nobody waits for is no warning.
            performing.add_done_callback(lambda done: done.cancelled() or done.exception())
            worker.kill()
            reason = "budget" if isinstance(error, BudgetSpent) else "lost"
            reason = "cancelled" if isinstance(error, asyncio.CancelledError) else reason
            self._end_soon(worker, reason)
            if isinstance(error, TimeoutError):
                raise WorkerLost(f"no result after {seconds + _STALL:g} s") from error
            raise
        if worker.is_spent:
            self._end_soon(worker, "large")
        else:
            self._give_back(worker)
        if isinstance(result, ProblemError | WorkFailed):
            raise result
        return result

    async def _take(self) -> "_Worker":
        with self._lock:
            if self._idle:
                return self._idle.pop()
        starting = asyncio.get_running_loop().run_in_executor(self._threads, self._start)
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            starting.add_done_callback(
                lambda done: done.cancelled() or done.exception() or self._give_back(done.result())
            )
            raise

    def _start(self) -> "_Worker":
        """Blocks until the fork server has forked."""
        try:
            worker = _Worker(self._context, self._memory)
        except (OSError, EOFError) as error:
            raise WorkerLost(f"no process could be started: {error!r}") from error
        _ALIVE.inc()
        with self._lock:
            self._alive.add(worker)
        return worker

    def _give_back(self, worker: "_Worker") -> None:
        with self._lock:
            keep = not self._closed and len(self._idle) < self._most_idle
            if keep:
                self._idle.append(worker)
        if not keep:
            self._end_soon(worker, "idle")

    def _end_soon(self, worker: "_Worker", reason: str) -> None:
        """It counts as ended from now on."""
        if not self._strike(worker, reason):
            return
        # After `close` there is no thread left, and no worker that is still to be ended.
        with suppress(RuntimeError):
            self._threads.submit(worker.end)

    def _strike(self, worker: "_Worker", reason: str) -> bool:
        """Whether the worker was still on the list of those that are alive."""
        with self._lock:
            if worker not in self._alive:
                return False
            self._alive.discard(worker)
            if worker in self._idle:
                self._idle.remove(worker)
        _ALIVE.dec()
        _ENDED.labels(reason).inc()
        return True


class _Worker:
    """One process, and our end of the pipe to it."""

    def __init__(self, context: ForkServerContext, memory: int) -> None:
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, memory), daemon=True)
        with theirs:
            self._process.start()
        self.pid = self._process.pid or 0
        self.is_spent = False
        """Whether the process ends by itself after the answer that it has given."""

    def perform(
        self,
        seconds: float,
        work: Callable[..., R],
        args: tuple[object, ...],
        kwargs: dict[str, object],
    ) -> R | ProblemError | WorkFailed:
        """Blocks for the outcome. Raises BudgetSpent and WorkerLost."""
        try:
            self._connection.send((seconds, work, args, kwargs))
            state, result, self.is_spent = self._connection.recv()
        except (EOFError, OSError):
            self._process.join(5)
            code = self._process.exitcode
            if code == -signal.SIGPROF:
                raise BudgetSpent(f"more than {seconds:g} s of CPU time") from None
            raise WorkerLost(f"exit code {code}") from None
        if state == "spent":
            raise BudgetSpent(str(result))
        return result

    def kill(self) -> None:
        """End the process at once; `perform` then raises."""
        self._process.kill()

    def end(self) -> None:
        """End the process and close what belonged to it; blocks for it."""
        self._process.kill()
        self._process.join(5)
        self._connection.close()
