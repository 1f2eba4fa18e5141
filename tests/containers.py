"""PostgreSQL and NATS in containers, for `TEST_BACKEND=containers`; needs a Docker engine.

The images are the versions that the wheels hold; both servers are prepared by the very script and
configuration that the one-machine stack uses.
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath

from testcontainers.community.postgres import PostgresContainer
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from stack.nats import configuration
from stack.postgres import DATABASE, MIGRATOR, PREPARE
from stack.users import bus_users

POSTGRES_IMAGE = "postgres:18"
NATS_IMAGE = "nats:2.15"
_CONFIG = "/etc/nats/dalgo.conf"


@dataclass(frozen=True)
class Containers:
    """Where the servers are, as `stack.servers.Servers` says it."""

    superuser_url: str
    migrator_url: str
    nats_url: str


@contextmanager
def temporary(password: str) -> Iterator[Containers]:
    """Empty servers, gone afterwards; `password` is everybody's."""
    config = configuration(
        PurePosixPath("/data"),
        "0.0.0.0",  # within the container; the engine publishes it on the host
        4222,
        8222,
        users=bus_users(defaultdict(lambda: password)),
        system_password=password,
        test=True,
    )
    postgres = PostgresContainer(
        POSTGRES_IMAGE, username="postgres", password=password, dbname="postgres", driver=None
    )
    postgres.with_env("MIGRATOR_PASSWORD", password)
    postgres.with_copy_into_container(PREPARE.encode(), "/docker-entrypoint-initdb.d/dalgo.sql")
    nats = DockerContainer(NATS_IMAGE).with_exposed_ports(4222).with_command(["-c", _CONFIG])
    nats.with_copy_into_container(json.dumps(config).encode(), _CONFIG)
    nats.waiting_for(LogMessageWaitStrategy("Server is ready"))
    with postgres, nats:
        place = f"{postgres.get_container_host_ip()}:{postgres.get_exposed_port(5432)}/{DATABASE}"
        yield Containers(
            f"postgresql://postgres:{password}@{place}",
            f"postgresql://{MIGRATOR}:{password}@{place}",
            f"nats://{nats.get_container_host_ip()}:{nats.get_exposed_port(4222)}",
        )
