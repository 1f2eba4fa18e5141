"""An operator's way in: the database and the bus as the migrator, past every organisation.

Both are those of `dalgo up`: what the environment names, else this machine's own, opened with the
passwords in the data directory. Whoever may read those is the operator.
"""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from chassis.bus_login import BusLogin
from stack import addresses
from stack.errors import StackError
from stack.layout import Layout
from stack.nats import local_url
from stack.postgres import MIGRATOR as DATABASE_MIGRATOR
from stack.postgres import database_url
from stack.secrets import Secrets, load
from stack.state import read_state
from stack.users import MIGRATOR

if TYPE_CHECKING:
    import asyncpg
    from nats.js import JetStreamContext

_TIMEOUT = 5
_UP = "`dalgo up` starts it; for servers of your own set DATABASE_URL and NATS_URL."

# Drivers are imported where they are needed: most commands do without.


@asynccontextmanager
async def database(
    layout: Layout, environ: Mapping[str, str] = os.environ
) -> "AsyncIterator[asyncpg.Connection]":
    """A connection as the migrator; raises StackError when there is none, or a statement fails."""
    import asyncpg

    given = addresses.given(environ)
    url = given.database_direct or given.database
    if url is None:
        url = migrator_url(layout)
    try:
        # Without a cache of statements a transaction pooler will do.
        connection = await asyncpg.connect(url, timeout=_TIMEOUT, statement_cache_size=0)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StackError(f"The database cannot be reached: {_words(error)}. {_UP}") from error
    try:
        yield connection
    except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError) as error:
        raise StackError(
            f"The database is older than this command ({error}): `dalgo up` migrates it."
        ) from error
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StackError(f"The database refused: {_words(error)}") from error
    finally:
        await connection.close(timeout=_TIMEOUT)


def migrator_url(layout: Layout) -> str:
    """This machine's own database as the migrator; raises StackError when there has never been one."""
    port = _port(layout, "postgres", "DATABASE_URL")
    return database_url(port, DATABASE_MIGRATOR, _secrets(layout).migrator)


def bus(layout: Layout, environ: Mapping[str, str]) -> tuple[str, BusLogin]:
    """The servers' URLs and the login of who may make streams; raises StackError."""
    url = addresses.given(environ).nats
    if url is None:
        port = _port(layout, "nats", "NATS_URL")
        return local_url(port), BusLogin(MIGRATOR, _secrets(layout).bus[MIGRATOR])
    return addresses.split_nats(url)[0], addresses.nats_login(environ, MIGRATOR)


@asynccontextmanager
async def jetstream(
    layout: Layout, environ: Mapping[str, str] = os.environ
) -> "AsyncIterator[JetStreamContext]":
    """The streams as the migrator; raises StackError when they cannot be reached or do not take."""
    import nats
    from nats.errors import Error

    from chassis.settings import servers_of

    address, login = bus(layout, environ)

    async def quiet(_: Exception) -> None:
        """What goes wrong is raised below."""

    try:
        connection = await nats.connect(
            servers_of(address),
            **login.options(),
            connect_timeout=_TIMEOUT,
            max_reconnect_attempts=1,
            reconnect_time_wait=0.2,
            error_cb=quiet,
        )
    except (OSError, TimeoutError, Error) as error:
        raise StackError(f"The bus cannot be reached: {_words(error)}. {_UP}") from error
    try:
        yield connection.jetstream(timeout=_TIMEOUT)
    except (TimeoutError, Error) as error:
        raise StackError(
            f"The bus did not store the message: {_words(error)}. Try again."
        ) from error
    finally:
        await connection.close()


def _port(layout: Layout, name: str, setting: str) -> int:
    port = read_state(layout).ports.get(name)
    if port is None or not layout.secrets.exists():
        raise StackError(
            f"Dalgo Lite has never run from {layout.root}. Say --data-dir, or for servers of your "
            f"own set {setting}."
        )
    return port


def _secrets(layout: Layout) -> Secrets:
    return load(layout.secrets, ())


def _words(error: BaseException) -> str:
    return str(error).rstrip(".") or repr(error)
