"""Commands of runs that were lost with the store of the bus before anybody had taken them."""

import asyncio
import json
import shutil
from pathlib import Path

import nats
from nats.js.errors import NotFoundError

from stack import ports
from stack.nats import Nats
from stack.users import MIGRATOR

_SUBJECTS = ("cmd.orchestrator.start_run.v1", "cmd.orchestrator.retry_run.v1")


async def runs_in(store: Path, like: Nats, folder: Path, password: str) -> set[str]:
    """Ids of the runs of commands in a lost store, which is read by a server of its own and deleted."""
    home = folder / "lost"
    home.mkdir()
    shutil.move(store, home / "jetstream")
    port = ports.choose()
    server = Nats(
        home,
        port,
        ports.choose(taken=[port]),
        users=like.users,
        system_password=password,
        log=folder / "logs" / "lost.log",
        runs=home,
    )
    await asyncio.to_thread(server.start)
    try:
        connection = await nats.connect(server.url, user=MIGRATOR, password=password)
        jetstream = connection.jetstream()
        found: set[str] = set()
        for subject in _SUBJECTS:
            sequence = 1
            while True:
                try:
                    message = await jetstream.get_msg("CMD", sequence, subject=subject, next=True)
                except NotFoundError:
                    break
                found.add(json.loads(message.data or b"{}")["run_id"])
                sequence = (message.seq or 0) + 1
        await connection.close()
        return found
    finally:
        await asyncio.to_thread(server.stop)
        shutil.rmtree(home)
