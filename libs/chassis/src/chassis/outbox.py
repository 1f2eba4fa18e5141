"""The outbox: messages written with the state they tell of, and relayed to the bus afterwards."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from chassis.bus import Bus
from chassis.crash_points import reached
from chassis.database import AWAY, Connection, Database
from chassis.telemetry import carry, log
from contracts.envelope import envelop, new_id, to_body, to_headers
from contracts.message import Command, Event
from contracts.streams import CMD, EVT, STREAMS

_BATCH = 200
_IDLE = 1.0
_KEEP = "24 hours"
_TIDY = 600.0
_STREAMS = {stream.name: stream for stream in STREAMS}

_PUT = """
INSERT INTO outbox (id, stream, subject, headers, body)
SELECT id, stream, subject, headers, body
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::jsonb[], $5::bytea[])
    WITH ORDINALITY AS message (id, stream, subject, headers, body, place)
ORDER BY place
ON CONFLICT (id) DO NOTHING
"""
# One active relay a service keeps the order; the lock ends with the transaction, so it works
# behind a transaction pooler too.
_NEXT = """
WITH own AS MATERIALIZED (SELECT pg_try_advisory_xact_lock(hashtext($1)) AS is_held)
SELECT message.* FROM own CROSS JOIN LATERAL (
    SELECT seq, stream, subject, headers, body FROM outbox
    WHERE own.is_held AND published_at IS NULL ORDER BY seq LIMIT $2
) message
ORDER BY seq
"""


@dataclass(frozen=True)
class Outgoing:
    """A message to be sent, with the id under which a repeat of it would be dropped."""

    message: Command | Event
    org_id: UUID | None
    actor: str = "system"
    id: UUID = field(default_factory=new_id)
    time: datetime | None = None


class Outbox:
    """Writes messages in the caller's transaction; `wake` tells the relay that it committed."""

    def __init__(self, service: str) -> None:
        self._service = service
        self.woken = asyncio.Event()

    async def put(self, connection: Connection, messages: Iterable[Outgoing]) -> None:
        """Keep messages for the relay; they leave if and only if the transaction commits."""
        trace = carry()
        rows: list[tuple[UUID, str, str, dict[str, str], bytes]] = []
        for outgoing in messages:
            message = outgoing.message
            meta = envelop(
                message,
                source=self._service,
                org_id=outgoing.org_id,
                actor=outgoing.actor,
                id=outgoing.id,
                time=outgoing.time,
            )
            event = isinstance(message, Event)
            subject = message.subject(outgoing.org_id) if event else message.subject()
            stream = EVT if event else CMD
            rows.append((meta.id, stream.name, subject, to_headers(meta) | trace, to_body(message)))
        if rows:
            await connection.execute(_PUT, *map(list, zip(*rows, strict=True)))

    def wake(self) -> None:
        """Call after the commit, so that the relay does not wait for its next look."""
        self.woken.set()


class Relay:
    """Publishes what the outbox holds, in order; one replica at a time does it."""

    def __init__(self, database: Database, bus: Bus, outbox: Outbox) -> None:
        self._database = database
        self._bus = bus
        self._outbox = outbox

    async def run(self) -> None:
        """Relay until cancelled; a lost database or bus is waited for."""
        clock = asyncio.get_running_loop().time
        tidy_at = clock()
        while True:
            try:
                if clock() >= tidy_at:
                    await self._forget()
                    tidy_at = clock() + _TIDY
                full = await self._batch()
            except AWAY as error:
                log.warning("relay_waits", error=str(error) or repr(error))
                full = False
            except Exception:
                log.exception("relay_failed")
                full = False
            if not full:
                try:
                    # Not wait_for: Python 3.11's loses a cancellation that meets a wake-up.
                    async with asyncio.timeout(_IDLE):
                        await self._outbox.woken.wait()
                except TimeoutError:
                    continue
            self._outbox.woken.clear()

    async def _batch(self) -> bool:
        """Publish one batch; True when there may be more."""
        full = await self._publish()
        if full is not None:
            reached("outbox.marked")
        return full is True

    async def _publish(self) -> bool | None:
        """Publish one batch; whether it was a full one, None when there was nothing to do."""
        async with self._database.transaction() as connection:
            rows = await connection.fetch(_NEXT, f"{self._database.name}.outbox", _BATCH)
            if not rows:
                return None
            await self._bus.store_all(
                [
                    (_STREAMS[row["stream"]], row["subject"], row["body"], dict(row["headers"]))
                    for row in rows
                ]
            )
            reached("outbox.published")
            await connection.execute(
                "UPDATE outbox SET published_at = now() WHERE seq = ANY($1)",
                [row["seq"] for row in rows],
            )
            return len(rows) == _BATCH

    async def _forget(self) -> None:
        async with self._database.transaction() as connection:
            await connection.execute(
                f"DELETE FROM outbox WHERE published_at < now() - interval '{_KEEP}'"
            )
