"""Health and metrics of a process: alive, ready, and on another port numbers for Prometheus."""

import asyncio
from collections.abc import Awaitable, Callable

from prometheus_client import CONTENT_TYPE_LATEST, Histogram, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

REQUEST_SECONDS = Histogram(
    "dalgo_request_seconds", "Time to answer a request on the bus", ["request", "outcome"]
)
Check = Callable[[], Awaitable[None]]


class Health:
    """Named checks; the process is ready when none of them raises."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}
        self._waits_for: str | None = None
        self.is_leaving = False
        """Whether the process is about to end: no more is to be sent to it."""

    def waits_for(self, what: str | None) -> None:
        """Not ready before it has started: what is missing until then; None once it has."""
        self._waits_for = what

    def add(self, name: str, check: Check) -> None:
        """Add a check that raises, with a message for people, while something is missing."""
        self._checks[name] = check

    async def report(self) -> dict[str, str]:
        """What each check says: `ok`, or what is missing."""

        async def ask(check: Check) -> str:
            try:
                async with asyncio.timeout(3):
                    await check()
                return "ok"
            except Exception as error:
                return str(error) or repr(error)

        if self._waits_for is not None:
            return {"start": self._waits_for}
        said = await asyncio.gather(*(ask(check) for check in self._checks.values()))
        return dict(zip(self._checks, said, strict=True))

    def routes(self, *, starting: bool = False) -> list[Route]:
        """/healthz and /readyz; a process that is `starting` is alive and not ready."""

        async def alive(_: Request) -> Response:
            return JSONResponse({"status": "alive"})

        async def ready(_: Request) -> Response:
            checks = await self.report()
            if self.is_leaving:
                checks["serving"] = "the process is about to end"
            well = not starting and all(said == "ok" for said in checks.values())
            status = "ready" if well else "not ready"
            return JSONResponse({"status": status, "checks": checks}, 200 if well else 503)

        return [Route("/healthz", alive), Route("/readyz", ready)]


def metrics_app() -> Starlette:
    """/metrics: for a port of its own, which whoever may use the service does not reach."""

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return Starlette(routes=[Route("/metrics", metrics)])
