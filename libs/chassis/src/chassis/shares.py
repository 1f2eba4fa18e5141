"""Fair slots: work that organisations share is given out in turn, each within its share."""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

import prometheus_client as prometheus

from contracts.problem import ProblemError, problem
from contracts.shares import Holder, Slots

_USED = prometheus.Gauge("dalgo_share_used", "Slots of a share in use", ["share"])
_WAITING = prometheus.Gauge("dalgo_share_waiting", "Requests that wait for a slot", ["share"])
REFUSED = prometheus.Counter("dalgo_share_refused", "Requests past a share", ["share"])

_RETRY_AFTER = 2
"""Seconds; longer than most of the work that holds slots takes."""

_HOLDERS: dict[Holder, str] = {
    "organization": "Your organisation",
    "address": "Your network address",
    "account": "Your account",
    "person": "Your account",
}

LONGEST_WAIT = 8.0
"""Seconds; most askers give up after 10, and what they asked for would be done for nobody."""


class Share:
    """The slots of one share in this process.

    A freed slot goes to the holder (an organisation, or what `Slots.of` names) that was served longest
    ago, among those that wait and hold fewer slots than their share. Work of no holder is bounded by
    the total alone.
    """

    def __init__(
        self, slots: Slots, name: str | None = None, *, longest_wait: float | None = LONGEST_WAIT
    ) -> None:
        """`name`, by default the slots' own, is how metrics know the share.

        `longest_wait`: seconds after which a wait is refused; None where nobody stands behind it.
        """
        self.slots = slots
        self.longest_wait = longest_wait
        name = name or slots.name
        self._held: Counter[Hashable | None] = Counter()
        self._queues: OrderedDict[Hashable | None, deque[asyncio.Future[None]]] = OrderedDict()
        self._used = _USED.labels(name)
        self._waiting = _WAITING.labels(name)
        self._refused = REFUSED.labels(name)

    @asynccontextmanager
    async def slot(self, holder: Hashable | None) -> AsyncIterator[None]:
        """Hold a slot for the block, waiting for one.

        Raises problems: 429 past the share or the longest wait, 503 when the process stops.
        """
        await self._acquire(holder)
        try:
            yield
        finally:
            self._release(holder)

    def close(self) -> None:
        """Refuse those that wait; slots that are held stay so until their blocks end."""
        for queue in self._queues.values():
            for turn in queue:
                if not turn.done():
                    turn.set_exception(_stopping())

    async def _acquire(self, holder: Hashable | None) -> None:
        # Whoever could be served has been: a free slot means that nobody eligible waits.
        if self._is_free_for(holder):
            self._hold(holder)
            return
        if len(self._queues.get(holder, ())) >= self.slots.waiting:
            raise self._refusal(holder)
        queue = self._queues.setdefault(holder, deque())
        turn = asyncio.get_running_loop().create_future()
        queue.append(turn)
        self._waiting.inc()
        try:
            # Shielded, so that a slot which comes as the wait ends is seen here, and given back.
            # Not wait_for: Python 3.11's loses a cancellation that meets the slot.
            async with asyncio.timeout(self.longest_wait):
                await asyncio.shield(turn)
        except BaseException as error:
            if turn.done() and turn.exception() is None:
                self._release(holder)
            else:
                self._leave(holder, turn)
            if isinstance(error, TimeoutError):
                raise self._refusal(holder) from error
            raise
        finally:
            self._waiting.dec()

    def _refusal(self, holder: Hashable | None) -> ProblemError:
        self._refused.inc()
        return problem(
            429,
            "share_used_up",
            f"{_HOLDERS[self.slots.of]} has {self._held[holder]} requests of this kind under way and "
            f"{len(self._queues.get(holder, ()))} waiting, as many as it may. "
            "Try again when some have ended.",
            retry_after=_RETRY_AFTER,
        )

    def _is_free_for(self, holder: Hashable | None) -> bool:
        each = self.slots.total if holder is None else self.slots.each
        return self._held.total() < self.slots.total and self._held[holder] < each

    def _hold(self, holder: Hashable | None) -> None:
        self._held[holder] += 1
        self._used.inc()

    def _release(self, holder: Hashable | None) -> None:
        self._held[holder] -= 1
        if not self._held[holder]:
            del self._held[holder]
        self._used.dec()
        for waiting in list(self._queues):
            if self._held.total() >= self.slots.total:
                break
            if self._is_free_for(waiting):
                turn = self._queues[waiting].popleft()
                self._queues.move_to_end(waiting)
                if not self._queues[waiting]:
                    del self._queues[waiting]
                self._hold(waiting)
                turn.set_result(None)

    def _leave(self, holder: Hashable | None, turn: asyncio.Future[None]) -> None:
        queue = self._queues[holder]
        queue.remove(turn)
        if not queue:
            del self._queues[holder]


def _stopping() -> ProblemError:
    return problem(
        503, "stopping", "This replica is about to stop. Try again shortly.", retry_after=1
    )


class Shares:
    """The shares of one process, each made when it is first asked for."""

    def __init__(self) -> None:
        self._shares: dict[str, Share] = {}

    def of(self, slots: Slots, name: str | None = None) -> Share:
        """The share of these slots, or another of the same size under a name of its own."""
        key = name or slots.name
        return self._shares.setdefault(key, Share(slots, key))

    def close(self) -> None:
        """Refuse what waits for a slot of any share."""
        for share in self._shares.values():
            share.close()
