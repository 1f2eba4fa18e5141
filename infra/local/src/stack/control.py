"""`dalgo down` and `dalgo status`: what can be done from outside the running `dalgo up`."""

import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import psutil

from stack.layout import Layout
from stack.probe import get
from stack.process import end, is_alive, wait_until
from stack.state import METRICS, SUPERVISOR, is_locked, read_state, recorded, supervisor

_PATIENCE = 60.0
"""Seconds for `dalgo up` to stop everything; its parts have 15 to 20 each."""


@dataclass(frozen=True)
class Part:
    """One process: `memory_mb` with its children, memory that they share counted once."""

    name: str
    pid: int
    port: int | None
    ready: bool
    memory_mb: float
    metrics_port: int | None = None


@dataclass(frozen=True)
class Status:
    """What runs from a data directory; `running`: a `dalgo up` lives and watches over it."""

    running: bool
    ready: bool
    url: str | None
    supervisor_pid: int | None
    parts: list[Part]


def status(layout: Layout) -> Status:
    """Look at the recorded processes and ask each whether it is ready."""
    state = read_state(layout)
    chief = supervisor(layout)
    parts = [
        Part(
            record.name,
            record.pid,
            state.ports.get(record.name),
            _is_ready(record.name, state.ports, process),
            _memory(process),
            state.ports.get(record.name + METRICS),
        )
        for record, process in recorded(layout)
    ]
    if chief:
        parts.append(Part(SUPERVISOR, chief.pid, None, True, _memory(chief, alone=True)))
    ready = chief is not None and state.ready and all(part.ready for part in parts)
    return Status(
        chief is not None,
        ready,
        state.url if chief else None,
        chief.pid if chief else None,
        parts,
    )


def down(layout: Layout, report: Callable[[str, float], None]) -> None:
    """Stop the running `dalgo up` with all it has started, and whatever a killed one has left."""
    began = time.perf_counter()
    chief = supervisor(layout)
    if chief:
        with suppress(psutil.NoSuchProcess):
            chief.send_signal(signal.SIGTERM)
        if not wait_until(lambda: not is_alive(chief), _PATIENCE):
            report(f"dalgo up (pid {chief.pid}) does not stop: killing it", _PATIENCE)
            with suppress(psutil.NoSuchProcess):
                chief.kill()
            wait_until(lambda: not is_locked(layout), 5)
    left = stop_leftovers(layout, report)
    what = "stopped" if chief or left else "nothing was running"
    report(what, time.perf_counter() - began)


def stop_leftovers(layout: Layout, report: Callable[[str, float], None]) -> int:
    """Stop processes whose `dalgo up` was killed; returns how many there were."""
    found = recorded(layout)
    for record, process in found:
        began = time.perf_counter()
        # PostgreSQL: SIGTERM would wait for every client to leave, SIGINT is its fast shutdown.
        first = signal.SIGINT if record.name == "postgres" else signal.SIGTERM
        end(process, first, grace=15)
        (layout.runs / f"{record.name}.json").unlink(missing_ok=True)
        report(f"{record.name} of an earlier run stopped", time.perf_counter() - began)
    return len(found)


def _is_ready(name: str, ports: dict[str, int], process: psutil.Process) -> bool:
    if name == "postgres":
        return is_alive(process)
    # Of NATS with all its streams: one that cannot be written is not ready.
    path = "/healthz" if name == "nats" else "/readyz"
    port = ports.get("nats_http" if name == "nats" else name)
    return port is not None and get(port, path, timeout=3).status == 200


def _memory(process: psutil.Process, *, alone: bool = False) -> float:
    total = 0
    with suppress(psutil.Error):
        for member in [process, *([] if alone else process.children(recursive=True))]:
            with suppress(psutil.Error):
                try:
                    # Shared pages divided among their users; only Linux tells.
                    total += member.memory_full_info().pss
                except (psutil.AccessDenied, AttributeError):
                    total += member.memory_info().rss
    return round(total / 1024**2, 1)
