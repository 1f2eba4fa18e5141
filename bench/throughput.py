"""How many runs in which nothing changed go through in a second, of many organisations at once.

`just bench throughput [--runs N] [--organizations N]`. Two kinds of run, one after the other: a sync
of one source, and a pipeline of three steps in a row (a source, a transformation of it, and one of
that). Each organisation has one of both, which was run once; then all runs are asked for at once,
and the clock stops when the last of them is seen as succeeded over HTTP. Runs of one organisation
wait for each other, as they write the same tables.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Sequence
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
class _Work:
    """What one organisation runs again and again."""

    client: httpx.AsyncClient
    path: str

    async def run(self, wait: bool) -> dict[str, Any]:
        headers = {"Prefer": "wait=60"} if wait else {}
        return await call(self.client, "POST", self.path, headers=headers)

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


async def _prepare(client: httpx.AsyncClient) -> tuple[_Work, _Work]:
    """A sync, and a pipeline of three steps; both were run."""
    first = await source(client, "people 0")
    recipes = [await recipe(client, "first", "people 0"), await recipe(client, "second", "first")]
    body = {"name": "all", "source_ids": [first], "transformation_ids": recipes}
    pipeline = (await call(client, "POST", "/pipelines", json=body))["id"]
    both = _Work(client, f"/sources/{first}/sync"), _Work(client, f"/pipelines/{pipeline}/run")
    run = await both[1].run(wait=True)
    if run["status"] != "succeeded":
        raise RuntimeError(json.dumps(run))
    return both


async def _rate(works: Sequence[_Work], each: int) -> tuple[float, float]:
    """Runs in a second, and milliseconds of CPU over all processes that one of them takes."""
    await asyncio.gather(*(work.run_many(WARM_UP) for work in works))
    spent = Spent()
    started = time.perf_counter()
    await asyncio.gather(*(work.run_many(each) for work in works))
    taken = time.perf_counter() - started
    cpu = spent.by_process()
    count = each * len(works)
    print(json.dumps({name: round(seconds / count * 1000, 1) for name, seconds in cpu.items()}))
    return round(count / taken, 1), round(sum(cpu.values()) / count * 1000, 1)


async def measure(ground: Ground, runs: int, organizations: int) -> dict[str, float]:
    """Runs in a second of both kinds, and what one takes of the processors."""
    async with AsyncExitStack() as stack:
        prepared = []
        for _ in range(organizations):
            client, _ = await stack.enter_async_context(signed_up(ground))
            prepared.append(await _prepare(client))
        syncs, pipelines = zip(*prepared, strict=True)
        rate, cpu = await _rate(syncs, runs // organizations)
        of_three, cpu_of_three = await _rate(pipelines, runs // organizations)
    return {
        "runs_per_s": rate,
        "cpu_ms_per_run": cpu,
        "three_step_runs_per_s": of_three,
        "three_step_cpu_ms_per_run": cpu_of_three,
        "runs": runs,
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
