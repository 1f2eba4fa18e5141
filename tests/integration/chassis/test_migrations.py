"""Migrations: applied once, and never changed afterwards."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from chassis.migrations import Target, migrate
from chassis.names import schema
from contracts.envelope import new_id


@pytest_asyncio.fixture
async def package(
    ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Target, Path]]:
    """A package of the test's own with one migration, whose schema is dropped afterwards."""
    name = f"probe_{new_id().hex}"
    folder = tmp_path / name / "migrations"
    folder.mkdir(parents=True)
    (tmp_path / name / "__init__.py").touch()
    (folder / "0001_first.sql").write_text("CREATE TABLE things (id int);")
    monkeypatch.syspath_prepend(tmp_path)
    yield Target(name, None), folder
    connection = await asyncpg.connect(ground.superuser_url)
    await connection.execute(f'DROP SCHEMA IF EXISTS "{schema(name)}" CASCADE')
    await connection.close()


async def _tables(ground, name: str) -> set[str]:
    connection = await asyncpg.connect(ground.superuser_url)
    rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = $1", name)
    await connection.close()
    return {row["tablename"] for row in rows}


async def test_a_second_time_nothing_is_applied_but_what_is_new(
    ground, package: tuple[Target, Path]
) -> None:
    target, folder = package
    assert await migrate(ground.migrator_url, [target]) == 1
    assert await migrate(ground.migrator_url, [target]) == 0
    (folder / "0002_second.sql").write_text("CREATE TABLE more_things (id int);")
    assert await migrate(ground.migrator_url, [target]) == 1
    assert await _tables(ground, schema(target.name)) == {
        "schema_migrations",
        "things",
        "more_things",
    }


async def test_the_services_own_migrations_are_applied_once(ground) -> None:
    password = ground.environment("auth")["NATS_PASSWORD"]
    names = ("auth", "ingest", "orchestrator", "transform")
    targets = [*(Target(name, password) for name in names), Target("warehouse", None)]
    assert await migrate(ground.migrator_url, targets) == 0


async def test_a_file_that_was_changed_after_it_had_been_applied_is_refused(
    ground, package: tuple[Target, Path]
) -> None:
    target, folder = package
    await migrate(ground.migrator_url, [target])
    (folder / "0001_first.sql").write_text("CREATE TABLE things (id bigint);")
    (folder / "0002_second.sql").write_text("CREATE TABLE more_things (id int);")
    with pytest.raises(RuntimeError, match=r"0001_first\.sql was changed"):
        await migrate(ground.migrator_url, [target])
    assert await _tables(ground, schema(target.name)) == {"schema_migrations", "things"}


async def test_a_schemas_files_are_applied_all_or_none(
    ground, package: tuple[Target, Path]
) -> None:
    target, folder = package
    (folder / "0002_second.sql").write_text("no sql")
    with pytest.raises(asyncpg.PostgresSyntaxError):
        await migrate(ground.migrator_url, [target])
    assert await _tables(ground, schema(target.name)) == set()


async def test_migrators_that_begin_at_once_on_an_empty_database_take_turns(
    ground, package: tuple[Target, Path]
) -> None:
    target, _ = package
    name = f"empty_{new_id().hex}"
    place, _, former = ground.migrator_url.rpartition("/")
    superuser = await asyncpg.connect(ground.superuser_url)
    owner = ground.migrator_url.partition("//")[2].partition(":")[0]
    await superuser.execute(f'CREATE DATABASE "{name}" OWNER "{owner}"')
    try:
        url = f"{place}/{name}" + (f"?{former.partition('?')[2]}" if "?" in former else "")
        applied = await asyncio.gather(*(migrate(url, [target]) for _ in range(6)))
        assert sorted(applied) == [0, 0, 0, 0, 0, 1]
    finally:
        await superuser.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await superuser.close()
