"""Logins of other systems that fill a source's table in the landing schema of an organisation.

Only transform's login may make, change or take them away.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from uuid import UUID

import asyncpg

from chassis.database import Connection, Database
from chassis.names import filled
from contracts.shares import (
    LOADER_CONNECTIONS,
    LOADER_LOCKS,
    LOADER_PAUSE,
    LOADER_RELATIONS,
    LOADER_TRANSACTION,
    LOADERS,
)
from warehouse.provision import provision

OF_SERVICES = 50
"""Connections that services of one replica each, their workers and an operator need at most."""

_ISSUE = "SELECT ${prefix}_warehouse.issue_loader($1, $2, $3, $4, $5, $6)"
_WATCH = "SELECT * FROM ${prefix}_warehouse.watch_loaders($1, $2, $3, $4, $5)"
_ROUNDS = 4096
"""PostgreSQL's own; the password has 256 bits, which no number of rounds could better."""


class TooManyLoaders(Exception):
    """An organisation has as many logins for other systems as it may."""


class NoConnectionsLeft(Exception):
    """All connections of the server that loaders may hold are promised to those that there are."""


class LoadersPaused(Exception):
    """Sessions of the organisation's loaders took what others need; their logins wait a while."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"no login for {seconds} s")
        self.seconds = seconds


class LoaderBusy(Exception):
    """Sessions of the login change the login itself, again and again."""


class TableRead(Exception):
    """What a loader has made is being read; it can be dropped a little later."""


async def issue_loader(
    database: Database, org_id: UUID, source_id: UUID, *, of_services: int = OF_SERVICES
) -> str:
    """Make a source's login, or replace its password and end its sessions; the password in clear.

    It is nowhere to be found afterwards. `of_services`: connections of the server that loaders leave
    to the services. Raises OrganizationErased, TooManyLoaders, NoConnectionsLeft, LoadersPaused and
    LoaderBusy.
    """
    password = secrets.token_urlsafe(32)
    verifier = _verifier(password)
    limits = (LOADER_CONNECTIONS.each, LOADERS.each, of_services)

    async def issue(connection: Connection) -> None:
        await provision(connection, org_id)
        await connection.execute(filled(_ISSUE), org_id, source_id, verifier, *limits)

    try:
        await _change(database, issue)
    except asyncpg.ProgramLimitExceededError as error:
        raise TooManyLoaders(str(error)) from error
    except asyncpg.ConfigurationLimitExceededError as error:
        raise NoConnectionsLeft(str(error)) from error
    except asyncpg.ObjectInUseError as error:
        raise LoadersPaused(int(str(error))) from error
    await _end_sessions(database, org_id, source_id)
    return password


async def revoke_loader(database: Database, org_id: UUID, source_id: UUID) -> None:
    """Shut a source's login and end its sessions; its table stays. Raises LoaderBusy."""

    async def revoke(connection: Connection) -> None:
        await connection.execute(
            filled("SELECT ${prefix}_warehouse.revoke_loader($1, $2)"), org_id, source_id
        )

    await _change(database, revoke)
    await _end_sessions(database, org_id, source_id)


async def drop_loader(database: Database, org_id: UUID, source_id: UUID) -> None:
    """Remove a source's login with all that it has made; one that is not there is fine.

    Raises TableRead while the table is being copied; by then the login is shut. Raises LoaderBusy.
    """
    await revoke_loader(database, org_id, source_id)
    try:
        async with database.transaction() as connection:
            await connection.execute(
                filled("SELECT ${prefix}_warehouse.drop_loader($1, $2)"), org_id, source_id
            )
    except asyncpg.LockNotAvailableError as error:
        raise TableRead(str(error)) from error


@dataclass(frozen=True)
class Intervention:
    """What was done to loaders of an organisation."""

    org_id: UUID
    login: str | None
    """The login whose sessions were ended; None: all of the organisation."""
    reason: Literal["locks", "relations", "transaction", "resumed"]
    """Too many locks, or relations: a pause began; a transaction was open for too long; a pause is over."""


async def watch_loaders(
    database: Database,
    *,
    most_locks: int = LOADER_LOCKS.each,
    most_relations: int = LOADER_RELATIONS.each,
    longest: float = LOADER_TRANSACTION.each,
    pause: float = LOADER_PAUSE,
) -> list[Intervention]:
    """End sessions that take what others need, and pauses that are over; times in seconds.

    The sessions' own limits are theirs to change. Replicas do this one at a time.
    """
    limits = (most_locks, most_relations, timedelta(seconds=longest), timedelta(seconds=pause))
    async with database.transaction() as connection:
        if not await connection.fetchval("SELECT try_lock('loaders')"):
            return []
        rows = await connection.fetch(filled(_WATCH), *limits, LOADER_CONNECTIONS.each)
    return [Intervention(row["org_id"], row["login"], row["reason"]) for row in rows]


async def _change(
    database: Database, change: Callable[[Connection], Awaitable[None]], tries: int = 5
) -> None:
    """Change a login in a transaction; again where a session of its own changes it meanwhile."""
    for left in reversed(range(tries)):
        try:
            async with database.transaction() as connection:
                await change(connection)
            return
        except (asyncpg.LockNotAvailableError, asyncpg.InternalServerError) as error:
            # The second is "tuple concurrently updated": the other change was committed.
            if not isinstance(error, asyncpg.LockNotAvailableError) and "tuple" not in str(error):
                raise
            if not left:
                raise LoaderBusy(str(error)) from error


async def _end_sessions(database: Database, org_id: UUID, source_id: UUID) -> None:
    # In a transaction of its own: those who come before the new password is committed are ended too.
    async with database.transaction() as connection:
        await connection.execute(
            filled("SELECT ${prefix}_warehouse.end_loader_sessions($1, $2)"), org_id, source_id
        )


def _verifier(password: str) -> str:
    """What PostgreSQL keeps of a password (RFC 5803), so that it never sees the password itself."""
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _ROUNDS)
    stored = hashlib.sha256(_keyed(salted, b"Client Key")).digest()
    server = _keyed(salted, b"Server Key")
    salt64, stored64, server64 = (
        base64.b64encode(each).decode() for each in (salt, stored, server)
    )
    return f"SCRAM-SHA-256${_ROUNDS}:{salt64}${stored64}:{server64}"


def _keyed(key: bytes, text: bytes) -> bytes:
    return hmac.digest(key, text, "sha256")
