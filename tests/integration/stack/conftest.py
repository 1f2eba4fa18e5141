"""A data directory that PostgreSQL's account can reach, even when the tests run as root."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from contracts.streams import STORE
from stack import ports
from stack.nats import Nats, User
from stack.postgres import Postgres

EVERYTHING = [User("boss", "pw", (">",), (">",))]


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty directory; pytest's own are closed to the account that root drops to."""
    made = Path(tempfile.mkdtemp(prefix="dalgo-stack-")).resolve()
    if os.geteuid() == 0:
        made.chmod(0o711)
    yield made
    shutil.rmtree(made, ignore_errors=True)


MakePostgres = Callable[..., Postgres]
MakeNats = Callable[..., Nats]


@pytest.fixture
def postgres(folder: Path) -> Iterator[MakePostgres]:
    """Makes servers on one and the same cluster; stops them all."""
    with ExitStack() as stack:

        def make(home: Path = folder / "postgres", *, port: int | None = None) -> Postgres:
            server = Postgres(
                home,
                port or ports.choose(),
                superuser_password="super 'quoted' \\ word",
                migrator_password="migrator 'quoted' \\ word",
                log=folder / "postgres.log",
                runs=folder,
                test=True,
            )
            stack.callback(server.stop)
            return server

        yield make


@pytest.fixture
def nats_server(folder: Path) -> Iterator[MakeNats]:
    """Makes servers on one and the same store; stops them all."""
    with ExitStack() as stack:

        def make(
            users: list[User] = EVERYTHING, *, test: bool = True, store_bytes: int = STORE
        ) -> Nats:
            port = ports.choose()
            server = Nats(
                folder / "nats",
                port,
                ports.choose(taken=[port]),
                users=users,
                system_password="pw",
                log=folder / "nats.log",
                runs=folder,
                store_bytes=store_bytes,
                test=test,
            )
            stack.callback(server.stop)
            return server

        yield make
