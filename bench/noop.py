"""A run in which nothing changed, whole, and a re-sync of an unchanged source, over HTTP.

`just bench noop [--times N]`. Three sources and three transformations, each of which reads the one
before, were run once; then the same pipeline runs again and again.
A run is timed from `POST /pipelines/{id}/run` with `Prefer: wait` to its answer, which says that it
has succeeded.
"""

import argparse
import asyncio
import json
import statistics
import time
from typing import Any

import httpx
from bench.ground import Ground, running, signed_up

SERVICES = ("auth", "ingest", "transform", "orchestrator", "gateway")
TIMES = 60
ROWS = 100


async def call(client: httpx.AsyncClient, method: str, path: str, **more: Any) -> Any:
    """A request's answer; raises httpx.HTTPStatusError."""
    answer = await client.request(method, path, **more)
    answer.raise_for_status()
    return answer.json()


async def source(client: httpx.AsyncClient, name: str) -> str:
    """A new source of a hundred rows; its id."""
    rows = "".join(f"{n},person {n},{n % 7}\n" for n in range(ROWS))
    content = f"number,name,group of {name}\n{rows}".encode()
    upload = await call(client, "POST", "/uploads", files={"file": ("people.csv", content)})
    config = {"upload_id": upload["upload_id"]}
    body = {"type": "csv", "name": name, "config": config}
    return (await call(client, "POST", "/sources", json=body))["id"]


async def recipe(client: httpx.AsyncClient, name: str, table: str) -> str:
    """A new transformation that reads a table; its id."""
    steps = [
        {"type": "source", "table": table},
        {"type": "filter", "column": "number", "operator": "greater_than", "value": 3},
    ]
    body = {"name": name, "recipe": {"steps": steps}}
    return (await call(client, "POST", "/transformations", json=body))["id"]


async def _timed(client: httpx.AsyncClient, path: str) -> tuple[float, dict[str, Any]]:
    """Milliseconds to the answer, and the run as it has ended."""
    started = time.perf_counter()
    run = await call(client, "POST", path, headers={"Prefer": "wait=60"})
    taken = (time.perf_counter() - started) * 1000
    if run["status"] != "succeeded":
        raise RuntimeError(json.dumps(run))
    return taken, run


async def measure(ground: Ground, times: int) -> dict[str, float]:
    """Medians in milliseconds, the two kinds of run in turn."""
    async with signed_up(ground) as (client, _):
        sources = [await source(client, f"people {number}") for number in range(3)]
        recipes = [await recipe(client, "first", "people 0")]
        recipes += [
            await recipe(client, "second", "first"),
            await recipe(client, "third", "second"),
        ]
        body = {"name": "all", "source_ids": sources, "transformation_ids": recipes}
        pipeline = (await call(client, "POST", "/pipelines", json=body))["id"]
        first, _ = await _timed(client, f"/pipelines/{pipeline}/run")
        whole: list[float] = []
        single: list[float] = []
        for _ in range(times + 3):
            taken, run = await _timed(client, f"/pipelines/{pipeline}/run")
            assert {step["status"] for step in run["steps"]} == {"skipped"}, run["steps"]
            whole.append(taken)
            taken, run = await _timed(client, f"/sources/{sources[0]}/sync")
            assert {step["status"] for step in run["steps"]} == {"skipped"}, run["steps"]
            single.append(taken)
    return {
        "run_p50_ms": round(statistics.median(whole[3:]), 1),
        "run_p90_ms": round(statistics.quantiles(whole[3:], n=10)[-1], 1),
        "sync_p50_ms": round(statistics.median(single[3:]), 1),
        "first_run_ms": round(first, 1),
    }


def main() -> None:
    """Start everything, measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=TIMES)
    said = parser.parse_args()
    with running(*SERVICES) as ground:
        print(json.dumps(asyncio.run(measure(ground, said.times))))


if __name__ == "__main__":
    main()
