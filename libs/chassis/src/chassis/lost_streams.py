"""Streams that were lost and made anew: what they held is sent again from the database's truth."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from chassis.bus import Bus
from chassis.database import AWAY, Connection, Database
from chassis.outbox import Outbox
from chassis.telemetry import log
from contracts.streams import CMD, EVT, Stream, service

_LOOK = 2.0
_KNOWN = "SELECT created_at FROM bus_streams WHERE name = $1"
_KNOW = (
    "INSERT INTO bus_streams (name, created_at) VALUES ($1, $2) "
    "ON CONFLICT (name) DO UPDATE SET created_at = excluded.created_at"
)
# Waits for those who mark messages as sent, and lets none mark any meanwhile.
_ALONE = "LOCK TABLE outbox IN SHARE ROW EXCLUSIVE MODE"
_AGAIN = "UPDATE outbox SET published_at = NULL WHERE stream = $1 AND published_at IS NOT NULL"

Repair = Callable[[Connection, Stream], Awaitable[None]]
"""Called in the transaction that notes the loss, as the service's system role."""


class LostStreams:
    """Compares the time of creation of each stream with the one that the database knows.

    Of a new stream EVT all events that the outbox still has are sent again: followers know those that
    they had. Commands are not: the owner of the state that they follow from gives them again.
    """

    def __init__(self, database: Database, bus: Bus, outbox: Outbox) -> None:
        self._database = database
        self._bus = bus
        self._outbox = outbox
        self._streams = [s for s in service(bus.service).streams if s in (CMD, EVT)]
        self._repairs: list[Repair] = []
        self._known: dict[str, datetime] = {}
        self.has_looked = asyncio.Event()
        """Set once the database knows the streams that there are."""

    def repair(self, repair: Repair) -> None:
        """Have this called once for each loss, by one replica."""
        self._repairs.append(repair)

    async def run(self) -> None:
        """Look until cancelled; what is away is waited for."""
        while True:
            try:
                await self.look()
                self.has_looked.set()
            except (NatsError, *AWAY) as error:
                log.debug("streams_not_read", error=str(error) or repr(error))
            except Exception:
                log.exception("streams_not_read")
            await asyncio.sleep(_LOOK)

    async def look(self) -> None:
        """Note what is new; a stream that is not there is no news: whoever may makes it again."""
        for stream in self._streams:
            try:
                created = (await self._bus.jetstream.stream_info(stream.name)).created
            except NotFoundError:
                continue
            if created is not None and created != self._known.get(stream.name):
                await self._note(stream, created)
                self._known[stream.name] = created

    async def _note(self, stream: Stream, created: datetime) -> None:
        async with self._database.system() as connection:
            if await connection.fetchval(_KNOWN, stream.name) == created:
                return
            await connection.execute(_ALONE)
            before = await connection.fetchval(_KNOWN, stream.name)
            if before == created:
                return
            await connection.execute(_KNOW, stream.name, created)
            if before is None:
                return
            if stream == EVT:
                await connection.execute(_AGAIN, stream.name)
            for repair in self._repairs:
                await repair(connection, stream)
        log.warning("stream_lost", stream=stream.name, created=str(created), before=str(before))
        self._outbox.wake()
