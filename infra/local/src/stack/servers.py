"""Throwaway PostgreSQL and NATS for tests: real servers, started in about a second."""

import os
import secrets
import shutil
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stack import ports
from stack.nats import Nats, User
from stack.postgres import Postgres

# Takes the servers along when the tests are killed: the pipe on its stdin closes with them.
_GUARD = 'read _; kill -QUIT "$1"; kill -KILL "$2"; rm -rf -- "$3"'


@dataclass(frozen=True)
class Servers:
    """Where the servers are; `nats_url` carries no user, see `stack.users` for who there is."""

    postgres: Postgres
    nats: Nats

    @property
    def superuser_url(self) -> str:
        """The database as its superuser."""
        return self.postgres.superuser_url

    @property
    def migrator_url(self) -> str:
        """The database as its owner, who may create roles."""
        return self.postgres.migrator_url

    @property
    def nats_url(self) -> str:
        """The bus."""
        return self.nats.url

    @classmethod
    @contextmanager
    def temporary(
        cls,
        users: Sequence[User] | None = None,
        password: str | None = None,
        *,
        durable: bool = False,
        postgres: type[Postgres] = Postgres,
    ) -> "Iterator[Servers]":
        """Empty servers in a temporary directory, gone afterwards.

        Users of the bus are those of the contracts unless given. `password` is everybody's:
        each service's, the migrator's and the superuser's; without it one is made. `durable`
        servers wait for the disk as those of an installation do, which benches must pay for. `postgres`: how the database is made.
        """
        secret = password or secrets.token_urlsafe(24)
        if users is None:
            from stack.users import bus_users

            users = bus_users(defaultdict(lambda: secret))
        folder = Path(tempfile.mkdtemp(prefix="dalgo-test-")).resolve()
        if os.geteuid() == 0:
            folder.chmod(0o711)  # PostgreSQL runs as another and must pass through
        try:
            servers = cls._in(folder, users, secret, not durable, postgres)
            with ThreadPoolExecutor(2) as pool:
                starts = [pool.submit(unit.start) for unit in (servers.postgres, servers.nats)]
            try:
                for start in starts:
                    start.result()
                with _guard(servers, folder):
                    yield servers
            finally:
                with ThreadPoolExecutor(2) as pool:
                    pool.submit(servers.postgres.stop)
                    pool.submit(servers.nats.stop)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @classmethod
    def _in(
        cls, folder: Path, users: Sequence[User], secret: str, test: bool, postgres: type[Postgres]
    ) -> "Servers":
        port = ports.choose()
        client = ports.choose(taken=(port,))
        monitoring = ports.choose(taken=(port, client))
        return cls(
            postgres(
                folder / "postgres",
                port,
                superuser_password=secret,
                migrator_password=secret,
                log=folder / "postgres.log",
                runs=folder,
                test=test,
            ),
            Nats(
                folder / "nats",
                client,
                monitoring,
                users=users,
                system_password=secret,
                log=folder / "nats.log",
                runs=folder,
                test=test,
            ),
        )


@contextmanager
def _guard(servers: Servers, folder: Path) -> Iterator[None]:
    arguments = [str(servers.postgres.pid), str(servers.nats.pid), str(folder)]
    guard = subprocess.Popen(
        ["/bin/sh", "-c", _GUARD, "sh", *arguments],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        guard.kill()
        guard.communicate()
