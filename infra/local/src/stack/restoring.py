"""`dalgo restore` on this machine: its own PostgreSQL is started for that, and nothing else."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

from stack import addresses, ports
from stack.control import stop_leftovers
from stack.errors import StackError
from stack.layout import Layout
from stack.postgres import Postgres
from stack.restore import restore
from stack.secrets import load
from stack.services import NAMES
from stack.state import only_one, read_state


async def restore_here(
    layout: Layout, environ: Mapping[str, str], file: Path, report: Callable[[str, float], None]
) -> None:
    """Restore into the database of the environment, else into this data directory's own.

    Raises StackError while a `dalgo up` runs from it, and when its bus holds streams.
    """

    def say(line: str) -> None:
        report(line, 0.0)

    with only_one(layout):
        layout.make()
        stop_leftovers(layout, report)
        given = addresses.given(environ)
        if given.nats is None and (layout.nats / "jetstream").exists():
            raise StackError(
                f"{layout.nats} holds streams of another installation, whose messages would meet the "
                "restored database. Restore into a new --data-dir."
            )
        url = given.database_direct or given.database
        if url:
            await restore(layout, environ, url, file, say)
            return
        secrets = load(layout.secrets, NAMES)
        postgres = Postgres(
            layout.postgres,
            ports.choose(read_state(layout).ports.get("postgres")),
            superuser_password=secrets.superuser,
            migrator_password=secrets.migrator,
            log=layout.log("postgres"),
            runs=layout.runs,
        )
        await asyncio.to_thread(postgres.start)
        try:
            await restore(layout, environ, postgres.migrator_url, file, say)
        finally:
            await asyncio.to_thread(postgres.stop)
