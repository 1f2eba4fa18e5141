"""How many runs in which nothing changed go through in a second, of many organisations at once.

`just bench throughput [--runs N] [--organizations N]`. Every organisation has a pipeline of one
source and two transformations, the second of which reads the first: three steps in a row. Each was
run once; then all runs are asked for at once, and the clock stops when the last of them is seen
as succeeded over HTTP. Runs of one pipeline wait for each other, as they write the same tables.
"""

import argparse
import asyncio
import json
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx
from bench.ground import Ground, running, signed_up
from bench.noop import SERVICES, call, recipe, source
from bench.spent import Spent

RUNS = 200
ORGANIZATIONS = 20
WARM_UP = 3


@dataclass(frozen=True)
class _Pipeline:
    """A pipeline of one organisation, ready to run."""

    client: httpx.AsyncClient
    id: str

    async def run(self, wait: bool) -> dict[str, Any]:
        headers = {"Prefer": "wait=60"} if wait else {}
        return await call(self.client, "POST", f"/pipelines/{self.id}/run", headers=headers)

    async def run_many(self, count: int) -> None:
        """Ask for runs one after another and see all of them end well, with nothing to do."""
        for _ in range(count - 1):
            await self.run(wait=False)
        # Runs of one pipeline go one after another, so few are left when this one has ended.
        await self.run(wait=True)
        while True:
            runs = await call(self.client, "GET", "/runs", params={"limit": str(count)})
            if all(run["finished_at"] for run in runs):
                break
            await asyncio.sleep(0.01)
        for run in runs:
            done = {step["status"] for step in run["steps"]}
            if run["status"] != "succeeded" or done != {"skipped"}:
                raise RuntimeError(json.dumps(run))


async def _pipeline(client: httpx.AsyncClient) -> _Pipeline:
    sources = [await source(client, "people 0")]
    recipes = [await recipe(client, "first", "people 0"), await recipe(client, "second", "first")]
    body = {"name": "all", "source_ids": sources, "transformation_ids": recipes}
    pipeline = _Pipeline(client, (await call(client, "POST", "/pipelines", json=body))["id"])
    run = await pipeline.run(wait=True)
    if run["status"] != "succeeded":
        raise RuntimeError(json.dumps(run))
    return pipeline


async def measure(ground: Ground, runs: int, organizations: int) -> dict[str, float]:
    """Runs in a second, and the CPU time of all processes that one of them takes."""
    async with AsyncExitStack() as stack:
        pipelines = []
        for _ in range(organizations):
            client, _ = await stack.enter_async_context(signed_up(ground))
            pipelines.append(await _pipeline(client))
        each = runs // organizations
        await asyncio.gather(*(pipeline.run_many(WARM_UP) for pipeline in pipelines))
        spent = Spent()
        started = time.perf_counter()
        await asyncio.gather(*(pipeline.run_many(each) for pipeline in pipelines))
        taken = time.perf_counter() - started
        cpu = spent.by_process()
    count = each * organizations
    print(json.dumps({name: round(seconds / count * 1000, 1) for name, seconds in cpu.items()}))
    return {
        "runs_per_s": round(count / taken, 1),
        "cpu_ms_per_run": round(sum(cpu.values()) / count * 1000, 1),
        "runs": count,
        "organizations": organizations,
    }


def main() -> None:
    """Start everything, measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--organizations", type=int, default=ORGANIZATIONS)
    said = parser.parse_args()
    with running(*SERVICES) as ground:
        print(json.dumps(asyncio.run(measure(ground, said.runs, said.organizations))))


if __name__ == "__main__":
    main()
