"""The outbox: messages written with the state they tell of, and sent to the bus afterwards.

Whoever has committed hands its messages over, and they leave at once. What was not handed over, or
not sent because its process died, is found in the table by a relay.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from chassis.bus import Bus
from chassis.crash_points import reached
from chassis.database import AWAY, Connection, Database
from chassis.telemetry import carry, log
from contracts.envelope import envelop, new_id, to_body, to_headers
from contracts.message import Command, Event
from contracts.problem import ProblemError
from contracts.streams import CMD, EVT, STREAMS, Stream

_BATCH = 200
_IDLE = 1.0
_KEEP = "24 hours"
_AGAIN = 0.05
_TIDY = 600.0
_LEFT_BEHIND = 3.0
"""Seconds after which a message that is not marked as sent was left behind by a process that died."""
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
# behind a transaction pooler too. Where nothing is due none is taken: that would be a write.
_NEXT = """
WITH own AS MATERIALIZED (
    SELECT CASE WHEN EXISTS (
        SELECT FROM outbox
        WHERE published_at IS NULL AND created_at <= clock_timestamp() - $2::interval
    ) THEN try_lock('outbox') ELSE true END AS is_held
)
SELECT own.is_held, message.* FROM own LEFT JOIN LATERAL (
    SELECT seq, id, stream, subject, headers, body FROM outbox
    WHERE own.is_held AND published_at IS NULL AND created_at <= clock_timestamp() - $2::interval
    ORDER BY seq LIMIT $1
) message ON true
ORDER BY seq
"""
_EPOCH = """
SELECT coalesce(string_agg(name || ' ' || extract(epoch FROM created_at), ',' ORDER BY name), '')
FROM bus_streams
"""
# Nothing is marked that may have gone to a stream which was lost since (`chassis.lost_streams`).
_MARK = f"""
WITH known AS MATERIALIZED (SELECT ({_EPOCH}) AS epoch), marked AS (
    UPDATE outbox SET published_at = now() FROM known
    WHERE id = ANY($1) AND published_at IS NULL AND epoch = $2
)
SELECT epoch FROM known
"""


@dataclass(frozen=True)
class Outgoing:
    """A message to be sent, with the id under which a repeat of it would be dropped."""

    message: Command | Event
    org_id: UUID | None
    actor: str = "system"
    id: UUID = field(default_factory=new_id)
    time: datetime | None = None
    trace: Mapping[str, str] | None = None
    """Headers of the trace that it belongs to; by default the current one."""


Row = tuple[UUID, str, str, dict[str, str], bytes]
"""A message as the table holds it: id, stream, subject, headers, body."""


class Outbox:
    """Writes messages in the caller's transaction; to be told when that has committed."""

    def __init__(self, service: str) -> None:
        self._service = service
        self.woken = asyncio.Event()
        self.handed: list[Row] = []
        """Committed, and to be sent by this process."""
        self.is_due = False
        """Whether more was committed, which is to be looked for."""

    async def put(self, connection: Connection, messages: Iterable[Outgoing]) -> Sequence[Row]:
        """Keep messages; they leave if and only if the transaction commits."""
        rows = self.rows(messages)
        if rows:
            await connection.execute(_PUT, *map(list, zip(*rows, strict=True)))
        return rows

    def rows(self, messages: Iterable[Outgoing]) -> Sequence[Row]:
        """Messages as the table holds them, for whoever puts them there with a query of their own."""
        trace = carry()
        rows: list[Row] = []
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
            own = trace if outgoing.trace is None else outgoing.trace
            headers = {**to_headers(meta), **own}
            rows.append((meta.id, stream.name, subject, headers, to_body(message)))
        return rows

    def hand_over(self, rows: Sequence[Row]) -> None:
        """Send what was put, now that it is committed."""
        self.handed += rows
        self.woken.set()

    def wake(self) -> None:
        """Look for what was committed and not handed over."""
        self.is_due = True
        self.woken.set()


