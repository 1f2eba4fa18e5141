"""Fair slots: work that organisations share is given out in turn, each within its share."""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

import prometheus_client as prometheus

from contracts.problem import ProblemError, problem
from contracts.shares import Cap, Holder, Slots

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


def require_room(cap: Cap, held: int, way_out: str) -> None:
    """Raise a 409 problem `too_many_<cap>` where an organisation holds as many as it may."""
    if held >= cap.each:
        raise problem(
            409,
            f"too_many_{cap.name}",
            f"Your organisation has {held:,} {cap.unit}, and may have {cap.each:,}. {way_out}",
        )


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
        self._waiters = 0
        self._vacant = asyncio.Event()
        self._used = _USED.labels(name)
        self.waiting = _WAITING.labels(name)
        self._refused = REFUSED.labels(name)

    @asynccontextmanager
    async def slot(self, holder: Hashable | None) -> AsyncIterator[None]:
        """Hold a slot for the block, waiting for one.

        Raises problems: 429 past the holder's share, 503 when others hold all slots for longer than the
        longest wait, or the process stops.
        """
        turn = self.enter(holder)
        try:
            await turn.wait()
            yield
        finally:
            turn.close()

    def enter(self, holder: Hashable | None) -> "Turn":
        """Take a slot or a place in the queue for one, at once; its `close` gives back either.

        Raises the problem 429 when as many of the holder's wait as may, and 503 when as many of all.
        """
        # Whoever could be served has been: a free slot means that nobody eligible waits.
        if self._is_free_for(holder):
            self._hold(holder)
            return Turn(self, holder, None)
        if len(self._queues.get(holder, ())) >= self.slots.waiting:
            raise self.refusal(holder)
        if self._waiters >= self.slots.waiting_in_all and not self._make_place_for(holder):
            raise self.refusal(holder)
        granted = asyncio.get_running_loop().create_future()
        self._queues.setdefault(holder, deque()).append(granted)
        self._waiters += 1
        return Turn(self, holder, granted)

    async def vacancy(self) -> None:
        """Wait until a slot is free; which holders may have it is another matter."""
        while self._held.total() >= self.slots.total:
            await self._vacant.wait()

    def close(self) -> None:
        """Refuse those that wait; slots that are held stay so until their blocks end."""
        for queue in self._queues.values():
            for turn in queue:
                turn.set_exception(_stopping())
        self._queues.clear()
        self._waiters = 0

    def refusal(self, holder: Hashable | None) -> ProblemError:
        """The problem of a holder that has used up its share, or that waits because of others."""
        self._refused.inc()
        held, waiting = self._held[holder], len(self._queues.get(holder, ()))
        if holder is not None and held < self.slots.each and waiting < max(self.slots.waiting, 1):
            return problem(
                503,
                "all_places_taken",
                "Requests of others hold all places for this kind of request at the moment. "
                "Try again shortly.",
                retry_after=_RETRY_AFTER,
            )
        return problem(
            429,
            "share_used_up",
            f"{_HOLDERS[self.slots.of]} has {held} requests of this kind under way and {waiting} "
            "waiting, as many as it may. Try again when some have ended.",
            retry_after=_RETRY_AFTER,
        )

    def _make_place_for(self, holder: Hashable | None) -> bool:
        """Whether the last that came of the longest queue has made place: never for a longer one."""
        if self.longest_wait is None or not self._queues:
            return False
        longest = max(self._queues, key=lambda each: len(self._queues[each]))
        queue = self._queues[longest]
        if len(queue) <= len(self._queues.get(holder, ())) + 1:
            return False
        last = queue.pop()
        self._waiters -= 1
        last.set_exception(self.refusal(longest))
        return True

    def _is_free_for(self, holder: Hashable | None) -> bool:
        each = self.slots.total if holder is None else self.slots.each
        return self._held.total() < self.slots.total and self._held[holder] < each

    def _hold(self, holder: Hashable | None) -> None:
        self._held[holder] += 1
        self._used.inc()
        if self._held.total() >= self.slots.total:
            self._vacant.clear()

    def leave(self, holder: Hashable | None, granted: "asyncio.Future[None] | None") -> None:
        """Give back a slot, or the place in the queue for one; for `Turn` alone."""
        if granted is None or (granted.done() and granted.exception() is None):
            self._release(holder)
        else:
            self._leave(holder, granted)

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
                self._waiters -= 1
                self._queues.move_to_end(waiting)
                if not self._queues[waiting]:
                    del self._queues[waiting]
                self._hold(waiting)
                turn.set_result(None)
        if self._held.total() < self.slots.total:
            self._vacant.set()

    def _leave(self, holder: Hashable | None, turn: asyncio.Future[None]) -> None:
        queue = self._queues.get(holder, deque())
        if turn in queue:
            queue.remove(turn)
            self._waiters -= 1
            if not queue:
                del self._queues[holder]


class Turn:
    """A slot of a share, or a place in the queue for one, until it is closed."""

    def __init__(
        self, share: Share, holder: Hashable | None, granted: "asyncio.Future[None] | None"
    ) -> None:
        self._share = share
        self._holder = holder
        self._granted = granted
        self._is_closed = False

    async def wait(self) -> None:
        """Wait for the slot; raises as `Share.slot` does."""
        if self._granted is None:
            return
        self._share.waiting.inc()
        try:
            # Shielded, so that a slot which comes as the wait ends is seen by `close`.
            # Not wait_for: Python 3.11's loses a cancellation that meets the slot.
            async with asyncio.timeout(self._share.longest_wait):
                await asyncio.shield(self._granted)
        except TimeoutError as error:
            self.close()
            raise self._share.refusal(self._holder) from error
        finally:
            self._share.waiting.dec()

    def close(self) -> None:
        """Give back the slot or the place; a second time does nothing."""
        if not self._is_closed:
            self._is_closed = True
            self._share.leave(self._holder, self._granted)


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

    def put(self, slots: Slots) -> None:
        """Have a share of this size under its name, before it is asked for."""
        self._shares[slots.name] = Share(slots)

    def close(self) -> None:
        """Refuse what waits for a slot of any share."""
        for share in self._shares.values():
            share.close()
