"""Around every request: security headers, its time measured, what it did not expect caught."""

import time
from collections.abc import Iterable

from fastapi.routing import iter_route_contexts
from prometheus_client import Histogram
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis.telemetry import log
from gateway.problems import ProblemResponse, internal

ANSWERS = Histogram("dalgo_http_seconds", "Time to answer over HTTP", ["method", "route", "status"])

_METHODS = frozenset(
    {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"}
)
"""Those of RFC 9110 and 5789. Others are counted as one: a label's values are not the client's."""

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_STRICT = "default-src 'none'; frame-ancestors 'none'"
_DOCS = (
    "default-src 'none'; connect-src 'self'; img-src 'self' data: https://fastapi.tiangolo.com; "
    "script-src 'unsafe-inline' https://cdn.jsdelivr.net; "
    "style-src 'unsafe-inline' https://cdn.jsdelivr.net; frame-ancestors 'none'"
)
"""The page at /docs is the framework's, with its scripts inline and from its CDN."""


class Observe:
    """Sets headers, logs at DEBUG (failures of ours at WARNING), and answers 500 as a problem."""

    def __init__(self, app: ASGIApp, quiet: Iterable[str]) -> None:
        self._app = app
        self._quiet = frozenset(quiet)
        self._patterns: dict[int, str] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _set_headers(scope, MutableHeaders(scope=message))
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception:
            log.exception("request_failed", method=scope["method"], path=scope["path"])
            if status:
                raise  # half an answer is out: only cutting the line tells the caller
            await ProblemResponse(internal().problem)(scope, receive, sending)
        finally:
            self._tell(scope, status, time.perf_counter() - started)

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        if scope["path"] in self._quiet:
            return
        method = scope["method"] if scope["method"] in _METHODS else "other"
        ANSWERS.labels(method, self._pattern(scope), str(status)).observe(seconds)
        (log.warning if status >= 500 else log.debug)(
            "request_answered",
            method=scope["method"],
            path=scope["path"],
            status=status,
            seconds=round(seconds, 4),
        )

    def _pattern(self, scope: Scope) -> str:
        """The path of the route as it was declared: never anything out of the request."""
        route = scope.get("route")
        if route is None:
            return "none"
        if not self._patterns:
            # By identity: routes are equal by their values, and have no hash.
            for context in iter_route_contexts(scope["app"].routes):
                pattern = context.path or "other"
                self._patterns.setdefault(id(context.original_route), pattern)
        return self._patterns.get(id(route), "other")


def _set_headers(scope: Scope, headers: MutableHeaders) -> None:
    for name, value in _HEADERS.items():
        headers.setdefault(name, value)
    headers.setdefault("Content-Security-Policy", _DOCS if scope["path"] == "/docs" else _STRICT)
    headers.setdefault("Cache-Control", "no-store")
    if scope["scheme"] == "https":
        headers.setdefault("Strict-Transport-Security", "max-age=31536000")
