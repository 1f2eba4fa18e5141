"""The five services as processes: what each is told, and when it is ready."""

import json
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import psutil

from stack.errors import StackError
from stack.layout import Layout
from stack.ports import LOOPBACK, choose
from stack.probe import get
from stack.process import Child, listens, spawn, wait_until


@dataclass(frozen=True)
class Spec:
    """A service, `python -m <name>`, and the confidential settings that it is given."""

    name: str
    needs: frozenset[str] = frozenset()
    database: bool = True


_JWT = {"JWT_ALGORITHM", "JWT_SECRET_KEY"}

SPECS = (
    Spec("auth", frozenset({"ENCRYPTION_KEY", "JWT_PRIVATE_KEY", "SMTP_URL", *_JWT})),
    Spec(
        "ingest",
        frozenset({"ENCRYPTION_KEY", "MASK_KEY", "OBJECT_STORE_URL", "GOOGLE_CREDENTIALS_JSON"}),
    ),
    Spec("transform", frozenset({"MASK_KEY", "OBJECT_STORE_URL"})),
    Spec("orchestrator", frozenset({"SMTP_URL"})),
    Spec("gateway", frozenset({"OBJECT_STORE_URL", *_JWT}), database=False),
)
NAMES = tuple(spec.name for spec in SPECS)
METRICS = "_metrics"
"""Behind a service's name: the port of its metrics."""

_CONFIDENTIAL = frozenset[str]().union(*(spec.needs for spec in SPECS))
_ADDRESSES = {
    "DATABASE_URL",
    "SUPABASE_DB_URL",
    "DATABASE_DIRECT_URL",
    "NATS_URL",
    "NATS_USER",
    "NATS_PASSWORD",
    "NATS_CA_FILE",
    "NATS_CREDS_FILE",
    "NATS_NKEY_SEED_FILE",
    "HTTP_HOST",
    "HTTP_PORT",
    "METRICS_HOST",
    "METRICS_PORT",
}


def environment(
    spec: Spec,
    base: Mapping[str, str],
    *,
    addresses: Mapping[str, str],
    keys: Mapping[str, str],
    layout: Layout,
    port: int,
    metrics_port: int,
) -> dict[str, str]:
    """The environment of a service.

    `base` is the caller's environment: of its confidential settings only those that the service
    needs pass, its addresses never. `keys` are this machine's own, of which the service gets what
    it needs and the caller has not set: an operator may keep the keys elsewhere.
    """
    passed = {
        key: value
        for key, value in base.items()
        if key not in _ADDRESSES
        and not key.startswith("NATS_PASSWORD_")
        and (key not in _CONFIDENTIAL or key in spec.needs)
    }
    if "OBJECT_STORE_URL" not in spec.needs:
        passed = {key: value for key, value in passed.items() if not key.startswith("AWS_")}
    own = {key: keys[key] for key in spec.needs & keys.keys() if not passed.get(key)}
    fixed = {
        "HTTP_HOST": LOOPBACK,
        "HTTP_PORT": str(port),
        "METRICS_HOST": LOOPBACK,
        "METRICS_PORT": str(metrics_port),
        "DALGO_DATA_DIR": str(layout.root),
        "PYTHONUNBUFFERED": "1",
    }
    # No load balancer stands before a service of this machine.
    return {"LOG_LEVEL": "INFO", "HTTP_DRAIN_DELAY": "0"} | passed | own | dict(addresses) | fixed


class Service:
    """One service's process."""

    def __init__(
        self,
        spec: Spec,
        port: int,
        metrics_port: int,
        layout: Layout,
        env: Callable[[int, int], dict[str, str]],
    ) -> None:
        """`env` gives the environment for ports of the service's own, the latter its metrics'."""
        self.name = spec.name
        self.port = port
        self.metrics_port = metrics_port
        self.log = layout.log(spec.name)
        self.ready_within = 60.0
        self._layout = layout
        self._env = env
        self._child: Child | None = None

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._child.pid if self.is_running() and self._child else None

    def ports(self) -> dict[str, int]:
        """Its HTTP interface and its metrics."""
        return {self.name: self.port, self.name + METRICS: self.metrics_port}

    def leave_taken_ports(self) -> None:
        """Choose another port for each on which another program listens."""
        self.port = choose(self.port)
        self.metrics_port = choose(self.metrics_port, taken=[self.port])

    def is_running(self) -> bool:
        """Whether the process that `start` has started lives."""
        return self._child is not None and self._child.exit_status() is None

    def start(self) -> None:
        """Start it and wait until it says that it is ready.

        Raises StackError with what is missing and the end of its log. One that lives and is not ready
        goes on: what it waits for (a database with room, another service) may come.
        """
        # Nobody is told this port before the start: another may be had each time.
        self.metrics_port = choose(self.metrics_port, taken=[self.port])
        self._child = spawn(
            self.name,
            [sys.executable, "-m", self.name],
            env=self._env(self.port, self.metrics_port),
            runs=self._layout.runs,
            log=self.log,
        )
        if not wait_until(lambda: self.is_ready() or not self.is_running(), self.ready_within):
            found = lacks(self.port)
            if found is None:
                self.stop()
            raise StackError(
                f"{self.name} did not get ready in {self.ready_within:.0f} s: "
                f"{found or 'it does not answer'}\n"
                f"The end of {self.log}:\n{self._child.last_words()}"
            )
        if not self.is_running():
            raise StackError(
                f"{self.name} ended ({describe(self._child.exit_status())}) instead of getting "
                f"ready.\nThe end of {self.log}:\n{self._child.last_words()}"
            )

    def is_ready(self) -> bool:
        """Whether this very process answers that it is ready."""
        return self._child is not None and is_ready(psutil.Process(self._child.pid), self.port)

    def stop(self) -> None:
        """Let it finish what it can, for a while."""
        if self._child is not None:
            self._child.stop(signal.SIGTERM, grace=15)


def is_ready(process: psutil.Process, port: int) -> bool:
    """Whether a service's process, and not another program on its port, answers that it is ready."""
    return get(port, "/readyz", timeout=3).status == 200 and listens(process, port)


def lacks(port: int) -> str | None:
    """What a service on the port says that it lacks; None when it does not answer."""
    answer = get(port, "/readyz", timeout=4)
    try:
        checks = json.loads(answer.body)["checks"]
        return "; ".join(f"{name}: {said}" for name, said in checks.items() if said != "ok")
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def describe(status: int | None) -> str:
    """An exit status in words."""
    if status is not None and status < 0:
        return f"signal {signal.Signals(-status).name}"
    return f"exit status {status}"
