"""Numbers for Prometheus: on a port of their own, and no more of them whatever is asked."""

import asyncio

import httpx
import pytest
from prometheus_client import generate_latest

from chassis.serving import metrics_served
from contracts.envelope import new_id


def _series() -> int:
    lines = generate_latest().decode().splitlines()
    return sum(line.startswith("dalgo_http_seconds_count") for line in lines)


async def test_invented_methods_and_paths_make_no_new_series(member) -> None:
    async def ask(number: int) -> None:
        # An id that stands once more in the path, with a 7, was taken for the wrong one of the two.
        await member.client.get(f"/sources/{number}/schema/changes?x={number}")
        await member.client.post(f"/sources/{number}/schema/changes/{number}7/accept")
        await member.client.request(f"M{number}", f"/runs/{new_id()}")
        await member.client.request(f"M{number}", f"/{number}/%C3%A4")

    await ask(1)
    before = _series()
    for first in range(2, 202, 20):
        await asyncio.gather(*(ask(number) for number in range(first, first + 20)))
    assert _series() == before


async def test_the_port_of_the_interface_has_no_metrics(gateway) -> None:
    async with httpx.AsyncClient(base_url=gateway.url) as client:
        for path in ("/metrics", "/metrics/", "/api/v1/metrics"):
            assert (await client.get(path, follow_redirects=True)).status_code == 404


async def test_metrics_are_served_on_a_port_of_their_own() -> None:
    async with metrics_served("127.0.0.1", 0) as port, httpx.AsyncClient() as client:
        answer = await client.get(f"http://127.0.0.1:{port}/metrics")
        assert "dalgo_request_seconds" in answer.text
        assert (await client.get(f"http://127.0.0.1:{port}/healthz")).status_code == 404


async def test_a_metrics_port_that_is_taken_ends_the_process_with_a_word(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with metrics_served("127.0.0.1", 0) as port:
        with pytest.raises(SystemExit):
            await metrics_served("127.0.0.1", port).__aenter__()
    assert "METRICS_PORT" in capsys.readouterr().err
