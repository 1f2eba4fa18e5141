"""An organisation in a real database, a pool of real workers, and jobs for them."""

from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from pydantic import SecretStr

from contracts.envelope import new_id
from ingest.dialect import CsvOptions
from ingest.jobs import LoadJob
from ingest.pool import WorkerPool
from warehouse.names import data_schema, org_role, version_relation
from warehouse.provision import provision

MakeJob = Callable[..., LoadJob]


@pytest_asyncio.fixture(loop_scope="module")
async def organization(ground, org_id):
    """An organisation with its roles and schemas, as transform makes them."""
    connection = await asyncpg.connect(ground.database_url("transform"))
    await provision(connection, org_id)
    await connection.close()
    return org_id


@pytest_asyncio.fixture(loop_scope="module")
async def as_organization(ground, organization):
    """A connection of ingest's login that took the organisation's role."""
    connection = await asyncpg.connect(
        ground.database_url("ingest"), server_settings={"role": org_role(organization)}
    )
    await connection.execute(f"SET search_path = {data_schema(organization)}")
    yield connection
    await connection.close()


@pytest.fixture
def job(ground, organization, tmp_path) -> MakeJob:
    """Makes a job of some content, or of a file, into a new version."""

    def job(content: str | bytes | Path, **options) -> LoadJob:
        version = new_id()
        path = content if isinstance(content, Path) else tmp_path / f"{version.hex}.csv"
        if not isinstance(content, Path):
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return LoadJob(
            path=path,
            options=CsvOptions(**options),
            database_url=SecretStr(ground.database_url("ingest")),
            role=org_role(organization),
            schema_name=data_schema(organization),
            relation=version_relation(version),
        )

    return job


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool():
    """Two warm workers, for all tests of a module."""
    async with WorkerPool(spares=2) as pool:
        yield pool
