"""Connections as the logins that meet in an organisation's schemas."""

import asyncpg
import pytest_asyncio

from warehouse.provision import provision


@pytest_asyncio.fixture
async def connect(ground):
    """Opens connections as a service's login, or as the migrator; closes them after the test."""
    opened = []

    async def connect(login: str) -> asyncpg.Connection:
        own = login == "migrator"
        url = ground.migrator_url if own else ground.database_url(login)
        connection = await asyncpg.connect(url, timeout=10)
        opened.append(connection)
        return connection

    yield connect
    for connection in opened:
        await connection.close()


@pytest_asyncio.fixture
async def transform(connect):
    """A connection as transform's login."""
    return await connect("transform")


@pytest_asyncio.fixture
async def organization(transform, org_id):
    """An organisation that has been provisioned."""
    await provision(transform, org_id)
    return org_id