class Relay:
    """Sends what the outbox holds.

    What one process commits leaves in that order, and what is found in the table in the order of the
    table, by one replica at a time. Two replicas that move one run at the same moment may be heard in
    either order: whoever cares goes by the version that the messages bear.
    """

    def __init__(self, database: Database, bus: Bus, outbox: Outbox) -> None:
        self._database = database
        self._bus = bus
        self._outbox = outbox
        self._sent: list[UUID] = []
        """Handed over and sent, but not marked yet: a mark for each would cost more than it saves."""
        self._age = _LEFT_BEHIND
        """How old a message must be to be looked for, in seconds."""
        self._epoch: str | None = None
        """The streams to which was sent what is not marked yet."""

    async def run(self) -> None:
        """Relay until cancelled; a lost database or bus is waited for."""
        clock = asyncio.get_running_loop().time
        tidy_at = look_at = clock()
        try:
            while True:
                full = False
                try:
                    await self._send_handed()
                    if self._outbox.is_due or clock() >= look_at:
                        self._age = 0.0 if self._outbox.is_due else self._age
                        self._outbox.is_due = False
                        await self._mark()
                        found = await self._batch()
                        full = found == _BATCH
                        if found is None and self._age == 0:
                            # Another replica is at it, but began before the last commit, perhaps.
                            look_at = clock() + _AGAIN
                        else:
                            self._age, look_at = _LEFT_BEHIND, clock() + _IDLE
                    if clock() >= tidy_at:
                        await self._forget()
                        tidy_at = clock() + _TIDY
                except (ProblemError, *AWAY) as error:
                    # What was handed over stays in the table: the next look is for all of it.
                    self._age = 0.0
                    look_at = clock() + _IDLE
                    log.warning("relay_waits", error=str(error) or repr(error))
                except Exception:
                    self._age = 0.0
                    look_at = clock() + _IDLE
                    log.exception("relay_failed")
                if full:
                    self._outbox.is_due = True
                    continue
                # Not wait_for: Python 3.11's loses a cancellation that meets a wake-up.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(max(0.0, look_at - clock())):
                        await self._outbox.woken.wait()
                self._outbox.woken.clear()
        finally:
            with contextlib.suppress(*AWAY):
                await self._mark()

    async def _send_handed(self) -> None:
        if self._epoch is None:
            async with self._database.transaction() as connection:
                self._epoch = await connection.fetchval(_EPOCH)
        while self._outbox.handed:
            rows, self._outbox.handed = self._outbox.handed[:_BATCH], self._outbox.handed[_BATCH:]
            await self._bus.store_all([_placed(*row[1:]) for row in rows])
            reached("outbox.published")
            self._sent += [row[0] for row in rows]

    async def _mark(self) -> None:
        if not self._sent:
            return
        async with self._database.transaction() as connection:
            epoch = await connection.fetchval(_MARK, self._sent, self._epoch)
        self._sent = []
        if epoch != self._epoch:
            # Sent again, as what stands in the table: a stream that has it already drops it.
            self._epoch, self._age = epoch, 0.0
        reached("outbox.marked")

    async def _batch(self) -> int | None:
        """Publish one batch; how many there were, None while another replica does this."""
        async with self._database.transaction() as connection:
            rows = await connection.fetch(_NEXT, _BATCH, timedelta(seconds=self._age))
            if not rows[0]["is_held"]:
                return None
            if rows[0]["seq"] is None:
                return 0
            epoch = await connection.fetchval(_EPOCH)
            await self._bus.store_all(
                [
                    _placed(row["stream"], row["subject"], dict(row["headers"]), row["body"])
                    for row in rows
                ]
            )
            reached("outbox.published")
            await connection.fetchval(_MARK, [row["id"] for row in rows], epoch)
        reached("outbox.marked")
        return len(rows)

    async def _forget(self) -> None:
        async with self._database.transaction() as connection:
            await connection.execute(
                f"DELETE FROM outbox WHERE published_at < now() - interval '{_KEEP}'"
            )
            await connection.execute(
                "DELETE FROM hand_backs WHERE last_at < now() - interval '7 days'"
            )


def _placed(
    stream: str, subject: str, headers: dict[str, str], body: bytes
) -> tuple[Stream, str, bytes, dict[str, str]]:
    return _STREAMS[stream], subject, body, headers
