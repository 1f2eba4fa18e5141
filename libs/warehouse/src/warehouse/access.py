"""Acting as an organisation, or as one whom it may become, for a transaction and no longer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import UUID

import asyncpg

from chassis.database import AWAY, Connection
from warehouse.names import org_role, quoted

_BECOME = "SELECT set_config('role', $1, true) WHERE pg_has_role($2, $1, 'SET')"


@asynccontextmanager
async def as_org(connection: Connection, org_id: UUID) -> AsyncIterator[None]:
    """Hold the rights of an organisation's role, and lose one's own, until the context ends.

    Raises RuntimeError outside a transaction: there `SET LOCAL` does nothing, and a plain
    `SET ROLE` would stay on the pooled connection for whoever gets it next. Raises
    asyncpg.InvalidParameterValueError when the organisation was never provisioned.
    """
    await become_org(connection, org_id)
    try:
        yield
    except BaseException:
        # A transaction that failed refuses this, and loses the role when it rolls back. One that
        # is still good, because the error was not the database's, must not go on as the role.
        with suppress(asyncpg.InFailedSQLTransactionError, *AWAY):
            await _leave(connection)
        raise
    await _leave(connection)


async def become_org(connection: Connection, org_id: UUID) -> None:
    """As `as_org`, until the transaction ends: for a session that is given up with it."""
    if not connection.is_in_transaction():
        raise RuntimeError("an organisation's role is held inside a transaction only")
    await connection.execute(f"SET LOCAL ROLE {quoted(org_role(org_id))}")


@asynccontextmanager
async def as_owner(connection: Connection, org_id: UUID, owner: str) -> AsyncIterator[None]:
    """Inside `as_org`: hold the rights of a role that the organisation's may become.

    PostgreSQL would ask for the rights of the login, which may become every organisation; so the
    organisation's own right is looked at here. Raises PermissionError.

    Nothing that the owner has written may be run in here outside of a security-restricted
    operation: it could take any role that the login may take.
    """
    own = org_role(org_id)
    if not await connection.fetchval(_BECOME, owner, own):
        raise PermissionError(f"{own} may not become {owner}")
    try:
        yield
    except BaseException:
        with suppress(asyncpg.InFailedSQLTransactionError, *AWAY):
            await connection.fetchval(_BECOME, own, own)
        raise
    await connection.fetchval(_BECOME, own, own)


async def _leave(connection: Connection) -> None:
    await connection.execute("SET LOCAL ROLE NONE")
