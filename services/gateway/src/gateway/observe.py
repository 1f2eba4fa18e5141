"""Around every request: security headers, its time measured, what it did not expect caught."""

import time
from collections.abc import Iterable

from prometheus_client import Histogram
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis.telemetry import log
from gateway.problems import ProblemResponse, internal

ANSWERS = Histogram("dalgo_http_seconds", "Time to answer over HTTP", ["method", "route", "status"])

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
        ANSWERS.labels(scope["method"], _pattern(scope), str(status)).observe(seconds)
        (log.warning if status >= 500 else log.debug)(
            "request_answered",
            method=scope["method"],
            path=scope["path"],
            status=status,
            seconds=round(seconds, 4),
        )


def _pattern(scope: Scope) -> str:
    """The path with its parameters' names for their values: one series a route, not one an id."""
    if "endpoint" not in scope:
        return "none"
    pattern = scope["path"]
    for name, value in scope.get("path_params", {}).items():
        pattern = f"/{{{name}}}".join(pattern.rsplit(f"/{value}", 1))
    return pattern


def _set_headers(scope: Scope, headers: MutableHeaders) -> None:
    for name, value in _HEADERS.items():
        headers.setdefault(name, value)
    headers.setdefault("Content-Security-Policy", _DOCS if scope["path"] == "/docs" else _STRICT)
    headers.setdefault("Cache-Control", "no-store")
    if scope["scheme"] == "https":
        headers.setdefault("Strict-Transport-Security", "max-age=31536000")
