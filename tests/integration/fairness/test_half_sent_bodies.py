"""Requests that never end, from one client, beside the ordinary ones of another."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlparse

import pytest

from ..gateway.conftest import Gateway, gateway, member, sign_up, start_gateway
from .measure import assert_undisturbed

__all__ = ["gateway", "member", "sign_up", "start_gateway"]

GREEDY = "127.0.0.2"
HEAD = (
    b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Content-Length: 1000\r\n\r\n"
)
FORM = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
END = b"\r\n--b--\r\n"
SLOW = {"http_body_timeout": 1.5, "http_body_rate": 100, "http_head_timeout": 1.5}


class Line:
    """A connection that sends what it is told, from an address of its own."""

    def __init__(self, gateway: Gateway, address: str = GREEDY) -> None:
        url = urlparse(gateway.url)
        self._server = (url.hostname, url.port)
        self._address = address

    async def __aenter__(self) -> Self:
        host, port = self._server
        self.reader, self.writer = await asyncio.open_connection(
            host, port, local_addr=(self._address, 0)
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()

    async def send(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            self.writer.write(data)
            await self.writer.drain()

    async def drip(self, data: bytes, every: float) -> None:
        """A byte now and then, until the server has closed the connection."""
        for byte in data:
            if self.writer.is_closing():
                return
            await self.send(bytes([byte]))
            await asyncio.sleep(every)

    async def answer(self) -> str:
        """All that the server says until it closes the connection."""
        with contextlib.suppress(OSError):
            return (await self.reader.read()).decode()
        return ""


def is_open(gateway: Gateway) -> int:
    return len(gateway.server.server_state.connections)


class HalfSent:
    """Three hundred requests of one address that never end: bodies, heads, and nothing at all."""

    def __init__(self, gateway: Gateway, width: int = 300) -> None:
        self._gateway = gateway
        self._width = width
        self.answers: list[str] = []
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        self.lines = [
            await self._stack.enter_async_context(Line(self._gateway)) for _ in range(self._width)
        ]
        for number, line in enumerate(self.lines):
            await line.send((HEAD + b'{"email": "a', HEAD[:50], b"")[number % 3])
        self._dripping = asyncio.gather(
            *(line.drip(b"a" * 500, 0.3) for line in self.lines[::3] + self.lines[1::3])
        )
        return self

    async def until_cut(self) -> None:
        self.answers = await asyncio.gather(*(line.answer() for line in self.lines))

    async def __aexit__(self, *_: object) -> None:
        self._dripping.cancel()
        await asyncio.gather(self._dripping, return_exceptions=True)
        await self._stack.aclose()


async def test_half_sent_requests_of_one_client_end_and_leave_another_undisturbed(
    start_service, start_gateway, sign_up
):
    await start_service("auth")
    gateway = await start_gateway(**SLOW)
    other = await sign_up(gateway)

    async def ordinary() -> None:
        assert (await other.client.get("/auth/me")).status_code == 200

    flood = HalfSent(gateway)
    await assert_undisturbed(ordinary, flood)
    async with HalfSent(gateway) as flood, asyncio.timeout(30):
        await flood.until_cut()
    # Of a line on which a byte is under way at the end, the client's system drops the answer.
    told = [answer for answer in flood.answers if answer]
    assert len(told) >= 100
    assert {answer.split("\r\n")[0] for answer in told} == {"HTTP/1.1 408 Request Timeout"}
    assert all('"code":"request_too_slow"' in answer for answer in told)
    assert is_open(gateway) <= 2  # those of the other's client


async def test_one_address_has_no_more_than_its_share_of_connections(
    start_service, start_gateway, sign_up
):
    await start_service("auth")
    gateway = await start_gateway(http_connections=100, http_connections_per_address=20)
    async with contextlib.AsyncExitStack() as stack:
        held = [await stack.enter_async_context(Line(gateway)) for _ in range(20)]
        for line in held:
            await line.send(HEAD)
        async with Line(gateway) as refused:
            answer = await refused.answer()
        assert answer.startswith("HTTP/1.1 503 ")
        assert '"code":"too_many_connections"' in answer
        assert "retry-after: 2" in answer
        # Of another address.
        await sign_up(gateway)
    async with Line(gateway) as again:
        await again.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert (await again.answer()).startswith("HTTP/1.1 200 ")


@pytest.fixture
def objects(ground) -> Path:
    return Path(unquote(urlparse(ground.objects_url).path))


@contextlib.asynccontextmanager
async def uploading(gateway: Gateway, token: str, size: int) -> AsyncIterator[Line]:
    """A line on which an upload has begun."""
    async with Line(gateway) as line:
        await line.send(
            b"POST /api/v1/uploads HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            + f"Authorization: {token}\r\nContent-Length: {size}\r\n".encode()
            + b"Content-Type: multipart/form-data; boundary=b\r\n\r\n"
            + FORM
        )
        yield line


def kept(objects: Path, member) -> list[Path]:
    return [path for path in (objects / "org" / member.org_id.hex).rglob("*") if path.is_file()]


async def test_an_upload_over_a_slow_line_takes_the_time_it_takes(
    start_service, start_gateway, sign_up, objects
):
    await start_service("auth")
    await start_service("ingest")
    gateway = await start_gateway(**SLOW)
    member = await sign_up(gateway)
    token = member.client.headers["Authorization"]
    pieces = [b"1,2\r\n" * 30] * 15  # 150 bytes every 0.4 s: four windows
    size = len(FORM) + sum(map(len, pieces)) + len(END)
    async with uploading(gateway, token, size) as line:
        for piece in pieces:
            await line.send(piece)
            await asyncio.sleep(0.4)
        await line.send(END)
        answer = await line.answer()
    assert answer.startswith("HTTP/1.1 201 "), answer
    assert [path.stat().st_size for path in kept(objects, member)] == [150 * 15]


@pytest.mark.parametrize("megabytes", [0, 12])
async def test_an_upload_that_stalls_is_cut_off_and_leaves_nothing(
    start_service, start_gateway, sign_up, objects, megabytes: int
):
    await start_service("auth")
    gateway = await start_gateway(**SLOW)
    member = await sign_up(gateway)
    token = member.client.headers["Authorization"]
    async with uploading(gateway, token, 50 * 1024 * 1024) as line:
        for _ in range(megabytes):
            await line.send(b"a" * 1024 * 1024)
        answer = await line.answer()
    assert answer.startswith("HTTP/1.1 408 "), answer
    async with asyncio.timeout(20):
        while kept(objects, member):  # noqa: ASYNC110 - the store tells of no end
            await asyncio.sleep(0.05)


async def test_the_rest_of_a_body_that_nobody_wants_may_not_drip_for_ever(
    start_service, start_gateway
):
    gateway = await start_gateway(**SLOW)

    async def dripped() -> str:
        async with Line(gateway) as line, asyncio.timeout(30):
            await line.send(HEAD.replace(b"/auth/login", b"/nothing"))
            dripping = asyncio.create_task(line.drip(b"a" * 500, 0.3))
            answer = await line.answer()
            dripping.cancel()
            return answer

    answers = await asyncio.gather(*(dripped() for _ in range(8)))
    # Of a line on which a byte is under way at the end, the client's system drops the answer.
    told = [answer for answer in answers if answer]
    assert told
    assert all(answer.startswith("HTTP/1.1 404 ") for answer in told)


async def test_what_is_not_http_is_a_problem(gateway):
    async with Line(gateway) as line:
        await line.send(b"\x16\x03\x01\r\n\r\n")
        answer = await line.answer()
    assert answer.startswith("HTTP/1.1 400 ")
    assert "application/problem+json" in answer


async def test_idle_connections_and_whole_requests_are_left_alone(start_service, start_gateway):
    gateway = await start_gateway(**SLOW)
    host = urlparse(gateway.url)
    with socket.create_connection((host.hostname or "", host.port or 0)) as line:
        line.setblocking(False)
        loop = asyncio.get_running_loop()
        for _ in range(3):
            await loop.sock_sendall(line, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await loop.sock_recv(line, 100_000)).startswith(b"HTTP/1.1 200 ")
            await asyncio.sleep(2)
