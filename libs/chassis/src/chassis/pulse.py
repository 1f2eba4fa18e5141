"""Whether the bus stores messages: its streams are there, and it takes what is published."""

import asyncio

from nats.errors import Error as NatsError
from nats.js.errors import APIError, NoStreamResponseError, NotFoundError

from chassis.bus import Bus
from contracts.streams import PULSE, Stream, service

_PROOF = bytes(8 * 1024)
"""Larger than a block of a disk: a full one may still have room for less."""
_TIMEOUT = 2.5
_FRESH = 5.0
"""Seconds for which an answer holds: however often somebody asks, the store pays one write."""
_DOUBT = 1.0
"""Seconds for which a fault holds."""
_REFUSED = 15.0
"""Seconds for which a stream that refused a message is taken to refuse the next."""


class Pulse:
    """The check of one process. nats-server keeps a write error of a stream until it is restarted."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._service = service(bus.service)
        self._jetstream = bus.connection.jetstream(timeout=_TIMEOUT)
        self._lock = asyncio.Lock()
        self._fault: str | None = None
        self._until = float("-inf")

    async def check(self) -> None:
        """Raise RuntimeError, with what is wrong, unless messages are stored."""
        clock = asyncio.get_running_loop().time
        async with self._lock:
            if clock() >= self._until:
                self._fault = await self._look()
                self._until = clock() + (_DOUBT if self._fault else _FRESH)
            fault = self._fault
        if fault:
            raise RuntimeError(fault)

    async def _look(self) -> str | None:
        checks = [self._is_there(stream) for stream in self._service.streams]
        found = await asyncio.gather(*checks, self._takes())
        return self._refusing() or next(filter(None, found), None)

    async def _is_there(self, stream: Stream) -> str | None:
        try:
            await self._jetstream.stream_info(stream.name)
        except NotFoundError:
            return _missing(stream)
        except (NatsError, TimeoutError, OSError) as error:
            return f"the stream {stream.name} does not answer: {error!r}"
        return None

    async def _takes(self) -> str | None:
        try:
            await self._jetstream.publish(self._service.pulse, _PROOF, stream=PULSE.name)
        except NoStreamResponseError:
            return _missing(PULSE)
        except APIError as error:
            return f"the bus does not store messages: {error.description}"
        except (NatsError, TimeoutError, OSError):
            return "the bus does not store messages: is the disk of NATS full?"
        return None

    def _refusing(self) -> str | None:
        now = asyncio.get_running_loop().time()
        names = [name for name, at in self._bus.refused.items() if now - at < _REFUSED]
        if not names:
            return None
        return f"the bus refuses messages for {', '.join(sorted(names))}: is the disk of NATS full?"


def _missing(stream: Stream) -> str:
    return f"the stream {stream.name} is not there: `dalgo topology` makes it"
