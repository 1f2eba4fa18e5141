"""Ports on the loopback: the preferred one when it is free, else one that is."""

import socket
from collections.abc import Callable, Iterable, Mapping

LOOPBACK = "127.0.0.1"
_PREFERRED = {
    "gateway": 8000,
    "auth": 18001,
    "ingest": 18002,
    "transform": 18003,
    "orchestrator": 18004,
    "postgres": 15432,
    "nats": 14222,
    "nats_http": 18222,
    "gateway_metrics": 19000,
    "auth_metrics": 19001,
    "ingest_metrics": 19002,
    "transform_metrics": 19003,
    "orchestrator_metrics": 19004,
}


def is_free(port: int) -> bool:
    """Whether a server may listen on the port of 127.0.0.1 now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As the servers do: else a port whose last connection ended a minute ago seems taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as caller:
        # macOS lets one bind beside a listener on 0.0.0.0; that listener would answer all the same.
        caller.settimeout(0.5)
        return caller.connect_ex((LOOPBACK, port)) != 0


def choose(*preferred: int | None, taken: Iterable[int] = ()) -> int:
    """The first preferred port that is free and not in `taken`, else any free port."""
    avoid = set(taken)
    for port in preferred:
        if port and port not in avoid and is_free(port):
            return port
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind((LOOPBACK, 0))
            port = int(probe.getsockname()[1])
        if port not in avoid:
            return port


def choose_all(
    names: Iterable[str],
    last: Mapping[str, int],
    asked: Mapping[str, int | None],
    report: Callable[[str, float], None],
) -> dict[str, int]:
    """A port for each name: the one asked for, the last one, the preferred one, any that is free.

    Reports each whose first choice another program has.
    """
    chosen: dict[str, int] = {}
    for name in names:
        wishes = [p for p in (asked.get(name), last.get(name), _PREFERRED.get(name)) if p]
        chosen[name] = choose(*wishes, taken=chosen.values())
        if wishes and wishes[0] not in chosen.values():
            report(displaced(name, wishes[0], chosen[name]), 0.0)
    return chosen


def displaced(name: str, taken: int, port: int) -> str:
    """A port that another program has, in words."""
    return f"port {taken} is taken by another program: {name} uses {port}"
