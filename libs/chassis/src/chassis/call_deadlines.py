"""Total deadlines of outbound calls: no server holds a caller by giving a byte now and then."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpcore
import httpx
from typing_extensions import override

_RESOLVE = 10.0
"""Seconds for a name to be resolved: the system's resolver has no time-out that can be set."""


_HAIR = 0.01
"""Seconds: a clock's rounding at the deadline."""


class TooSlow(httpx.TimeoutException):
    """A call that was not over at its deadline, however busy its server was with it."""


class Deadline:
    """When the call that is under way must be over. One call at a time."""

    def __init__(self, per_call: float, overall: float | None) -> None:
        """Seconds: for each call, and for all of them together from now on."""
        self._per_call = per_call
        self._last = float("inf") if overall is None else time.monotonic() + overall
        self._at = self._last

    def begin(self) -> None:
        """A call begins; raises TooSlow when no time is left for it."""
        self._at = min(self._last, time.monotonic() + self._per_call)
        self.bounded(None)

    def bounded(self, timeout: float | None) -> float:
        """Seconds that one step of the call may take; raises TooSlow when there are none."""
        left = self._at - time.monotonic()
        if left <= _HAIR:
            raise TooSlow("The call took longer than it may.")
        return left if timeout is None else min(timeout, left)

    @contextmanager
    def step(self, timeout: float | None) -> Iterator[float]:
        """A step of the call, with its seconds; a time-out at the deadline becomes TooSlow."""
        seconds = self.bounded(timeout)
        try:
            yield seconds
        except httpcore.TimeoutException:
            self.bounded(None)
            raise


class BoundedStream(httpcore.NetworkStream):
    """A connection of which every step ends with the deadline, not with a time-out of its own."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    @override
    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """What has arrived."""
        with self._deadline.step(timeout) as seconds:
            return self._stream.read(max_bytes, seconds)

    @override
    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of it."""
        with self._deadline.step(timeout) as seconds:
            self._stream.write(buffer, seconds)

    @override
    def close(self) -> None:
        """End the connection."""
        self._stream.close()

    @override
    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """Encrypt; Python bounds the handshake as a whole."""
        with self._deadline.step(timeout) as seconds:
            encrypted = self._stream.start_tls(ssl_context, server_hostname, seconds)
        return BoundedStream(encrypted, self._deadline)

    @override
    def get_extra_info(self, info: str) -> Any:
        """As the connection itself."""
        return self._stream.get_extra_info(info)


def resolved(host: str, port: int, timeout: float) -> list[str]:
    """Addresses of a host. Raises httpcore's ConnectError and ConnectTimeout.

    A resolver that hangs is left to its thread, which ends with the process at the latest.
    """
    found: list[str] = []
    failed: list[Exception] = []

    def resolve() -> None:
        try:
            answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found.extend(dict.fromkeys(str(address[0]) for *_, address in answers))
        except (OSError, UnicodeError) as error:
            failed.append(error)

    resolving = threading.Thread(target=resolve, daemon=True)
    resolving.start()
    resolving.join(min(timeout, _RESOLVE))
    if failed or (not found and not resolving.is_alive()):
        raise httpcore.ConnectError(f"The server '{host}' was not found.") from (
            failed[0] if failed else None
        )
    if not found:
        raise httpcore.ConnectTimeout(f"The name '{host}' could not be resolved in time.")
    return found
