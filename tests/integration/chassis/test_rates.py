"""Rates that several replicas count together, exactly, in a bucket of the real server."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from nats.js import JetStreamContext

from chassis.rates import Rates
from chassis.testing import eventually
from contracts.envelope import new_id
from contracts.problem import ProblemError
from contracts.shares import Backoff, Rate
from contracts.streams import LOGIN_RATES, Bucket

RATE = Rate("tests", "tests", limit=10, per=36_000, of="organization", without_bus="refuse")
BACKOFF = Backoff("tries", "tries", free=3, first=10, longest=40, forgotten=1000, of="account")


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def replica(connect_bus, clock: Clock) -> Callable:
    """Makes one more replica of auth, with a connection of its own."""

    async def start(bucket: Bucket = LOGIN_RATES) -> Rates:
        return Rates(await connect_bus("auth"), bucket, clock)

    return start


async def refusal(asked: Awaitable[None]) -> int | None:
    """The Retry-After of a refusal, None when there was none."""
    (outcome,) = await asyncio.gather(asked, return_exceptions=True)
    if outcome is None:
        return None
    assert isinstance(outcome, ProblemError)
    assert (outcome.problem.status, outcome.problem.code) == (429, "rate_exceeded")
    assert f"Try again in {outcome.problem.retry_after} s" in outcome.problem.detail
    return outcome.problem.retry_after


async def passes(asked) -> bool:
    return await refusal(asked) is None


async def test_fifty_at_once_at_two_replicas_get_exactly_the_limit(replica):
    replicas, key = [await replica(), await replica()], new_id()
    asked = (refusal(replicas[number % 2].take(RATE, key)) for number in range(50))
    outcomes = await asyncio.gather(*asked)
    assert len([one for one in outcomes if one is None]) == RATE.limit


async def test_a_refusal_says_when_it_will_do_and_then_it_does(replica, clock):
    one, other, key = await replica(), await replica(), new_id()
    for _ in range(RATE.limit):
        await one.take(RATE, key)
    assert await refusal(other.take(RATE, key)) == 3600
    clock.now += 3599
    assert await refusal(one.take(RATE, key)) == 1
    clock.now += 1
    assert await refusal(one.take(RATE, key)) is None
    assert await refusal(other.take(RATE, key)) == 3600


async def test_what_is_counted_several_at_once_is_counted_whole_or_not_at_all(replica):
    one, key = await replica(), new_id()
    await one.take(RATE, key, 8)
    assert await refusal(one.take(RATE, key, 3)) == 3600
    assert await refusal(one.take(RATE, key, 2)) is None


async def test_what_is_given_back_may_be_taken_again_at_any_replica(replica):
    one, other, key = await replica(), await replica(), new_id()
    await one.take(RATE, key, 10)
    assert await refusal(other.take(RATE, key))
    await one.give_back(RATE, key)
    # The other replica trusts what it read a moment ago, then looks again.
    await eventually(lambda: passes(other.take(RATE, key)))
    assert await refusal(one.take(RATE, key))


async def test_one_holder_takes_nothing_from_another(replica):
    one = await replica()
    await one.take(RATE, "a", 10)
    assert await refusal(one.take(replace(RATE, name=new_id().hex), "a", 10)) is None
    assert await refusal(one.take(RATE, new_id(), 10)) is None


async def test_the_pause_after_failures_grows_to_its_longest_and_a_success_ends_it(replica, clock):
    one, other, key = await replica(), await replica(), new_id()
    for _ in range(BACKOFF.free):
        await one.attempt(BACKOFF, key)
    for pause in (10, 20, 40, 40):
        assert await refusal(other.attempt(BACKOFF, key)) is None
        assert await refusal(one.attempt(BACKOFF, key)) == pause
        assert await refusal(other.attempt(BACKOFF, key)) == pause
        clock.now += pause
    await other.attempt(BACKOFF, key)
    await other.succeed(BACKOFF, key)
    clock.now += 40
    for _ in range(BACKOFF.free + 1):
        assert await refusal(one.attempt(BACKOFF, key)) is None
    assert await refusal(one.attempt(BACKOFF, key)) == 10


async def test_a_try_that_was_retracted_is_no_failure(replica, clock):
    one, other, key = await replica(), await replica(), new_id()
    for _ in range(BACKOFF.free):
        await one.attempt(BACKOFF, key)
    for _ in range(5):
        await other.attempt(BACKOFF, key)
        await other.retract(BACKOFF, key)
    assert await refusal(one.attempt(BACKOFF, key)) is None
    assert await refusal(other.attempt(BACKOFF, key)) == 10


async def test_failures_are_forgotten_after_a_while(replica, clock):
    one, key = await replica(), new_id()
    for _ in range(BACKOFF.free + 1):
        await one.attempt(BACKOFF, key)
    clock.now += BACKOFF.forgotten + 1
    for _ in range(BACKOFF.free):
        assert await refusal(one.attempt(BACKOFF, key)) is None


async def test_parallel_tries_at_two_replicas_are_counted_each(replica):
    replicas, key = [await replica(), await replica()], new_id()
    asked = (refusal(replicas[number % 2].attempt(BACKOFF, key)) for number in range(50))
    outcomes = await asyncio.gather(*asked)
    assert len([one for one in outcomes if one is None]) == BACKOFF.free + 1


async def test_a_counter_that_the_bucket_has_dropped_begins_anew(replica, admin: JetStreamContext):
    one, key = await replica(), new_id()
    await one.take(RATE, key, 10)
    await admin.purge_stream(LOGIN_RATES.stream)
    await eventually(lambda: passes(one.take(RATE, key, 10)))


async def test_no_address_of_a_person_stands_in_the_bucket(replica, admin: JetStreamContext):
    one = await replica()
    await one.take(RATE, ("203.0.113.7", "asha@example.org"))
    info = await admin.stream_info(LOGIN_RATES.stream, subjects_filter=">")
    assert info.state.subjects
    assert not [name for name in info.state.subjects if "asha" in name or "203" in name]


async def test_without_a_bucket_a_rate_refuses_or_allows_as_it_is_declared(replica):
    one = await replica(Bucket("nowhere", 1))
    with pytest.raises(ProblemError) as refused:
        await one.take(RATE, "a")
    assert (refused.value.problem.status, refused.value.problem.retry_after) == (503, 2)
    await one.take(replace(RATE, without_bus="allow"), "a")
    with pytest.raises(ProblemError):
        await one.attempt(BACKOFF, "a")
    await one.succeed(BACKOFF, "a")
