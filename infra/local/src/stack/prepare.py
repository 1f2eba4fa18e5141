"""What a database and a bus need before the services start: migrations and streams."""

from collections.abc import Awaitable, Callable, Mapping

from contracts.streams import STORE
from stack.errors import StackError

PrepareDatabase = Callable[[str, Mapping[str, str]], Awaitable[None]]
"""Given the migrator's URL and the password of each service's login role."""
PrepareBus = Callable[[str, str | None, str | None, int, int], Awaitable[None]]
"""Given the servers' URLs, user and password of who may create streams, how many servers keep each, and
the bytes on disk that all may take."""

_TRIES = 5
"""To reach each server of the bus."""
_TOO_LARGE = frozenset({10005, 10023, 10028, 10047})
"""The server's codes: no server with so much room, or more than the server or the account may store."""

# Imported where they are needed: meanwhile the servers start.


async def prepare_database(migrator_url: str, passwords: Mapping[str, str]) -> None:
    """Bring every schema to its newest version and set the services' passwords."""
    from chassis.migrations import Target, migrate

    owners = [Target(name, password) for name, password in passwords.items()]
    await migrate(migrator_url, [*owners, Target("warehouse", None)])


async def prepare_bus(
    url: str, user: str | None, password: str | None, replicas: int = 1, store: int = STORE
) -> None:
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
            user=user,
            password=password,
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
    try:
        await apply(connection.jetstream(), replicas=replicas, store=store)
    except APIError as error:
        if error.err_code not in _TOO_LARGE:
            raise
        raise StackError(
            f"NATS has no room for streams of {store:,} bytes: set NATS_STORE_BYTES to what JetStream "
            "may take there (`max_file_store`, or the limit of the account)."
        ) from error
    finally:
        await connection.close()
