"""One process of the stack, whatever it is: how it is watched and started again."""

import asyncio
import errno
import os
import time
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Protocol, TypeVar

from stack.errors import StackError
from stack.ports import displaced
from stack.process import tail

T = TypeVar("T")
Report = Callable[[str, float], None]
"""Told what has just been done, and how many seconds it took."""
Call = Callable[[Callable[[], object]], Awaitable[None]]
"""Runs what blocks in a thread."""

_LOOK = 0.2
"""Seconds between two looks at a process."""
_PATIENCE = 30.0
"""Seconds: the longest wait before another restart, and the life that counts as a good start."""

_TRIES = 3
"""Starts after a first one that met another program's port."""
_TAKEN = os.strerror(errno.EADDRINUSE).lower()


class Unit(Protocol):
    """What the supervisor needs of a process; `start` and `stop` block until it is done."""

    name: str
    log: Path

    def ports(self) -> dict[str, int]:
        """Where it listens: ports by their names in `state.json`."""
        ...

    def leave_taken_ports(self) -> None:
        """Choose another port for each of its own on which another program listens."""
        ...

    def start(self) -> None:
        """Start it and wait until it is ready; raises StackError."""
        ...

    def stop(self) -> None:
        """Stop it; nothing when it does not run."""
        ...

    def is_running(self) -> bool:
        """Whether its process lives."""
        ...


async def at_once(*works: Coroutine[object, object, T]) -> list[T]:
    """Do them at once; the first failure is raised alone, after the others have been cancelled."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work) for work in works]
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [task.result() for task in tasks]


async def begin(unit: Unit, call: Call, report: Report) -> bool:
    """Start it, on other ports when another program has taken its own; returns whether it moved.

    Raises StackError when it does not start for another reason.
    """
    first = unit.ports()
    for tries_left in reversed(range(_TRIES + 1)):
        try:
            await call(unit.start)
            break
        except StackError as error:
            if not tries_left or unit.is_running():
                raise
            before = unit.ports()
            await call(unit.leave_taken_ports)
            # One that is free again by now was taken all the same.
            if unit.ports() == before and _TAKEN not in str(error).lower():
                raise
    moved = {name: port for name, port in unit.ports().items() if port != first[name]}
    for name, port in moved.items():
        report(displaced(name, first[name], port), 0.0)
    return bool(moved)


async def keep_up(
    unit: Unit, call: Call, report: Report, restarted: Callable[[bool], Awaitable[None]]
) -> None:
    """Start it again whenever it ends, until cancelled: at once, then ever more slowly.

    `restarted` is awaited after each restart, with whether it listens elsewhere now.
    """
    wait = 0.0
    alive_since = time.monotonic()
    while True:
        await asyncio.sleep(_LOOK)
        if unit.is_running():
            continue
        if time.monotonic() - alive_since > _PATIENCE:
            wait = 0.0
        report(f"{unit.name} ended; starting it again in {wait:.1f} s", 0.0)
        await asyncio.sleep(wait)
        wait = min(max(2 * wait, 0.5), _PATIENCE)
        began = time.perf_counter()
        try:
            moved = await begin(unit, call, report)
            report(f"{unit.name} runs again", time.perf_counter() - began)
            await restarted(moved)
        except (StackError, OSError) as error:
            report(f"{error}\n{tail(unit.log, 3)}", time.perf_counter() - began)
        alive_since = time.monotonic()


def tolerant(report: Report) -> Report:
    """The stack stays up, and ends in order, when the terminal that it reports to has gone."""

    def say(line: str, seconds: float) -> None:
        try:
            report(line, seconds)
        except OSError:
            return

    return say
