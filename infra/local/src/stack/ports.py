"""Ports on the loopback: the preferred one when it is free, else one that is."""

import socket
from collections.abc import Iterable

LOOPBACK = "127.0.0.1"


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
