"""pg_dump and pg_restore of the wheel, against any server that the migrator reaches."""

import asyncio
import os
from collections.abc import Sequence
from urllib.parse import unquote, urlsplit, urlunsplit

from stack.errors import StackError
from stack.postgres import programs


async def run(program: str, url: str, arguments: Sequence[str]) -> None:
    """Run to the end against the database of a URL; raises StackError with its error output."""
    address, environment = _without_password(url)
    process = await asyncio.create_subprocess_exec(
        str(programs() / "bin" / program),
        f"--dbname={address}",
        *arguments,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, said = await process.communicate()
    except asyncio.CancelledError:
        process.terminate()
        await process.wait()
        raise
    if process.returncode:
        lines = said.decode(errors="replace").strip().splitlines()
        raise StackError(f"{program} failed.\n" + "\n".join(lines[-10:]))


def _without_password(url: str) -> tuple[str, dict[str, str]]:
    """Arguments are shown to every user of a machine: the password goes through the environment."""
    parts = urlsplit(url)
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    kept["LC_ALL"] = "C"
    login, at, host = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    if password:
        kept["PGPASSWORD"] = unquote(password)
    return urlunsplit(parts._replace(netloc=user + at + host)), kept
