"""Requests over one kept-alive connection have nothing in common but the connection."""

import asyncio
import socket

import httpx
import pytest
import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from chassis.serving import Server, configured
from contracts.envelope import new_id

_LARGE = 300_000
"""Bytes; uvicorn stops reading at 64 KiB, and resumes in the context of the request."""


def _line(response: httpx.Response) -> object:
    """By which its connection is known."""
    return response.extensions["network_stream"].get_extra_info("client_addr")


@pytest.mark.parametrize(
    ("path", "size"), [("/pipelines", _LARGE), ("/uploads", 20_000_000)], ids=["body", "upload"]
)
async def test_the_next_request_of_another_organisation_has_a_trace_of_its_own(
    member, sign_up, gateway, path: str, size: int
) -> None:
    other = await sign_up(gateway)
    only = httpx.Limits(max_connections=1)
    async with httpx.AsyncClient(
        base_url=f"{gateway.url}/api/v1", limits=only, timeout=60
    ) as client:
        first = {"Authorization": member.client.headers["Authorization"]}
        if path == "/uploads":
            files = {"file": ("people.csv", b"x" * size)}
            large = await client.post(path, headers=first, files=files)
        else:
            large = await client.post(path, headers=first, content=b'{"name": "' + b"x" * size)
        second = {"Authorization": other.client.headers["Authorization"]}
        small = [
            await client.get(f"/nothing/{new_id()}", headers=second),
            await client.get("/nothing", headers=first),
        ]
        assert {_line(each) for each in small} == {_line(large)}
    assert large.status_code >= 400
    traces = [each.json()["trace_id"] for each in (large, *small)]
    assert len(set(traces)) == 3, traces


async def test_what_a_request_binds_to_its_log_lines_ends_with_it() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        before = structlog.contextvars.get_contextvars()
        structlog.contextvars.bind_contextvars(path=request.url.path)
        await request.body()
        await JSONResponse(before)(scope, receive, send)

    server = Server(configured(app), lambda: None)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(server.serve([listener]))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with httpx.AsyncClient(base_url=url) as client:
            await client.post("/first", content=b"x" * _LARGE)
            second = await client.get("/second")
        server.should_exit = True
        await serving
    assert second.json() == {}
