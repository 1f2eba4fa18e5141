"""Logins of other systems that fill a source's table in the landing schema of an organisation.

Only transform's login may make, change or take them away.
"""

import base64
import hashlib
import hmac
import secrets
from uuid import UUID

import asyncpg

from chassis.database import Database
from contracts.shares import LOADER_CONNECTIONS, LOADERS
from warehouse.provision import provision

OF_SERVICES = 50
"""Connections that services of one replica each, their workers and an operator need at most."""

_ISSUE = "SELECT warehouse.issue_loader($1, $2, $3, $4, $5, $6)"
_ROUNDS = 4096
"""PostgreSQL's own; the password has 256 bits, which no number of rounds could better."""


class TooManyLoaders(Exception):
    """An organisation has as many logins for other systems as it may."""


class NoConnectionsLeft(Exception):
    """All connections of the server that loaders may hold are promised to those that there are."""


class TableRead(Exception):
    """What a loader has made is being read; it can be dropped a little later."""


async def issue_loader(
    database: Database, org_id: UUID, source_id: UUID, *, of_services: int = OF_SERVICES
) -> str:
    """Make a source's login, or replace its password and end its sessions; the password in clear.

    It is nowhere to be found afterwards. `of_services`: connections of the server that loaders leave
    to the services. Raises OrganizationErased, TooManyLoaders and NoConnectionsLeft.
    """
    password = secrets.token_urlsafe(32)
    limits = (LOADER_CONNECTIONS.each, LOADERS.each, of_services)
    try:
        async with database.transaction() as connection:
            await provision(connection, org_id)
            await connection.execute(_ISSUE, org_id, source_id, _verifier(password), *limits)
    except asyncpg.ProgramLimitExceededError as error:
        raise TooManyLoaders(str(error)) from error
    except asyncpg.ConfigurationLimitExceededError as error:
        raise NoConnectionsLeft(str(error)) from error
    await _end_sessions(database, org_id, source_id)
    return password


async def revoke_loader(database: Database, org_id: UUID, source_id: UUID) -> None:
    """Let nobody in with a source's login and end its sessions; its table stays."""
    async with database.transaction() as connection:
        await connection.execute("SELECT warehouse.revoke_loader($1, $2)", org_id, source_id)
    await _end_sessions(database, org_id, source_id)


async def drop_loader(database: Database, org_id: UUID, source_id: UUID) -> None:
    """Remove a source's login with all that it has made; one that is not there is fine.

    Raises TableRead while the table is being copied; by then the login is shut.
    """
    await revoke_loader(database, org_id, source_id)
    try:
        async with database.transaction() as connection:
            await connection.execute("SELECT warehouse.drop_loader($1, $2)", org_id, source_id)
    except asyncpg.LockNotAvailableError as error:
        raise TableRead(str(error)) from error


async def _end_sessions(database: Database, org_id: UUID, source_id: UUID) -> None:
    # In a transaction of its own: those who come before the new password is committed are ended too.
    async with database.transaction() as connection:
        await connection.execute("SELECT warehouse.end_loader_sessions($1, $2)", org_id, source_id)


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
