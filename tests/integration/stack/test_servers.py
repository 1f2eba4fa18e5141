"""Throwaway servers: there in a moment, gone without a trace."""

import subprocess
import sys

import asyncpg
import nats
import psutil

from stack.nats import User
from stack.process import wait_until
from stack.servers import Servers

BOSS = [User("boss", "pw", (">",), (">",))]
KILLED = """
import os, signal
from stack.nats import User
from stack.servers import Servers
with Servers.temporary([User("boss", "pw", (">",), (">",))]) as servers:
    print(servers.postgres.pid, servers.nats.pid, servers.postgres.home.parent, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


async def test_both_servers_answer_and_leave_nothing_behind():
    with Servers.temporary(BOSS, password="pw") as servers:
        for url in (servers.migrator_url, servers.superuser_url):
            connection = await asyncpg.connect(url)
            assert await connection.fetchval("SELECT 1") == 1
            await connection.close()
        bus = await nats.connect(servers.nats_url, user="boss", password="pw")
        await bus.close()
        folder = servers.postgres.home.parent
    assert not folder.exists()
    assert not servers.postgres.is_running()
    assert not servers.nats.is_running()


def test_servers_of_tests_that_are_killed_do_not_stay():
    done = subprocess.run(
        [sys.executable, "-c", KILLED], capture_output=True, text=True, check=False
    )
    postgres, nats_server, _ = done.stdout.split()

    def gone(pid: str) -> bool:
        try:
            return psutil.Process(int(pid)).status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    assert wait_until(lambda: gone(postgres) and gone(nats_server), 10)
