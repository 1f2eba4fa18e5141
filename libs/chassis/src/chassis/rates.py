"""Exact rates: how often something may happen, counted by all replicas of a service together."""

import math
import time
from collections.abc import Callable, Hashable

from chassis.bus import Bus
from chassis.counters import Contended, Counters, State, Unreachable
from chassis.shares import REFUSED
from chassis.telemetry import log
from contracts.problem import ProblemError, problem
from contracts.shares import Backoff, Holder, Rate
from contracts.streams import Bucket

_SECOND = 1_000_000
"""In which times are kept: microseconds, so that sums are exact."""

_OF: dict[Holder, str] = {
    "organization": "an organisation",
    "address": "one network address",
    "account": "one account and network address",
    "person": "one user",
}


class Rates:
    """The rates that a service counts in its bucket.

    The clock is the replica's own: where two differ by a second, a limit does too.
    """

    def __init__(self, bus: Bus, bucket: Bucket, clock: Callable[[], float] = time.time) -> None:
        self._counters = Counters(bus, bucket)
        self._clock = clock

    async def take(self, rate: Rate, holder: Hashable, count: int = 1) -> None:
        """Count something that is about to happen, `count` times or not at all.

        Raises ProblemError: 429 with the time after which it will do, 503 while the counters are
        away and the rate refuses then.
        """
        interval = _interval(rate)

        def move(state: State) -> State:
            # GCRA: the time at which all that was counted is paid off, one for each interval.
            now = self._now()
            paid_off = max(state[0] if state else 0, now) + count * interval
            wait = paid_off - now - rate.limit * interval
            if wait > 0:
                raise refusal(rate, _seconds(wait))
            return (paid_off,)

        try:
            await self._counters.change(rate.name, holder, move)
        except Unreachable as error:
            if rate.without_bus == "refuse":
                raise _away() from error
            log.warning("rate_not_counted", rate=rate.name, error=str(error))
        except Contended as error:
            raise refusal(rate, 1) from error

    async def give_back(self, rate: Rate, holder: Hashable) -> None:
        """Undo a count: it turned out to be none of what is limited."""
        await self._relax(
            rate.name,
            holder,
            lambda state: (max((state or (0,))[0] - _interval(rate), self._now()),),
        )

    async def attempt(self, backoff: Backoff, holder: Hashable) -> None:
        """Count a try, as one that fails until `succeed` is called.

        Raises ProblemError: 429 with the time of the next try, 503 while the counters are away.
        """

        def move(state: State) -> State:
            now = self._now()
            failures, since, until = state or (0, 0, 0)
            if now < until:
                raise refusal(backoff, _seconds(until - now))
            if now - since > backoff.forgotten * _SECOND:
                failures = 0
            return failures + 1, now, now + int(_pause(backoff, failures + 1) * _SECOND)

        try:
            await self._counters.change(backoff.name, holder, move)
        except Unreachable as error:
            raise _away() from error
        except Contended as error:
            raise refusal(backoff, 1) from error

    async def retract(self, backoff: Backoff, holder: Hashable) -> None:
        """Undo the last try: nothing was tried after all."""

        def move(state: State) -> State:
            failures, since, _ = state or (0, 0, 0)
            left = max(failures - 1, 0)
            return left, since, since + int(_pause(backoff, left) * _SECOND)

        await self._relax(backoff.name, holder, move)

    async def succeed(self, backoff: Backoff, holder: Hashable) -> None:
        """Forget the failures: a try went well."""
        await self._relax(backoff.name, holder, lambda _: (0, 0, 0))

    async def _relax(self, name: str, holder: Hashable, move: Callable[[State], State]) -> None:
        try:
            await self._counters.change(name, holder, move)
        except (Unreachable, Contended) as error:
            log.warning("rate_not_given_back", rate=name, error=str(error))

    def _now(self) -> int:
        return int(self._clock() * _SECOND)


def _interval(rate: Rate) -> int:
    return math.ceil(rate.per * _SECOND / rate.limit)


def _pause(backoff: Backoff, failures: int) -> float:
    over = failures - backoff.free
    return 0 if over <= 0 else min(backoff.first * 2 ** min(over - 1, 32), backoff.longest)


def _seconds(time: int) -> int:
    return max(1, math.ceil(time / _SECOND))


def refusal(limit: Rate | Backoff, seconds: int) -> ProblemError:
    """429: the limit is reached, and will take the next in so many seconds."""
    REFUSED.labels(limit.name).inc()
    allowed = f" ({limit.limit} in {limit.per:.0f} s)" if isinstance(limit, Rate) else ""
    return problem(
        429,
        "rate_exceeded",
        f"Too many {limit.what} of {_OF[limit.of]}{allowed}. Try again in {seconds} s.",
        retry_after=seconds,
    )


def _away() -> ProblemError:
    return problem(
        503, "bus_unavailable", "The message bus does not answer. Try again shortly.", retry_after=2
    )
