"""`dalgo down` and `dalgo status`: what can be done from outside the running `dalgo up`."""

import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import psutil

from stack import nats, postgres, services
from stack.layout import Layout
from stack.process import Record, end, is_alive, wait_until
from stack.services import METRICS
from stack.state import SUPERVISOR, State, is_locked, read_state, recorded, supervisor

_PATIENCE = 60.0
"""Seconds for `dalgo up` to stop everything; its parts have 15 to 20 each."""


@dataclass(frozen=True)
class Part:
    """One process: `memory_mb` with its children, memory that they share counted once.

    `pid` is None while it does not run.
    """

    name: str
    pid: int | None
    port: int | None
    ready: bool
    memory_mb: float
    metrics_port: int | None = None
    lacks: str | None = None
    """What a service says that it lacks."""


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
    parts = [_part(layout, state, record, process) for record, process in recorded(layout)]
    if chief:
        found = {part.name for part in parts}
        parts += [
            Part(name, None, state.ports.get(name), ready=False, memory_mb=0.0)
            for name in state.parts
            if name not in found
        ]
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


def _part(layout: Layout, state: State, record: Record, process: psutil.Process) -> Part:
    port = state.ports.get(record.name)
    ready = _is_ready(layout, record.name, state.ports, process)
    return Part(
        record.name,
        record.pid,
        port,
        ready,
        _memory(process),
        state.ports.get(record.name + METRICS),
        services.lacks(port) if port and not ready and record.name in services.NAMES else None,
    )


def _is_ready(layout: Layout, name: str, ports: dict[str, int], process: psutil.Process) -> bool:
    match name:
        case "postgres":
            return postgres.is_ready(process, layout.postgres / "data")
        case "nats":
            return nats.is_whole(process, ports)
        case _:
            return name in ports and services.is_ready(process, ports[name])


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
