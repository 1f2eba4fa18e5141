"""What the loop for durable messages makes of a cancellation that a library kept to itself."""

import asyncio

import pytest

from chassis.jobs import leave_if_cancelled


async def test_a_cancellation_that_was_kept_back_is_raised_again():
    async def work() -> None:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            leave_if_cancelled()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_who_was_not_cancelled_stays():
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await asyncio.sleep(1)
    leave_if_cancelled()
