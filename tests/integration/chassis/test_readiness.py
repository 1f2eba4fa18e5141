"""Readiness tells the truth: a schema that is missing or incomplete, and what heals it."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import httpx
import nats
import pytest

from chassis import streams
from chassis.testing import eventually
from stack.errors import StackError
from stack.layout import Layout
from stack.migrating import migrate, passwords
from stack.servers import Servers
from stack.users import MIGRATOR

PASSWORD = "only-for-tests"
OWNERS = ("auth", "ingest", "transform", "orchestrator")


def _environment(ground, servers: Servers, name: str, port: int) -> dict[str, str]:
    given = ground.environment(name) | {
        "DATABASE_URL": servers.migrator_url.replace("dalgo_migrator", f"dalgo_{name}"),
        "NATS_URL": servers.nats_url,
        "HTTP_PORT": str(port),
    }
    return {"PATH": os.environ["PATH"]} | given


@asynccontextmanager
async def _process(environment: dict[str, str], name: str) -> AsyncIterator[httpx.AsyncClient]:
    """A service as a process of its own, and a client of its health."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", name, env=environment, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{environment['HTTP_PORT']}"
        ) as client:
            yield client
    finally:
        process.terminate()
        assert await process.wait() == 0


async def _checks(client: httpx.AsyncClient) -> dict[str, Any] | None:
    """What /readyz says: None while nobody answers, empty when it is ready."""
    try:
        answer = await client.get("/readyz")
    except httpx.TransportError:
        return None
    return {} if answer.status_code == 200 else answer.json()["checks"]


async def _says(client: httpx.AsyncClient, check: str, part: str) -> None:
    async def says() -> bool:
        checks = await _checks(client)
        return checks is not None and part in checks.get(check, "")

    await eventually(says, within=30)


async def _is_ready(client: httpx.AsyncClient) -> None:
    async def ready() -> bool:
        return await _checks(client) == {}

    await eventually(ready, within=30)


async def test_a_service_says_which_migration_it_lacks_and_is_ready_once_it_is_applied(
    ground, tmp_path
):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with Servers.temporary(password=PASSWORD) as servers:
        bus = await nats.connect(servers.nats_url, user=MIGRATOR, password=PASSWORD)
        await streams.apply(bus.jetstream())
        await bus.close()
        environ = {f"DATABASE_PASSWORD_{name.upper()}": PASSWORD for name in OWNERS} | {
            "DATABASE_URL": servers.migrator_url
        }
        async with _process(
            _environment(ground, servers, "transform", port), "transform"
        ) as client:
            # Neither its login nor its schema is there.
            await _says(client, "start", "the database")
            assert (await client.get("/healthz")).status_code == 200
            await migrate(Layout(tmp_path), environ)
            await _is_ready(client)

            connection = await asyncpg.connect(servers.superuser_url)
            schema = await connection.fetchval(
                "SELECT schemaname FROM pg_tables WHERE tablename = 'schema_migrations' "
                "AND schemaname LIKE '%transform'"
            )
            table = f'"{schema}".schema_migrations'
            last = await connection.fetchrow(
                f"DELETE FROM {table} WHERE name = (SELECT max(name) FROM {table} "
                "WHERE name LIKE 'transform/%') RETURNING *"
            )
            assert last is not None
            await _says(client, "schema", last["name"])
            # The same before anything is built on it: a replica of the new version that starts.
            await connection.execute(f"INSERT INTO {table} VALUES ($1, 'another', now())", last[0])
            await _says(client, "schema", "another content")
            await connection.execute(
                f"UPDATE {table} SET checksum = $2 WHERE name = $1", last["name"], last["checksum"]
            )
            await _is_ready(client)
            # What a newer version has added disturbs nobody: replicas of two versions run at once.
            await connection.execute(
                f"INSERT INTO {table} VALUES ('transform/9999_newer.sql', 'x', now())"
            )
            assert await _checks(client) == {}
            await connection.close()


async def test_migrate_alone_may_be_repeated_and_changes_nothing(ground, tmp_path):
    environ = {f"DATABASE_PASSWORD_{name.upper()}": PASSWORD for name in OWNERS} | {
        "DATABASE_DIRECT_URL": ground.migrator_url,
        "DATABASE_URL": "postgresql://pooler.invalid/never-asked",
    }
    connection = await asyncpg.connect(ground.superuser_url)
    found = "SELECT count(*), max(applied_at) FROM dalgo_auth.schema_migrations"
    before = await connection.fetchrow(found)
    await migrate(Layout(tmp_path), environ)
    await migrate(Layout(tmp_path), environ)
    assert await connection.fetchrow(found) == before
    await connection.close()
    login = await asyncpg.connect(ground.database_url("auth"))
    await login.close()


def test_migrate_names_the_passwords_that_nobody_gave(tmp_path):
    with pytest.raises(StackError, match="DATABASE_PASSWORD_INGEST, DATABASE_PASSWORD_TRANSFORM"):
        passwords(
            Layout(tmp_path),
            {"DATABASE_PASSWORD_AUTH": "a", "DATABASE_PASSWORD_ORCHESTRATOR": "o"},
        )
    assert not (tmp_path / "secrets.json").exists()
