"""Organisations whose queue of runs has room for longer than it takes to fill it."""

import time
from collections import OrderedDict
from collections.abc import Callable
from uuid import UUID

_SURE = 60.0
"""Seconds, a minute: the time of the rate that bounds what comes meanwhile."""
_FRESH = 2.0
"""Seconds from an answer, to whichever organisation: a database that is full is noticed by the next one."""
_KNOWN = 10_000
"""Organisations that are remembered; the longest known go first."""


class QueueRoom:
    """Saves the question at each start of a run whether the queue is full: seldom is it near that.

    All gateways together may start `starts` runs of an organisation at once, and as many again in the
    minute that follows: a queue with places for these is not full before the minute is over.
    """

    def __init__(self, starts: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._enough = 2 * starts
        self._clock = clock
        self._answered_at = float("-inf")
        self._until: OrderedDict[UUID, float] = OrderedDict()

    def is_sure(self, org_id: UUID) -> bool:
        """Whether the queue cannot be full now, and runs were just being kept."""
        now = self._clock()
        return now - self._answered_at < _FRESH and now < self._until.get(org_id, float("-inf"))

    def learn(self, org_id: UUID, places: int) -> None:
        """Remember an orchestrator's answer: how many runs more the queue takes."""
        self._answered_at = now = self._clock()
        if places >= self._enough:
            self._until[org_id] = now + _SURE
            self._until.move_to_end(org_id)
            if len(self._until) > _KNOWN:
                self._until.popitem(last=False)
