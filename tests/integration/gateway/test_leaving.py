"""A gateway that is told to end while others still send requests to it."""

import asyncio
import os
import signal
import socket
import sys

import httpx

from chassis.testing import eventually


async def test_a_gateway_serves_on_while_a_load_balancer_learns_that_it_is_not_ready(ground):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    own = {"PATH": os.environ["PATH"], "HTTP_PORT": str(port), "HTTP_DRAIN_DELAY": "600"}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway",
        env=ground.environment("gateway") | own,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:

            async def readiness() -> httpx.Response | None:
                try:
                    return await client.get("/readyz")
                except httpx.TransportError:
                    return None

            async def is_leaving() -> bool:
                answer = await readiness()
                return answer is not None and "serving" in answer.json()["checks"]

            assert "serving" not in (await eventually(readiness)).json()["checks"]
            process.send_signal(signal.SIGTERM)
            await eventually(is_leaving)
            answer = await readiness()
            assert answer is not None
            assert answer.status_code == 503
            served = await client.get("/openapi.json")
            assert served.status_code == 200
            # The client goes elsewhere with its next request.
            assert served.headers["connection"] == "close"
            process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            _, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0
    assert b"service_stopped" in said
