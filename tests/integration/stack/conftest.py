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
from stack.control import down
from stack.layout import Layout
from stack.nats import Nats, User
from stack.postgres import Postgres
from stack.services import NAMES

from .staging import Told

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


@pytest.fixture
def environ(folder: Path) -> dict[str, str]:
    """An environment in which `python -m auth` and the others are stand-ins."""
    modules = folder / "modules"
    modules.mkdir()
    for name in NAMES:
        (modules / name).mkdir()
        (modules / name / "__init__.py").touch()
        shutil.copy(Path(__file__).with_name("stand_in.py"), modules / name / "__main__.py")
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "PYTHONPATH") if key in os.environ}
    return kept | {"PYTHONPATH": f"{modules}:{kept.get('PYTHONPATH', '')}"}


@pytest.fixture
def layout(folder: Path) -> Iterator[Layout]:
    """A data directory; whatever still runs from it is stopped in the end."""
    layout = Layout(folder / "data")
    yield layout
    down(layout, Told())
