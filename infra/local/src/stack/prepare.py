"""What a database and a bus need before the services start: migrations and streams."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from chassis.bus_login import BusLogin
from contracts.streams import STORE
from stack.errors import StackError

PrepareDatabase = Callable[[str, Mapping[str, str]], Awaitable[None]]
"""Given the migrator's URL and the password of each service's login role."""
PrepareBus = Callable[[str, BusLogin, int, int], Awaitable[None]]
"""Given the servers' URLs, the login of who may create streams, how many servers keep each, and the
bytes on disk that all may take."""

_TRIES = 5
"""To reach each server of the bus."""
_NO_PEERS = 10005
_PEERS = 20.0
"""Seconds within which the servers of a cluster that has just been started find each other."""
_TOO_LARGE = frozenset({_NO_PEERS, 10023, 10028, 10047})
"""The server's codes: no server with so much room, or more than the server or the account may store."""

# Imported where they are needed: meanwhile the servers start.


async def prepare_database(migrator_url: str, passwords: Mapping[str, str]) -> None:
    """Bring every schema to its newest version and set the services' passwords."""
    from chassis.migrations import Target, migrate

    owners = [Target(name, password) for name, password in passwords.items()]
    await migrate(migrator_url, [*owners, Target("warehouse", None)])


async def prepare_bus(url: str, login: BusLogin, replicas: int = 1, store: int = STORE) -> None:
    """Make streams and consumers what the contracts say.

    Raises StackError when no server can be reached, and when they have less room than `store`.
    """
    import nats
    from nats.errors import Error
    from nats.js.errors import APIError

    from chassis.settings import servers_of
    from chassis.streams import apply

    errors: list[Exception] = []

    async def keep(error: Exception) -> None:
        """What goes wrong is part of one message, not a traceback for each try."""
        errors.append(error)

    try:
        connection = await nats.connect(
            servers_of(url),
            **login.options(),
            error_cb=keep,
            connect_timeout=5,
            max_reconnect_attempts=_TRIES,
            reconnect_time_wait=0.5,
        )
    except (OSError, TimeoutError, Error) as error:
        reason = errors[-1] if errors else error
        raise StackError(
            f"The bus cannot be reached at {url}: {str(reason) or repr(reason)}. Check NATS_URL."
        ) from error
    clock = asyncio.get_running_loop().time
    deadline = clock() + _PEERS
    try:
        while True:
            try:
                await apply(connection.jetstream(), replicas=replicas, store=store)
                return
            except APIError as error:
                if replicas == 1 or error.err_code != _NO_PEERS or clock() > deadline:
                    raise
            await asyncio.sleep(0.5)
    except APIError as error:
        if error.err_code not in _TOO_LARGE:
            raise
        raise StackError(
            f"NATS has no room for streams of {store:,} bytes: set NATS_STORE_BYTES to what JetStream "
            "may take there (`max_file_store`, or the limit of the account)."
        ) from error
    finally:
        await connection.close()


async def missing_streams(url: str, login: BusLogin) -> list[str]:
    """Streams and consumers of the contracts that are not there; raises what nats-py does."""
    import nats

    from chassis.settings import servers_of
    from chassis.streams import missing

    connection = await nats.connect(
        servers_of(url), **login.options(), connect_timeout=1, max_reconnect_attempts=1
    )
    try:
        return await missing(connection.jetstream(timeout=2))
    finally:
        await connection.close()
