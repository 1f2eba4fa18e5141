"""`dalgo topology`: streams and consumers on the bus, and the users that a bus of one's own needs."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from contracts.streams import BUCKETS, SERVICES, STREAMS, rights
from stack import addresses
from stack.access import bus
from stack.layout import Layout
from stack.nats import User
from stack.prepare import prepare_bus
from stack.users import MIGRATOR

MONITOR = "NATS_MONITOR_URL"
_UNKNOWN = (
    f"Whether NATS syncs to disk before it acknowledges is not known: set {MONITOR} to the URL of its "
    "monitoring, or see to `sync_interval: always` in its `jetstream` block."
)
_TIMEOUT = 5


async def apply(layout: Layout, environ: Mapping[str, str]) -> list[str]:
    """Make streams and consumers what the contracts say; gives what an operator should change.

    Idempotent; raises StackError when the bus cannot be reached or has too little room.
    """
    from nats.errors import Error

    from stack.errors import StackError

    given = addresses.given(environ)
    url, login = bus(layout, environ)
    try:
        await prepare_bus(url, login, given.nats_replicas, given.nats_store)
        return await warnings(environ, url, given.nats_store) if given.nats else []
    except (OSError, TimeoutError, Error) as error:
        raise StackError(f"The bus cannot be prepared: {str(error) or repr(error)}") from error


async def warnings(environ: Mapping[str, str], url: str, store: int) -> list[str]:
    """What is wrong with a NATS of one's own, as far as it shows."""
    import nats

    from chassis.settings import servers_of

    connection = await nats.connect(
        servers_of(url),
        **addresses.nats_login(environ, MIGRATOR).options(),
        connect_timeout=_TIMEOUT,
        max_reconnect_attempts=1,
    )
    try:
        jetstream = connection.jetstream(timeout=_TIMEOUT)
        limits = (await jetstream.account_info()).limits
        others = [info.config for info in await jetstream.streams_info()]
    finally:
        await connection.close()
    ours = {stream.name for stream in STREAMS} | {bucket.stream for bucket in BUCKETS}
    unbounded = sorted(
        str(config.name)
        for config in others
        if config.name not in ours and (config.max_bytes or -1) < 0
    )
    found = [
        f"The stream {name} of another program has no max_bytes: it may fill the disk of all."
        for name in unbounded
    ]
    if 0 <= limits.max_storage < store:
        found.append(
            f"The account may store {limits.max_storage:,} bytes, less than NATS_STORE_BYTES "
            f"({store:,})."
        )
    return [*found, *await _of_servers(environ, store)]


async def _of_servers(environ: Mapping[str, str], store: int) -> list[str]:
    """What only the servers' monitoring tells."""
    import httpx

    urls = [each.strip() for each in (environ.get(MONITOR) or "").split(",") if each.strip()]
    if not urls:
        return [_UNKNOWN]
    found: list[str] = []
    async with httpx.AsyncClient(timeout=_TIMEOUT) as client:
        for url in urls:
            try:
                answer = await client.get(f"{url.rstrip('/')}/jsz?config=1")
                config = answer.raise_for_status().json()["config"]
            except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError) as error:
                found.append(f"The monitoring at {url} does not answer: {error!r}")
            else:
                found += _of_config(url, config, store)
    return found


def _of_config(url: str, config: Mapping[str, Any], store: int) -> Iterator[str]:
    if not config.get("sync_always"):
        yield (
            f"The server at {url} acknowledges before it has synced: a power cut loses what was "
            "acknowledged. Set `sync_interval: always` in its `jetstream` block."
        )
    if config.get("max_storage", store) < store:
        yield (
            f"The server at {url} may store {config['max_storage']:,} bytes (`max_file_store`), less "
            f"than NATS_STORE_BYTES ({store:,})."
        )


def nats_users() -> str:
    """Users and rights as nats-server's configuration takes them; passwords are variables of it."""
    users = [
        User(
            entry.name,
            _variable(entry.name),
            rights(entry).publish,
            rights(entry).subscribe,
            allow_responses=True,
        )
        for entry in SERVICES
    ]
    users.append(User(MIGRATOR, _variable(MIGRATOR), (">",), (">",)))
    block = {"authorization": {"users": [user.config() for user in users]}}
    text = json.dumps(block, indent=2)
    for user in users:
        # Without quotes it is a variable: of the configuration, or of the server's environment.
        text = text.replace(json.dumps(user.password), user.password)
    return text


def _variable(user: str) -> str:
    return f"$NATS_PASSWORD_{user.upper()}"
