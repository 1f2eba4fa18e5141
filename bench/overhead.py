"""What a run costs beside its work: the time in which nothing is loaded, built or published.

`just bench overhead [--times N]`. Three sources of a hundred rows and three transformations, each
of which reads the one before, all of it anew each time (`force`); in turn with the smallest
pipeline, one source and one recipe. A run lasts from when it was asked for (`created_at`) until its
end is heard on the bus; the small pipeline is timed over HTTP, from `POST /pipelines/{id}/run` with
`Prefer: wait` to its answer, as are the numbers `http_...`. The work is what the services log with its seconds: a load in
dlt's process, a build's transaction, a publish's; what they do at the same time counts once.
"""

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from bench.ground import Ground, running, signed_up
from bench.noop import SERVICES, call, recipe, source
from nats.aio.msg import Msg

from contracts.envelope import from_body
from contracts.orchestrator import RunSucceeded

TIMES = 40
WARM_UP = 3
WORKERS = ("ingest", "transform")


class Work:
    """What the services' logs tell of work, as stretches of time (seconds since 1970)."""

    def __init__(self, folder: Path) -> None:
        self._logs = [folder / f"{name}.log" for name in WORKERS]
        self._read = [0 for _ in WORKERS]

    def stretches(self) -> list[tuple[float, float]]:
        """What ended since this was asked last."""
        found = []
        for index, log in enumerate(self._logs):
            with log.open("rb") as file:
                file.seek(self._read[index])
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    self._read[index] += len(line)
                    found += _stretch(line)
        return found


def _stretch(line: bytes) -> list[tuple[float, float]]:
    if b'"seconds"' not in line:
        return []
    told = json.loads(line)
    if told["event"] == "service_started":
        return []
    end = datetime.fromisoformat(told["timestamp"]).timestamp()
    return [(end - told["seconds"], end)]


def covered(stretches: Iterable[tuple[float, float]], begin: float, end: float) -> float:
    """How much of the time from `begin` to `end` the stretches cover, in seconds."""
    total, until = 0.0, begin
    for first, last in sorted(stretches):
        inside = min(last, end) - max(first, until)
        if inside > 0:
            total += inside
            until = min(last, end)
    return total


async def _pipeline(client: httpx.AsyncClient, name: str, count: int) -> str:
    """Sources, and transformations in a row over the first of them."""
    sources = [await source(client, f"{name} {number}") for number in range(count)]
    recipes, table = [], f"{name} 0"
    for number in range(count):
        recipes.append(await recipe(client, f"{name} recipe {number}", table))
        table = f"{name} recipe {number}"
    body = {"name": name, "source_ids": sources, "transformation_ids": recipes}
    return (await call(client, "POST", "/pipelines", json=body))["id"]


class Ends:
    """When runs were heard to have succeeded (seconds since 1970)."""

    def __init__(self) -> None:
        self._heard: dict[UUID, asyncio.Future[float]] = {}

    async def hear(self, message: Msg) -> None:
        """A RunSucceeded."""
        run_id = from_body(RunSucceeded, message.data).run_id
        self._of(run_id).set_result(time.time())

    async def of(self, run_id: str) -> float:
        """When a run's end was heard."""
        return await asyncio.wait_for(self._of(UUID(run_id)), timeout=10)

    def _of(self, run_id: UUID) -> asyncio.Future[float]:
        return self._heard.setdefault(run_id, asyncio.get_running_loop().create_future())


@dataclass(frozen=True)
class Taken:
    """What a run took, in milliseconds: by itself and over HTTP, whole and beside its work."""

    whole: float
    idle: float
    http_whole: float
    http_idle: float


async def _timed(client: httpx.AsyncClient, pipeline: str, work: Work, ends: Ends) -> Taken:
    work.stretches()
    asked = time.time()
    headers, params = {"Prefer": "wait=60"}, {"force": "true"}
    run = await call(client, "POST", f"/pipelines/{pipeline}/run", headers=headers, params=params)
    answered = time.time()
    _require_worked(run)
    begin, end = datetime.fromisoformat(run["created_at"]).timestamp(), await ends.of(run["id"])
    await asyncio.sleep(0.05)  # the last line of a log may come after the answer
    done = work.stretches()
    if len(done) != len(run["steps"]):
        raise RuntimeError(f"{len(run['steps'])} steps, {len(done)} of them in the logs")
    return Taken(
        whole=(end - begin) * 1000,
        idle=(end - begin - covered(done, begin, end)) * 1000,
        http_whole=(answered - asked) * 1000,
        http_idle=(answered - asked - covered(done, asked, answered)) * 1000,
    )


def _require_worked(run: dict[str, Any]) -> None:
    if {step["status"] for step in run["steps"]} != {"succeeded"}:
        raise RuntimeError(json.dumps(run))


async def measure(ground: Ground, times: int) -> dict[str, float]:
    """Medians in milliseconds, the two pipelines in turn."""
    work, ends = Work(ground.folder), Ends()
    async with signed_up(ground) as (client, org_id), ground.bus("gateway") as bus:
        await bus.watch(RunSucceeded.subject(org_id), ends.hear)
        three = await _pipeline(client, "three", 3)
        small = await _pipeline(client, "small", 1)
        runs: list[Taken] = []
        small_runs: list[Taken] = []
        for _ in range(times + WARM_UP):
            runs.append(await _timed(client, three, work, ends))
            small_runs.append(await _timed(client, small, work, ends))
    runs, small_runs = runs[WARM_UP:], small_runs[WARM_UP:]
    return {
        "overhead_p50_ms": _median(run.idle for run in runs),
        "small_pipeline_p50_ms": _median(run.http_whole for run in small_runs),
        "run_p50_ms": _median(run.whole for run in runs),
        "http_overhead_p50_ms": _median(run.http_idle for run in runs),
        "small_overhead_p50_ms": _median(run.idle for run in small_runs),
    }


def _median(values: Iterable[float]) -> float:
    return round(statistics.median(values), 1)


def main() -> None:
    """Start everything, measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=TIMES)
    said = parser.parse_args()
    with running(*SERVICES, log_level="INFO") as ground:
        print(json.dumps(asyncio.run(measure(ground, said.times))))


if __name__ == "__main__":
    main()
