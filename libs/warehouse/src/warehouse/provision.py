"""Bringing an organisation's schemas and roles into being."""

from uuid import UUID

import asyncpg

from chassis.database import Connection
from chassis.names import filled


class OrganizationErased(Exception):
    """The organisation was erased; nothing may bring it back."""


async def provision(connection: Connection, org_id: UUID) -> None:
    """Make sure that an organisation's roles and schemas stand; repeats do nothing.

    Only transform's login may. Raises OrganizationErased.
    """
    try:
        await connection.execute(
            filled("SELECT ${prefix}_warehouse.provision_organization($1)"), org_id
        )
    except asyncpg.ObjectNotInPrerequisiteStateError as error:
        raise OrganizationErased(str(error)) from error
