"""Computations in worker processes: budgets, losses, cancellation."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator

import pytest

from chassis.testing import eventually
from chassis.worker import WorkFailed
from chassis.workers import BudgetSpent, WorkerLost, Workers

ENDLESS = range(10**15)


@pytest.fixture
async def workers() -> AsyncIterator[Workers]:
    workers = Workers([], most=2)
    yield workers
    await workers.close()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_worker_serves_one_computation_after_the_other(workers: Workers) -> None:
    first = await workers.run(5, os.getpid)
    assert first != os.getpid()
    assert await workers.run(5, os.getpid) == first
    assert await workers.run(5, max, 1, 2) == 2


async def test_past_its_budget_a_computation_ends_with_its_process(workers: Workers) -> None:
    pid = await workers.run(5, os.getpid)
    with pytest.raises(BudgetSpent):
        await workers.run(0.2, sum, ENDLESS)
    assert not is_alive(pid)
    assert await workers.run(5, os.getpid) != pid


async def test_a_computation_that_takes_too_much_memory_is_past_its_budget(
    workers: Workers,
) -> None:
    with pytest.raises(BudgetSpent):
        await workers.run(5, bytearray, 1 << 34)
    assert await workers.run(5, max, 1, 2) == 2


async def test_the_time_that_a_computation_waits_is_not_in_its_budget(workers: Workers) -> None:
    await workers.run(0.5, time.sleep, 1)


async def test_a_worker_that_was_killed_is_replaced_and_its_computation_repeated(
    workers: Workers,
) -> None:
    idle = await workers.run(5, os.getpid)
    os.kill(idle, signal.SIGKILL)
    assert await workers.run(5, os.getpid) != idle
    working = asyncio.create_task(workers.run(5, time.sleep, 1))
    (pid,) = await eventually(lambda: _pids(workers))
    os.kill(pid, signal.SIGKILL)
    await working
    assert workers.pids() != [pid]


async def test_a_computation_whose_worker_is_lost_twice_is_given_up(workers: Workers) -> None:
    working = asyncio.create_task(workers.run(5, time.sleep, 30))
    killed: set[int] = set()
    while len(killed) < 2:
        for pid in set(workers.pids()) - killed:
            # The first one is busy, and so is the second as soon as it is there.
            await asyncio.sleep(0.1)
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
        await asyncio.sleep(0.01)
    with pytest.raises(WorkerLost):
        await working


async def test_a_computation_that_is_cancelled_ends_with_its_process(workers: Workers) -> None:
    pid = await workers.run(5, os.getpid)
    working = asyncio.create_task(workers.run(60, sum, ENDLESS))
    # The idle worker has it by then.
    for _ in range(5):
        await asyncio.sleep(0)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working

    async def ended() -> bool:
        return not is_alive(pid)

    await eventually(ended)


async def test_an_error_of_ours_tells_where_it_happened(workers: Workers) -> None:
    with pytest.raises(WorkFailed, match="invalid literal"):
        await workers.run(5, int, "x")


async def test_a_worker_sees_nothing_of_the_environment(workers: Workers) -> None:
    assert "PATH" in os.environ
    assert await workers.run(5, os.getenv, "PATH") is None


async def _pids(workers: Workers) -> list[int] | None:
    return workers.pids() or None
