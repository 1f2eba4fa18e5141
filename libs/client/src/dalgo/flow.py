"""What happens around a request, without doing any I/O: renewing the session, trying again.

A flow is a generator. It yields what it wants done, is sent what came of it, and returns the
response. The same flow therefore serves the synchronous and the asynchronous client.
"""

import random
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import httpx

from dalgo.call import Call
from dalgo.errors import DalgoError, Unreachable, error_of
from dalgo.session import Session

_NOT_DONE = frozenset({429, 503})
"""The server says that it has done nothing: safe to repeat, whatever the call."""
_UNCERTAIN = frozenset({502, 504})
_LONGEST_PAUSE = 2.0
_NEVER_ARRIVED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


@dataclass(frozen=True)
class Send:
    """Send this; answered with the response or the transport's error.

    The body of a `stream` is left unread, unless its status is an error.
    """

    request: httpx.Request
    stream: bool = False


@dataclass(frozen=True)
class Pause:
    """Wait this many seconds."""

    seconds: float


Received = httpx.Response | httpx.TransportError | None
Flow = Generator[Send | Pause, Received, httpx.Response]


@dataclass(frozen=True)
class Line:
    """The way to one server: who calls, how requests are made, how long to keep trying."""

    url: str
    session: Session
    build: Callable[..., httpx.Request]
    patience: float
    """Seconds after which a call that does not get through is given up."""


def exchange(line: Line, call: Call[Any], *, stream: bool = False) -> Flow:
    """Get an answer that is not an error, over lost connections, restarts and expired tokens.

    Raises DalgoError for what the server refuses, Unreachable when patience has run out.
    """
    deadline = time.monotonic() + line.patience
    failures = 0
    renewed = False
    if call.is_signed and line.session.is_stale:
        yield from renew(line)
        renewed = True
    while True:
        with call.body() as body:
            received = yield Send(_request(line, call, body), stream)
        if isinstance(received, httpx.Response) and received.status_code < 400:
            if call.opens_session:
                line.session.keep(received)
            return received
        if _is_expired(received) and call.is_signed and line.session.can_renew and not renewed:
            yield from renew(line)
            renewed = True
            continue
        pause = _pause(call, received, failures)
        if pause is None or time.monotonic() + pause > deadline:
            raise _failure(line, received)
        failures += 1
        yield Pause(pause)


def renew(line: Line) -> Flow:
    """Exchange the refresh cookie for a new session; raises DalgoError when it is refused."""
    call = Call(
        "POST",
        "/auth/refresh",
        parse=lambda _: None,
        headers=line.session.renewal,
        is_signed=False,
        opens_session=True,
    )
    try:
        return (yield from exchange(line, call))
    except DalgoError as error:
        if error.status in (401, 403):
            line.session.forget()
        raise


def _request(line: Line, call: Call[Any], body: dict[str, object]) -> httpx.Request:
    authorization = line.session.authorization if call.is_signed else {}
    return line.build(
        call.method,
        f"/api/v1{call.path}",
        params=dict(call.params) or None,
        headers={**call.headers, **authorization},
        **body,
    )


def _is_expired(received: Received) -> bool:
    return isinstance(received, httpx.Response) and received.status_code == 401


def _pause(call: Call[Any], received: Received, failures: int) -> float | None:
    """Seconds to wait before the call is sent again; None when it must not be."""
    pause = min(_LONGEST_PAUSE, 0.1 * 2**failures) * random.uniform(0.75, 1.25)
    if isinstance(received, httpx.UnsupportedProtocol):
        return None
    if not isinstance(received, httpx.Response):
        is_safe = call.repeatable or isinstance(received, _NEVER_ARRIVED)
        return pause if is_safe else None
    if received.status_code in _NOT_DONE:
        return max(pause, _told(received))
    return pause if received.status_code in _UNCERTAIN and call.repeatable else None


def _told(response: httpx.Response) -> float:
    """Seconds that `Retry-After` asks for; its other form, a date, is not used by Dalgo."""
    text = response.headers.get("retry-after", "")
    return float(text) if text.isdecimal() else 0.0


def _failure(line: Line, received: Received) -> DalgoError:
    if isinstance(received, httpx.Response):
        return error_of(received)
    assert received is not None
    return Unreachable(line.url, received)
