"""Auth as the process that a supervisor starts and stops."""

import asyncio
import os
import signal
import socket
import sys

import httpx


async def ready(url: str) -> None:
    """Wait until the process says that it is ready."""
    async with httpx.AsyncClient(base_url=url) as client, asyncio.timeout(20):
        while True:
            try:
                if (await client.get("/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.05)


async def test_a_terminated_process_leaves_in_good_order(ground):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    environment = {"PATH": os.environ["PATH"], "HTTP_PORT": str(port)}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "auth",
        env=environment | ground.environment("auth"),
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        await ready(f"http://127.0.0.1:{port}")
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            _, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0
    assert b"service_stopped" in said
    assert b"Traceback" not in said


async def test_a_process_without_settings_says_what_is_missing():
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "auth",
        env={"PATH": os.environ["PATH"]},
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    lines = said.decode().splitlines()
    assert process.returncode == 2
    assert [line.split()[1] for line in lines] == ["NATS_URL", "DATABASE_URL", "ENCRYPTION_KEY"]
