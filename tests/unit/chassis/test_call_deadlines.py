"""Calls to addresses that users give are over at their deadline, whatever the server does."""

import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from chassis import egress
from chassis.call_deadlines import TooSlow

from ...servers.dripping import What, dripping

TOTAL = 0.6
"""Seconds; the servers drip on as long as they are let."""


@pytest.mark.parametrize("what", ["silence", "head", "body"])
def test_a_server_that_drips_is_left_at_the_deadline(what: What) -> None:
    with (
        dripping(what, every=0.05) as server,
        egress.client([server.url], timeout=30, total=TOTAL) as client,
    ):
        with pytest.raises(TooSlow):
            client.get(server.url)
        assert server.left.acquire(timeout=10), "the connection is closed"


def test_a_handshake_that_drips_is_left_at_the_deadline() -> None:
    with dripping("handshake", every=0.05) as server:
        address = server.url.replace("http://", "https://")
        with egress.client([address], timeout=30, total=TOTAL) as client, pytest.raises(TooSlow):
            client.get(address)


def test_a_body_without_end_is_left_at_the_deadline_however_fast_it_comes() -> None:
    with (
        dripping("endless") as server,
        egress.client([server.url], total=TOTAL) as client,
        client.stream("GET", server.url) as answer,
        pytest.raises(TooSlow),
    ):
        for _ in answer.iter_bytes():
            pass


def test_the_body_of_a_redirect_is_not_waited_for() -> None:
    with (
        dripping("redirects", every=0.05) as server,
        egress.client([server.url], total=30) as client,
        pytest.raises(httpx.TooManyRedirects),
    ):
        client.get(server.url)
    assert server.connections == 1 + egress.MAX_REDIRECTS


def test_all_calls_of_a_client_share_what_is_left_of_its_time() -> None:
    with (
        dripping("silence", every=0.05) as server,
        egress.client([server.url], timeout=0.2, total=30, overall=0.5) as client,
    ):
        with pytest.raises(httpx.ReadTimeout):
            client.get(server.url)
        ends = {_end_of_a_call(client, server.url) for _ in range(10)}
        assert ends <= {httpx.ReadTimeout, TooSlow}
        assert _end_of_a_call(client, server.url) is TooSlow
        assert server.connections <= 3, "none is made once the time is over"


def _end_of_a_call(client: httpx.Client, url: str) -> type[BaseException]:
    with pytest.raises(httpx.TimeoutException) as caught:
        client.get(url)
    return caught.type


@pytest.fixture
def hanging_resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A resolver that gives no answer, as when a name's own servers are away."""
    is_over = threading.Event()

    def hang(*_: object, **__: object) -> list[object]:
        is_over.wait(30)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    yield
    is_over.set()


@pytest.mark.usefixtures("hanging_resolver")
def test_a_name_that_is_not_resolved_in_time_holds_nobody() -> None:
    began = time.monotonic()
    with egress.client(timeout=30, total=TOTAL) as client, pytest.raises(TooSlow):
        client.get("https://slow.test/")
    # Long before the resolver would have given up.
    assert time.monotonic() - began < 20
