"""Counters in a key-value bucket of the bus, changed by compare-and-set over all replicas."""

import asyncio
import hashlib
import random
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from nats.errors import Error as NatsError
from nats.js.errors import APIError, NotFoundError

from chassis.bus import Bus
from contracts.problem import ProblemError
from contracts.streams import Bucket

_KNOWN = 10_000
"""Counters that a process knows the last state of; the longest unused go first."""
_FRESH = 1.0
"""Seconds for which a refusal needs no look into the bucket: a flood costs the bus nothing."""
_TRIES = 20
"""Writes of one counter that other replicas may get ahead of."""
_TIMEOUT = 2.0
_PAUSE = 1.0
"""Seconds for which an unreachable bucket is not tried again."""
_WRONG_REVISION = 10071
_NO_MESSAGE = 10037
"""The server's codes."""

State = tuple[int, ...]
"""Whole numbers; empty where nothing was counted."""

Move = Callable[[State], State]
"""A counter's next state; raises ProblemError for what is refused."""


class Unreachable(Exception):
    """The bucket does not answer: whether something was counted is not known."""


class Contended(Exception):
    """Other replicas write this very counter faster than it can be read."""


@dataclass
class _Counter:
    """What this process knows of a counter; the bucket knows better."""

    state: State = ()
    revision: int | None = 0
    """Of the write that made the state; 0: nothing was counted yet; None: to be read."""
    read_at: float = float("-inf")
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Counters:
    """The counters of one bucket, as this replica knows them."""

    def __init__(self, bus: Bus, bucket: Bucket) -> None:
        self._jetstream = bus.connection.jetstream(timeout=_TIMEOUT)
        self._bucket = bucket
        self._counters: OrderedDict[str, _Counter] = OrderedDict()
        self._away_until = float("-inf")

    async def change(self, name: str, holder: Hashable, move: Move) -> None:
        """Write a counter's next state, exactly once over all replicas.

        One round trip where no other replica counted in between. Raises what `move` raises,
        Unreachable and Contended.
        """
        key = f"{name}.{_hashed(holder)}"
        counter = self._counter(key)
        async with counter.lock:
            for attempt in range(_TRIES):
                if attempt:
                    await asyncio.sleep(random.uniform(0, 0.002 * min(attempt, 10)))
                if await self._try(key, counter, move):
                    return
        raise Contended(key)

    async def _try(self, key: str, counter: _Counter, move: Move) -> bool:
        """Whether the next state was written before any other replica's."""
        if counter.revision is None:
            await self._read(key, counter)
        try:
            state = move(counter.state)
        except ProblemError:
            if time.monotonic() - counter.read_at < _FRESH:
                raise
            await self._read(key, counter)
            state = move(counter.state)
        # Until the answer is there, nothing is known of the bucket.
        expected, counter.revision = counter.revision, None
        written = await self._write(key, state, expected or 0)
        if written is None:
            return False
        counter.state, counter.revision = state, written
        counter.read_at = time.monotonic()
        return True

    async def _write(self, key: str, state: State, expected: int) -> int | None:
        """The new revision; None when another replica has written since `expected`."""
        body = " ".join(map(str, state)).encode()
        headers = {"Nats-Expected-Last-Subject-Sequence": str(expected)}
        with self._reaching():
            try:
                acknowledged = await self._jetstream.publish(
                    self._bucket.subject(key), body, headers=headers
                )
            except APIError as error:
                if error.err_code == _WRONG_REVISION:
                    return None
                raise
        return acknowledged.seq

    async def _read(self, key: str, counter: _Counter) -> None:
        with self._reaching():
            try:
                # Of the stream's leader: a follower may not have the last write yet.
                found = await self._jetstream.get_last_msg(
                    self._bucket.stream, self._bucket.subject(key)
                )
                counter.state = tuple(map(int, (found.data or b"").split()))
                counter.revision = found.seq
            except NotFoundError as error:
                if error.err_code != _NO_MESSAGE:
                    raise
                counter.state, counter.revision = (), 0
        counter.read_at = time.monotonic()

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        """Turns what the bus raises into Unreachable, at once while it is known to be away."""
        if time.monotonic() < self._away_until:
            raise Unreachable("the bucket was away a moment ago")
        try:
            yield
        except (NatsError, TimeoutError, OSError) as error:
            self._away_until = time.monotonic() + _PAUSE
            raise Unreachable(str(error) or repr(error)) from error

    def _counter(self, key: str) -> _Counter:
        counter = self._counters.setdefault(key, _Counter())
        self._counters.move_to_end(key)
        if len(self._counters) > _KNOWN:
            # One that is being counted on may go too: its next write finds the other revision.
            self._counters.popitem(last=False)
        return counter


def _hashed(holder: Hashable) -> str:
    """A holder as a part of a subject, which shows no e-mail address."""
    return hashlib.sha256(repr(holder).encode()).hexdigest()[:32]
