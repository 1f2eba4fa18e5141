"""Calls to addresses that users give: https to public addresses only, at every hop, and bounded."""

import ssl
import time
from collections.abc import Collection, Iterable
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

import httpcore
import httpx
from typing_extensions import override

from chassis.call_deadlines import BoundedStream, Deadline, resolved

_NAT64 = IPv6Network("64:ff9b::/96")
_LIMITS = httpx.Limits(max_connections=4, max_keepalive_connections=2)
MAX_REDIRECTS = 5
TOTAL = 120.0
"""Seconds for one call, with its redirects and all of its body."""


class Refused(Exception):
    """An address that may not be called; `message` says why, in words for people."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def client(
    allowed: Collection[str] = (),
    timeout: float = 60.0,
    verify: ssl.SSLContext | bool = True,
    *,
    total: float = TOTAL,
    overall: float | None = None,
) -> httpx.Client:
    """A client that calls nothing inside our own network. Raises Refused from any request.

    The rule holds for the first URL and for every redirect. A name is resolved once for each
    connection, and the connection goes to an address that was looked at: an answer that changes
    between the look and the call gains nothing. Proxies and `.netrc` of the environment are left
    alone. `allowed` are origins (`http://127.0.0.1:8080`) that are exempt, an operator's word.

    `timeout` bounds the server's silence, `total` one call from the name's resolution to the last
    byte of the body, redirects included, and `overall` all calls of the client, each in seconds.
    Past the last two a call raises TooSlow. It makes one call at a time.
    """
    return _Client(
        Deadline(total, overall),
        frozenset(map(_origin, map(httpx.URL, allowed))),
        verify,
        timeout,
    )


def is_public(address: str) -> bool:
    """Whether an IP address lies in the public internet, also through what IPv6 wraps around it."""
    ip = ip_address(address.partition("%")[0])
    return all(_is_public(one) for one in (ip, *_wrapped(ip)))


def _is_public(ip: IPv4Address | IPv6Address) -> bool:
    return ip.is_global and not (
        ip.is_private
        or ip.is_multicast
        or ip.is_reserved
        or (isinstance(ip, IPv6Address) and ip.is_site_local)
    )


def _wrapped(ip: IPv4Address | IPv6Address) -> Iterable[IPv4Address]:
    """IPv4 addresses that an IPv6 address stands for (RFC 4291, 6052, 3056, 4380)."""
    if isinstance(ip, IPv4Address):
        return
    if ip.ipv4_mapped is not None:
        yield ip.ipv4_mapped
    if ip in _NAT64:
        yield IPv4Address(int(ip) & 0xFFFFFFFF)
    if ip.sixtofour is not None:
        yield ip.sixtofour
    if ip.teredo is not None:
        yield from ip.teredo


class _Client(httpx.Client):
    """Begins the deadline with every call, and says when it was what ended one."""

    def __init__(
        self,
        deadline: Deadline,
        allowed: frozenset[tuple[str, str, int]],
        verify: ssl.SSLContext | bool,
        timeout: float,
    ) -> None:
        super().__init__(
            transport=_Guarded(allowed, verify, deadline),
            timeout=httpx.Timeout(timeout, connect=min(timeout, 10.0)),
            follow_redirects=True,
            max_redirects=MAX_REDIRECTS,
            trust_env=False,
        )
        self._deadline = deadline

    @override
    def send(self, request: httpx.Request, **more: Any) -> httpx.Response:
        """Send it; raises Refused and TooSlow."""
        self._deadline.begin()
        return super().send(request, **more)


class _Guarded(httpx.HTTPTransport):
    """Looks at every request, redirected ones too, before it leaves."""

    def __init__(
        self,
        allowed: frozenset[tuple[str, str, int]],
        verify: ssl.SSLContext | bool,
        deadline: Deadline,
    ) -> None:
        super().__init__(verify=verify, trust_env=False, limits=_LIMITS)
        self._pool.close()
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(verify=verify, trust_env=False),
            max_connections=_LIMITS.max_connections,
            max_keepalive_connections=_LIMITS.max_keepalive_connections,
            network_backend=_Checked({(host, port) for _, host, port in allowed}, deadline),
        )
        self._allowed = allowed

    @override
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send it; raises Refused."""
        url = request.url
        if not url.host:
            raise Refused("The address names no server. Write it like https://example.org.")
        if url.userinfo:
            raise Refused("The address holds a user name or password: leave them out.")
        if url.scheme != "https" and _origin(url) not in self._allowed:
            raise Refused(f"'{_shown(url)}' is not encrypted. Use an address with https://.")
        response = super().handle_request(request)
        if not response.has_redirect_location:
            return response
        # httpx reads the body of a redirect as a whole, however large; nobody looks at it.
        response.close()
        kept = {"Location": response.headers["Location"]}
        return httpx.Response(response.status_code, headers=kept)


class _Checked(httpcore.NetworkBackend):
    """Resolves a name once and connects to what it found there, if all of that is public."""

    def __init__(self, allowed: Collection[tuple[str, int]], deadline: Deadline) -> None:
        self._allowed = allowed
        self._deadline = deadline
        self._sockets = httpcore.SyncBackend()

    @override
    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        with self._deadline.step(timeout) as seconds:
            until = time.monotonic() + seconds
            addresses = resolved(host, port, seconds)
            if (host, port) not in self._allowed and not all(map(is_public, addresses)):
                raise Refused(
                    f"'{host}' lies inside a private network. Only public addresses may be called."
                )
            stream = self._connected(addresses, port, until, local_address, socket_options)
        return BoundedStream(stream, self._deadline)

    def _connected(
        self,
        addresses: list[str],
        port: int,
        until: float,
        local_address: str | None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None,
    ) -> httpcore.NetworkStream:
        for address in addresses[:-1]:
            with suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                return self._sockets.connect_tcp(
                    address, port, _left(until), local_address, socket_options
                )
        return self._sockets.connect_tcp(
            addresses[-1], port, _left(until), local_address, socket_options
        )

    @override
    def sleep(self, seconds: float) -> None:
        """Wait between two tries of a connection."""
        self._sockets.sleep(seconds)


def _left(until: float) -> float:
    return max(0.1, until - time.monotonic())


def _port(url: httpx.URL) -> int:
    return url.port or {"http": 80, "https": 443}.get(url.scheme, 0)


def _origin(url: httpx.URL) -> tuple[str, str, int]:
    return url.scheme, url.host, _port(url)


def _shown(url: httpx.URL) -> str:
    return f"{url.scheme}://{url.netloc.decode('ascii', 'replace')}"
