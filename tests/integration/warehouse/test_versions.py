"""Sizing, analysing and dropping a version."""

import asyncpg
import pytest

from contracts.envelope import new_id
from warehouse import names, versions
from warehouse.access import as_org


@pytest.fixture
async def relation(organization, transform) -> str:
    """A version of a thousand rows."""
    relation = names.version_relation(new_id())
    table = names.qualified(names.data_schema(organization), relation)
    async with transform.transaction(), as_org(transform, organization):
        await transform.execute(
            f"CREATE TABLE {table} AS SELECT n, repeat('x', 50) AS t FROM generate_series(1, 1000) n"
        )
    return relation


async def test_bytes_are_counted(organization, transform, relation):
    async with transform.transaction(), as_org(transform, organization):
        assert await versions.size(transform, organization, relation) > 50_000


async def test_an_analysed_version_has_statistics(organization, transform, relation):
    async with transform.transaction(), as_org(transform, organization):
        await versions.analyze(transform, organization, relation)
        rows = await transform.fetchval(
            "SELECT reltuples FROM pg_class WHERE relname = $1", relation
        )
    assert rows == 1000


async def test_dropping_twice_is_dropping_once(organization, transform, relation):
    for _ in range(2):
        async with transform.transaction(), as_org(transform, organization):
            await versions.drop(transform, organization, relation)
    with pytest.raises(asyncpg.UndefinedTableError):
        async with transform.transaction(), as_org(transform, organization):
            await versions.size(transform, organization, relation)
