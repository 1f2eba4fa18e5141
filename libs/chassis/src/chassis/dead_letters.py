"""The dead letters of all services, for an operator: list, read, send again, drop.

Works on the migrator's connection, which owns every service's tables; no service and no
organisation gets here. A letter holds what was on the stream, so it holds no secret: those travel
in requests only, which are never stored.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import orjson
from nats.js import JetStreamContext

from chassis.names import schema
from contracts.envelope import derived_id
from contracts.message import Part
from contracts.streams import SERVICES

_COLUMNS = (
    "id, stream, subject, headers::text, reason, deliveries, died_at, replays, replayed_at, "
    "octet_length(body) AS bytes"
)
_OF_THE_SERVER = "nats-"
"""Headers that steer the server; the letter is sent again without them."""


class Letter(Part):
    """A message that was given up: all but its body; `bytes` is how long that is."""

    service: str
    id: UUID
    stream: str
    subject: str
    headers: dict[str, str]
    reason: str
    deliveries: int
    died_at: datetime
    replays: int
    """How often it was sent again."""
    replayed_at: datetime | None
    bytes: int

    @property
    def org_id(self) -> str | None:
        """The organisation that its headers name."""
        return self.headers.get("ce-orgid")


class AlreadyReplayed(Exception):
    """The letter was sent again before; if it died anew, that is a letter of its own."""


async def letters(
    connection: asyncpg.Connection, *, service: str | None = None, replayed: bool = False
) -> list[Letter]:
    """The letters of all services or of one, oldest first; with `replayed` also those sent again."""
    found: list[Letter] = []
    for name in await _services(connection):
        if service not in (None, name):
            continue
        rows = await connection.fetch(
            f'SELECT {_COLUMNS} FROM "{schema(name)}".dead_letters WHERE $1 OR replayed_at IS NULL',
            replayed,
        )
        found += [_letter(name, row) for row in rows]
    return sorted(found, key=lambda letter: (letter.died_at, letter.id))


async def count(connection: asyncpg.Connection) -> int:
    """How many letters wait for an operator."""
    each = 'SELECT replayed_at FROM "{}".dead_letters'
    every = " UNION ALL ".join(each.format(schema(name)) for name in await _services(connection))
    found = await connection.fetchval(
        f"SELECT count(*) FROM ({every}) AS letter WHERE replayed_at IS NULL"
    )
    return int(found or 0)


async def find(connection: asyncpg.Connection, letter_id: UUID) -> Letter | None:
    """One letter, whichever service it is of."""
    for name in await _services(connection):
        row = await connection.fetchrow(
            f'SELECT {_COLUMNS} FROM "{schema(name)}".dead_letters WHERE id = $1', letter_id
        )
        if row:
            return _letter(name, row)
    return None


async def body(connection: asyncpg.Connection, letter: Letter) -> bytes | None:
    """What the message said; None when the letter was dropped meanwhile."""
    return await connection.fetchval(
        f'SELECT body FROM "{schema(letter.service)}".dead_letters WHERE id = $1', letter.id
    )


async def replay(
    connection: asyncpg.Connection,
    jetstream: JetStreamContext,
    letter: Letter,
    *,
    again: bool = False,
) -> None:
    """Store the message on its stream anew and mark the letter; returns when both stand.

    A crash in between leaves the letter unmarked: the next replay says the same Nats-Msg-Id, which
    the stream drops, and later than its window the handler knows the message by its own id.
    Raises AlreadyReplayed, unless `again`, for a letter that is marked (or gone).
    """
    async with connection.transaction():
        row = await connection.fetchrow(
            f'SELECT body, replays, replayed_at FROM "{schema(letter.service)}".dead_letters '
            "WHERE id = $1 FOR UPDATE",
            letter.id,
        )
        if row is None or (row["replayed_at"] and not again):
            raise AlreadyReplayed
        headers = {
            name: value
            for name, value in letter.headers.items()
            if not name.lower().startswith(_OF_THE_SERVER)
        }
        headers["Nats-Msg-Id"] = str(derived_id(letter.id, "replay", row["replays"]))
        await jetstream.publish(letter.subject, row["body"], stream=letter.stream, headers=headers)
        await connection.execute(
            f'UPDATE "{schema(letter.service)}".dead_letters '
            "SET replays = replays + 1, replayed_at = now() WHERE id = $1",
            letter.id,
        )


async def drop(connection: asyncpg.Connection, chosen: Sequence[Letter]) -> None:
    """Delete letters for good."""
    async with connection.transaction():
        for name in {letter.service for letter in chosen}:
            await connection.execute(
                f'DELETE FROM "{schema(name)}".dead_letters WHERE id = ANY ($1)',
                [letter.id for letter in chosen if letter.service == name],
            )


async def _services(connection: asyncpg.Connection) -> list[str]:
    """Services that have letters: the gateway has no schema."""
    rows = await connection.fetch(
        "SELECT name FROM unnest($1::text[], $2::text[]) AS service (name, schema) "
        "WHERE to_regclass(quote_ident(schema) || '.dead_letters') IS NOT NULL",
        [entry.name for entry in SERVICES],
        [schema(entry.name) for entry in SERVICES],
    )
    return [row["name"] for row in rows]


def _letter(service: str, row: asyncpg.Record) -> Letter:
    headers = orjson.loads(row["headers"])
    return Letter.model_validate(dict(row) | {"service": service, "headers": headers})
