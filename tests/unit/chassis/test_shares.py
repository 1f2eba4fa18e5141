"""Fair slots: bounds of each and of all, turns, refusals, and waits that are given up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from chassis.shares import Share
from contracts.problem import ProblemError
from contracts.shares import Slots

A, B, C = (UUID(int=number) for number in (1, 2, 3))


class Work:
    """Blocks that hold slots until they are told to end."""

    def __init__(self, share: Share) -> None:
        self._share = share
        self._ends: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.began: list[str] = []

    async def begin(self, name: str, org_id: UUID | None) -> asyncio.Task[None]:
        """Ask for a slot, and look what comes of it."""
        end = self._ends[name] = asyncio.Event()

        async def hold() -> None:
            async with self._share.slot(org_id):
                self.began.append(name)
                await end.wait()

        task = self._tasks[name] = asyncio.create_task(hold())
        await self.settle()
        return task

    async def end(self, name: str) -> None:
        self._ends[name].set()
        await self._tasks[name]
        await self.settle()

    @staticmethod
    async def settle() -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    async def finish(self) -> None:
        for end in self._ends.values():
            end.set()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)


@asynccontextmanager
async def working(
    total: int, each: int, waiting: int = 10, waiting_in_all: int = 100
) -> AsyncIterator[Work]:
    slots = Slots("test", "", total, each, waiting, waiting_in_all=waiting_in_all)
    work = Work(Share(slots, longest_wait=0.5))
    try:
        yield work
    finally:
        await work.finish()


async def test_an_organisation_holds_its_share_and_no_more() -> None:
    async with working(total=4, each=2) as work:
        for name in ("a1", "a2", "a3"):
            await work.begin(name, A)
        assert work.began == ["a1", "a2"]
        await work.begin("b1", B)
        assert work.began == ["a1", "a2", "b1"]
        await work.end("b1")
        assert work.began == ["a1", "a2", "b1"], "a slot that another left is not a third of A's"
        await work.end("a1")
        assert work.began[-1] == "a3"


async def test_freed_slots_go_round_the_organisations() -> None:
    async with working(total=1, each=1) as work:
        await work.begin("a1", A)
        for name, org_id in (("a2", A), ("a3", A), ("b1", B), ("c1", C), ("b2", B)):
            await work.begin(name, org_id)
        for name in ("a1", "a2", "b1", "c1", "a3"):
            assert work.began[-1] == name
            await work.end(name)
        assert work.began == ["a1", "a2", "b1", "c1", "a3", "b2"]


async def test_what_waits_past_the_share_is_refused_and_says_when_to_come_back() -> None:
    async with working(total=1, each=1, waiting=1) as work:
        await work.begin("a1", A)
        await work.begin("a2", A)
        refused = await work.begin("a3", A)
        error = refused.exception()
        assert isinstance(error, ProblemError)
        assert (error.problem.status, error.problem.code) == (429, "share_used_up")
        assert error.problem.retry_after
        await work.begin("b1", B)
        await work.end("a1")
        await work.end("a2")
        assert work.began == ["a1", "a2", "b1"]


async def test_a_share_without_a_queue_refuses_at_once_and_goes_on() -> None:
    async with working(total=2, each=1, waiting=0) as work:
        await work.begin("a1", A)
        refused = await work.begin("a2", A)
        assert isinstance(refused.exception(), ProblemError)
        await work.end("a1")
        await work.begin("a3", A)
        assert work.began == ["a1", "a3"]


async def test_a_wait_that_is_given_up_leaves_its_place() -> None:
    async with working(total=1, each=1, waiting=1) as work:
        await work.begin("a1", A)
        given_up = await work.begin("a2", A)
        given_up.cancel()
        await work.settle()
        await work.begin("a3", A)
        await work.end("a1")
        assert work.began == ["a1", "a3"]


async def test_a_slot_that_comes_as_its_waiter_leaves_goes_on() -> None:
    async with working(total=1, each=1) as work:
        first = await work.begin("a1", A)
        given_up = await work.begin("a2", A)
        await work.begin("b1", B)
        # In one round of the loop: the slot is handed to a2, whose task is cancelled.
        first.cancel()
        await asyncio.sleep(0)
        given_up.cancel()
        await work.settle()
        assert work.began == ["a1", "b1"]


async def test_work_of_no_organisation_is_bounded_by_the_total_alone() -> None:
    async with working(total=2, each=1) as work:
        for name in ("x1", "x2", "x3"):
            await work.begin(name, None)
        assert work.began == ["x1", "x2"]


async def test_who_waits_too_long_is_refused_like_who_came_too_late() -> None:
    share = Share(Slots("test", "", 1, 1, 1), longest_wait=0.01)
    async with share.slot(A):
        with pytest.raises(ProblemError) as refused:
            async with share.slot(A):
                raise AssertionError
    assert refused.value.problem.status == 429
    async with share.slot(A):
        """The slot that was not waited for any more is free again."""


async def test_who_waits_while_the_process_stops_is_told_so() -> None:
    share = Share(Slots("test", "", 1, 1, 1))
    work = Work(share)
    await work.begin("a1", A)
    waiting = await work.begin("a2", A)
    share.close()
    await work.settle()
    error = waiting.exception()
    assert isinstance(error, ProblemError)
    assert error.problem.code == "stopping"
    await work.finish()
    assert work.began == ["a1"]


async def test_a_turn_is_taken_at_once_and_given_back_once() -> None:
    share = Share(Slots("test", "", 1, 1, 1))
    first, second = share.enter(A), share.enter(A)
    with pytest.raises(ProblemError):
        share.enter(A)
    first.close()
    first.close()
    await second.wait()
    third = share.enter(A)
    third.close()
    second.close()
    async with share.slot(A):
        """Neither the slot nor the place in the queue was lost."""


async def test_a_vacancy_is_there_until_all_slots_are_held() -> None:
    share = Share(Slots("test", "", 2, 1, 5))
    turns = [share.enter(A), share.enter(A)]
    await share.vacancy()
    turns.append(share.enter(B))
    waits = asyncio.ensure_future(share.vacancy())
    await Work.settle()
    turns[0].close()
    await Work.settle()
    assert not waits.done(), "the one that waited has the slot"
    turns[2].close()
    await waits
    turns[1].close()


def test_a_total_that_a_setting_gives_leaves_a_slot_to_others() -> None:
    slots = Slots("test", "", 3, 2, 5)
    sizes = [(each.total, each.each) for each in map(slots.resized, (8, 2, 1))]
    assert sizes == [(8, 7), (2, 1), (1, 1)]


def test_a_share_that_gives_nobody_anything_cannot_be_declared() -> None:
    with pytest.raises(ValueError, match="idle"):
        Slots("idle", "", total=1, each=2, waiting=0)


def code_of(task: asyncio.Task[None]) -> tuple[int, str]:
    error = task.exception()
    assert isinstance(error, ProblemError)
    return error.problem.status, error.problem.code


async def test_who_waits_in_vain_for_others_is_not_blamed() -> None:
    async with working(total=1, each=1) as work:
        await work.begin("a1", A)
        late = await work.begin("b1", B)
        own = await work.begin("a2", A)
        await asyncio.wait({late, own})
        assert code_of(late) == (503, "all_places_taken")
        assert code_of(own) == (429, "share_used_up")


async def test_when_as_many_wait_as_may_the_longest_queue_makes_place() -> None:
    async with working(total=1, each=1, waiting=5, waiting_in_all=4) as work:
        await work.begin("a1", A)
        waiting = [await work.begin(f"a{n}", A) for n in range(2, 6)]
        assert not any(task.done() for task in waiting)
        await work.begin("b1", B)
        assert [task.done() for task in waiting] == [False, False, False, True]
        await work.begin("b2", B)
        assert [task.done() for task in waiting] == [False, False, True, True]
        assert code_of(waiting[2]) == (429, "share_used_up")
        # Two of each: nobody makes place for a third.
        assert code_of(await work.begin("b3", B)) == (503, "all_places_taken")
        await work.begin("c1", C)
        assert [task.done() for task in waiting] == [False, True, True, True]
        for name in ("a1", "a2", "b1", "c1", "b2"):
            assert work.began[-1] == name
            await work.end(name)
