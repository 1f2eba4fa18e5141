"""Fair slots: work that organisations share is given out in turn, each within its share."""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import prometheus_client as prometheus

from contracts.problem import ProblemError, problem
from contracts.shares import Slots

_USED = prometheus.Gauge("dalgo_share_used", "Slots of a share in use", ["share"])
_WAITING = prometheus.Gauge("dalgo_share_waiting", "Requests that wait for a slot", ["share"])
_REFUSED = prometheus.Counter("dalgo_share_refused", "Requests past a share", ["share"])

_RETRY_AFTER = 2
"""Seconds; longer than most of the work that holds slots takes."""

LONGEST_WAIT = 8.0
"""Seconds; most askers give up after 10, and what they asked for would be done for nobody."""


class Share:
    """The slots of one share in this process.

    A freed slot goes to the organisation that was served longest ago, among those that wait and hold
    fewer slots than their share. Work of no organisation is bounded by the total alone.
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
        self._held: Counter[UUID | None] = Counter()
        self._queues: OrderedDict[UUID | None, deque[asyncio.Future[None]]] = OrderedDict()
        self._used = _USED.labels(name)
        self._waiting = _WAITING.labels(name)
        self._refused = _REFUSED.labels(name)

    @asynccontextmanager
    async def slot(self, org_id: UUID | None) -> AsyncIterator[None]:
        """Hold a slot for the block, waiting for one.

        Raises problems: 429 past the share or the longest wait, 503 when the process stops.
        """
        await self._acquire(org_id)
        try:
            yield
        finally:
            self._release(org_id)

    def close(self) -> None:
        """Refuse those that wait; slots that are held stay so until their blocks end."""
        for queue in self._queues.values():
            for turn in queue:
                if not turn.done():
                    turn.set_exception(_stopping())

    async def _acquire(self, org_id: UUID | None) -> None:
        # Whoever could be served has been: a free slot means that nobody eligible waits.
        if self._is_free_for(org_id):
            self._hold(org_id)
            return
        queue = self._queues.setdefault(org_id, deque())
        if len(queue) >= self.slots.waiting:
            raise self._refusal(org_id)
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
                self._release(org_id)
            else:
                self._leave(org_id, turn)
            if isinstance(error, TimeoutError):
                raise self._refusal(org_id) from error
            raise
        finally:
            self._waiting.dec()

    def _refusal(self, org_id: UUID | None) -> ProblemError:
        self._refused.inc()
        return problem(
            429,
            "share_used_up",
            f"Your organisation has {self._held[org_id]} requests of this kind under way and "
            f"{len(self._queues.get(org_id, ()))} waiting, as many as it may. "
            "Try again when some have ended.",
            retry_after=_RETRY_AFTER,
        )

    def _is_free_for(self, org_id: UUID | None) -> bool:
        each = self.slots.total if org_id is None else self.slots.each
        return self._held.total() < self.slots.total and self._held[org_id] < each

    def _hold(self, org_id: UUID | None) -> None:
        self._held[org_id] += 1
        self._used.inc()

    def _release(self, org_id: UUID | None) -> None:
        self._held[org_id] -= 1
        if not self._held[org_id]:
            del self._held[org_id]
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

    def _leave(self, org_id: UUID | None, turn: asyncio.Future[None]) -> None:
        queue = self._queues[org_id]
        queue.remove(turn)
        if not queue:
            del self._queues[org_id]


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
