"""A small HTTP server that speaks the documented protocol, scripted by each test."""

import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest


@dataclass(frozen=True)
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """What is said to one request; `hang_up` closes the line after the body, or instead of it."""

    status: int = 200
    json: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    hang_up: bool = False

    @property
    def content(self) -> bytes:
        if self.body is not None:
            return self.body
        return b"" if self.json is None else json.dumps(self.json).encode()


Say = Answer | Callable[[Seen], Answer]


class Gateway:
    """The script: answers by route, used one after another, the last one for ever."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.seen: list[Seen] = []
        self._script: dict[tuple[str, str], deque[Say]] = {}

    def on(self, route: str, *answers: Say) -> None:
        """`on("GET /sources", Answer(...))`: paths below /api/v1."""
        method, _, path = route.partition(" ")
        self._script[method, f"/api/v1{path}"] = deque(answers)

    def requests(self, route: str) -> list[Seen]:
        method, _, path = route.partition(" ")
        return [s for s in self.seen if (s.method, s.path) == (method, f"/api/v1{path}")]

    def answer(self, seen: Seen) -> Answer:
        self.seen.append(seen)
        script = self._script.get((seen.method, seen.path))
        if script is None:
            return problem(404, "not_found", f"There is nothing at {seen.path}.")
        say = script.popleft() if len(script) > 1 else script[0]
        return say if isinstance(say, Answer) else say(seen)


def problem(status: int, code: str, detail: str, **more: Any) -> Answer:
    body = {"title": "Problem", "status": status, "code": code, "detail": detail, **more}
    return Answer(status, body, {"Content-Type": "application/problem+json"})


def events(*blocks: str, hang_up: bool = True) -> Answer:
    """A live stream that says these blocks and then breaks off."""
    body = "".join(f"{block}\n\n" for block in blocks).encode()
    return Answer(200, headers={"Content-Type": "text/event-stream"}, body=body, hang_up=hang_up)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    gateway: Gateway


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _any(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length", 0))
        seen = Seen(
            self.command,
            parts.path,
            dict(parse_qsl(parts.query)),
            {name.lower(): value for name, value in self.headers.items()},
            self.rfile.read(length),
        )
        assert isinstance(self.server, _Server)
        answer = self.server.gateway.answer(seen)
        self.close_connection = answer.hang_up
        if answer.hang_up and answer.body is None:
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if not answer.hang_up:
            self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    do_GET = do_POST = do_PUT = do_DELETE = _any  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    """The server, on a port of its own."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.gateway = Gateway(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.gateway
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def answer() -> type[Answer]:
    """How tests write answers."""
    return Answer


@pytest.fixture
def refusal() -> Callable[..., Answer]:
    """`refusal(status, code, detail)`: a problem."""
    return problem


@pytest.fixture
def live() -> Callable[..., Answer]:
    """`live(*blocks)`: server-sent events."""
    return events
