"""Requests that share one piece of work, and those that take the place of another."""

import asyncio

import pytest

from chassis.coalescing import Coalescing
from contracts.problem import ProblemError


class Work:
    """Work that ends when it is let go, and counts."""

    def __init__(self) -> None:
        self.begun = 0
        self.cancelled = 0
        self.go = asyncio.Event()

    async def __call__(self) -> int:
        self.begun += 1
        number = self.begun
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return number


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_equal_requests_share_one_result() -> None:
    coalescing, work = Coalescing(), Work()
    asked = [asyncio.create_task(coalescing.run("a", None, work)) for _ in range(3)]
    other = asyncio.create_task(coalescing.run("b", None, work))
    await settle()
    work.go.set()
    assert await asyncio.gather(*asked) == [1, 1, 1]
    assert await other == 2
    assert await coalescing.run("a", None, work) == 3


async def test_work_goes_on_while_one_request_waits_for_it() -> None:
    coalescing, work = Coalescing(), Work()
    first, second = (asyncio.create_task(coalescing.run("a", None, work)) for _ in range(2))
    await settle()
    first.cancel()
    await settle()
    assert work.cancelled == 0
    second.cancel()
    await asyncio.gather(first, second, return_exceptions=True)
    assert (work.begun, work.cancelled) == (1, 1)


async def test_a_newer_request_of_a_view_ends_the_older_one() -> None:
    coalescing, work = Coalescing(), Work()
    older = [asyncio.create_task(coalescing.run("a", "here", work)) for _ in range(2)]
    elsewhere = asyncio.create_task(coalescing.run("c", "there", work))
    await settle()
    newer = asyncio.create_task(coalescing.run("b", "here", work))
    for each in older:
        with pytest.raises(ProblemError) as raised:
            await each
        assert (raised.value.problem.status, raised.value.problem.code) == (409, "superseded")
    assert work.cancelled == 1
    work.go.set()
    assert await newer == 3
    assert await elsewhere == 2


async def test_a_repeat_for_a_view_shares_the_work_that_is_under_way() -> None:
    coalescing, work = Coalescing(), Work()
    asked = [asyncio.create_task(coalescing.run("a", "here", work)) for _ in range(2)]
    await settle()
    work.go.set()
    assert await asyncio.gather(*asked) == [1, 1]


class SlowEnd(Work):
    """Work that cleans up for a while when it is cancelled."""

    async def __call__(self) -> int:
        try:
            return await super().__call__()
        except asyncio.CancelledError:
            await asyncio.sleep(0.01)
            raise


async def test_an_equal_request_joins_no_work_that_is_being_cancelled() -> None:
    coalescing, work = Coalescing(), SlowEnd()
    first = asyncio.create_task(coalescing.run("a", None, work))
    await settle()
    first.cancel()
    await settle()
    again = asyncio.create_task(coalescing.run("a", None, work))
    await settle()
    work.go.set()
    assert await again == 2
    assert isinstance((await asyncio.gather(first, return_exceptions=True))[0], BaseException)


async def test_a_view_that_goes_back_to_what_it_showed_before_is_answered() -> None:
    coalescing, work = Coalescing(), SlowEnd()
    older = asyncio.create_task(coalescing.run("a", "here", work))
    await settle()
    newer = asyncio.create_task(coalescing.run("b", "here", work))
    await settle()
    back = asyncio.create_task(coalescing.run("a", "here", work))
    await settle()
    work.go.set()
    assert await back == 3
    ended = await asyncio.gather(older, newer, return_exceptions=True)
    assert [isinstance(each, ProblemError) for each in ended] == [True, True]


async def test_a_failure_is_told_to_all() -> None:
    coalescing = Coalescing()

    async def fail() -> None:
        await asyncio.sleep(0)
        raise ValueError("no")

    asked = [coalescing.run("a", None, fail) for _ in range(2)]
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(each) for each in found] == [ValueError, ValueError]
