"""A server of raw sockets for tests that never ends: it drips bytes of an answer, a handshake, a redirect."""

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

What = Literal["silence", "head", "body", "endless", "redirects", "handshake"]

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


class DrippingServer:
    """Takes connections and gives each a byte now and then, of what it was asked to drip."""

    def __init__(self, what: What, every: float) -> None:
        self.what = what
        self.every = every
        self.url = ""
        self.connections = 0
        """That were taken so far."""
        self.left = threading.Semaphore(0)
        """Released for every connection that the other end has closed."""
        self._stopped = threading.Event()

    def serve(self, listening: socket.socket) -> None:
        """Take connections until stopped."""
        threads: list[threading.Thread] = []
        while not self._stopped.is_set():
            try:
                connection, _ = listening.accept()
            except OSError:
                break
            self.connections += 1
            threads.append(threading.Thread(target=self._drip, args=(connection,)))
            threads[-1].start()
        for thread in threads:
            thread.join()

    def stop(self) -> None:
        """End all connections."""
        self._stopped.set()

    def _drip(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(10)
            try:
                if self.what in ("body", "endless", "redirects"):
                    while b"\r\n\r\n" not in connection.recv(65536):
                        pass
                connection.sendall(self._first())
                while not self._stopped.is_set():
                    connection.sendall(self._next())
                    pause = 0 if self.what == "endless" else self.every
                    heard, _, _ = select.select([connection], [], [], pause)
                    if heard and not connection.recv(65536):
                        raise ConnectionResetError
            except OSError:
                self.left.release()

    def _first(self) -> bytes:
        # The body of a redirect has no end either; the place it leads to is this one again.
        redirect = f"HTTP/1.1 302 Found\r\nLocation: {self.url}/\r\n".encode()
        endless = b"Content-Length: 100000000000\r\n\r\n"
        firsts: dict[str, bytes] = {
            "body": _HEAD + endless + b"[",
            "endless": _HEAD + endless + b"[",
            "redirects": redirect + endless,
            "head": _HEAD + b"X-More: ",
            # A record of TLS, the server's hello, as long as records may be.
            "handshake": b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc",
        }
        return firsts.get(self.what, b"")

    def _next(self) -> bytes:
        return b" " * {"endless": 65536, "silence": 0}.get(str(self.what), 1)


@contextmanager
def dripping(what: What, every: float = 0.2) -> Iterator[DrippingServer]:
    """The server on a free port of this machine; `every`: seconds between two bytes."""
    server = DrippingServer(what, every)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        server.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread = threading.Thread(target=server.serve, args=(listening,))
        thread.start()
        try:
            yield server
        finally:
            server.stop()
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(15)
